"""Charts of a sweep: its best value so far, and the curves of its trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mnist_core.charts.axes import value_axis
from mnist_core.charts.common import COLORS
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import MEASURES, SweepPlan

HEIGHT = 280
"""Pixels."""

PROGRESS_AXES = {"number": "Trials", "seconds": "Training time (seconds)"}
"""What the best value so far can be drawn against -> title of the axis."""

Trial = Mapping[str, Any]
"""One line of trials.json."""


def metric_format(plan: SweepPlan) -> tuple[str, str]:
    """The title of the plan's metric, and its number format."""
    return MEASURES[plan.measure].capitalize(), plan.value_format


def metric_axis(values: Iterable[float | None], plan: SweepPlan) -> Any:
    """An axis of the plan's metric for these values."""
    return value_axis(values, percent=plan.higher_is_better)


def trials_with_value(trials: Sequence[Trial]) -> list[Trial]:
    """The finished and pruned trials that have a value."""
    return [
        trial for trial in trials if trial.get("value") is not None and trial.get("state") in ("finished", "pruned")
    ]


def trial_row(trial: Trial, settings: Sequence[str]) -> dict[str, Any]:
    """A trial as one row of a table or CSV file, with a column for each of these settings."""
    return {
        **{name: trial.get(name) for name in ("trial", "state", "value")},
        **{name: trial["settings"].get(name) for name in settings},
        "epochs run": len(trial["values"]),
        "seconds": trial.get("seconds"),
        "message": trial.get("message"),
        "run": trial.get("run"),
    }


def best_so_far(trials: Sequence[Trial], plan: SweepPlan, name: str = "") -> list[dict[str, Any]]:
    """Computes the best value so far after each trial, in the order in which the trials ended.

    Returns:
        Rows with `number` (from 1), `seconds` (of training, summed up), `value`, `best`, `state`, `trial`, and `sweep`
        (the given name).
    """
    ended = [trial for trial in trials if trial.get("state") != "running"]
    ended.sort(key=lambda trial: trial.get("ended") or 0)
    better = max if plan.higher_is_better else min
    best, seconds, points = None, 0.0, []
    for number, trial in enumerate(ended, 1):
        seconds += trial.get("seconds") or 0.0
        value = trial.get("value")
        if trial["state"] == "finished" and value is not None:
            best = value if best is None else better(best, value)
        points.append(
            {
                "number": number,
                "seconds": round(seconds, 2),
                "value": value,
                "best": best,
                "state": trial["state"],
                "trial": trial["trial"],
                "sweep": name,
            }
        )
    return points


def best_so_far_curve(points: Sequence[Mapping[str, Any]], plan: SweepPlan, axis: str) -> Any:
    """Draws the best value so far as a staircase, and each trial as a dot.

    Args:
        points: as returned by `best_so_far`, of one sweep or of several.
        plan: of the sweep.
        axis: one of PROGRESS_AXES.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number_format = metric_format(plan)
    sweeps = list(dict.fromkeys(point["sweep"] for point in points))
    colors = [COLORS[name] for name in ("training", "validation", "third")]
    sweep_color = alt.Color(
        "sweep:N",
        scale=alt.Scale(domain=sweeps, range=colors[: len(sweeps)]),
        legend=alt.Legend(title=None, orient="top") if len(sweeps) > 1 else None,
    )
    x_axis = alt.Axis(tickMinStep=1) if axis == "number" else alt.Axis()
    base: Any = alt.Chart().encode(x=alt.X(f"{axis}:Q", title=PROGRESS_AXES[axis], axis=x_axis))
    y_scale, y_axis = alt.Scale(zero=False), metric_axis((point["value"] for point in points), plan)
    stairs = base.mark_line(interpolate="step-after", strokeWidth=3).encode(
        y=alt.Y("best:Q", title=title, scale=y_scale, axis=y_axis), color=sweep_color
    )
    dots = base.mark_point(filled=True, size=60, opacity=0.9).encode(
        y=alt.Y("value:Q", title=title, scale=y_scale),
        color=alt.condition("datum.state === 'pruned'", alt.value(COLORS["muted"]), sweep_color),
        shape=alt.Shape(
            "state:N",
            scale=alt.Scale(domain=["finished", "pruned"], range=["circle", "cross"]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[
            alt.Tooltip("trial:Q", title="Trial"),
            alt.Tooltip("state:N", title="State"),
            alt.Tooltip("value:Q", title=title, format=number_format),
            alt.Tooltip("seconds:Q", title="Training time (seconds)", format=".1f"),
        ],
    )
    return alt.layer(
        stairs.transform_filter("isValid(datum.best)"),
        dots.transform_filter("isValid(datum.value)"),
        data={"values": [dict(point) for point in points]},
    ).properties(height=HEIGHT)


def trial_curves(trials: Sequence[Trial], plan: SweepPlan) -> Any:
    """Draws the metric of every trial by epoch: pruned trials in gray, the best one in front of the others.

    Failed trials are left out: values that diverged would flatten the curves of the others.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number_format = metric_format(plan)
    best = best_trial([dict(trial) for trial in trials], plan)
    best_number = None if best is None else best["trial"]
    best_last = sorted(trials, key=lambda trial: best is not None and trial["trial"] == best_number)
    points = [
        {
            "trial": trial["trial"],
            "epoch": epoch,
            "value": value,
            "what": "best" if best is not None and trial["trial"] == best_number else str(trial.get("state")),
        }
        for trial in best_last
        if trial.get("state") != "failed"
        for epoch, value in trial["values"]
    ]
    axis = metric_axis((point["value"] for point in points), plan)
    kinds = ["best", "finished", "running", "pruned"]
    colors = [COLORS[name] for name in ("training", "third", "validation", "muted")]
    base: Any = alt.Chart().encode(
        x=alt.X("epoch:Q", title="Epoch", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=axis),
        detail="trial:N",
        color=alt.Color(
            "what:N",
            scale=alt.Scale(domain=kinds, range=colors),
            legend=alt.Legend(title=None, orient="top", columns=2),  # four are too wide for a phone
        ),
        opacity=alt.condition("datum.what === 'best'", alt.value(1), alt.value(0.55)),
        tooltip=[
            alt.Tooltip("trial:Q", title="Trial"),
            alt.Tooltip("epoch:Q", title="Epoch"),
            alt.Tooltip("value:Q", title=title, format=number_format),
            alt.Tooltip("what:N", title="State"),
        ],
    )
    lines = base.mark_line(strokeWidth=2).encode(
        strokeWidth=alt.condition("datum.what === 'best'", alt.value(4), alt.value(1.5))
    )
    return alt.layer(lines, base.mark_circle(size=40), data={"values": points}).properties(height=HEIGHT)
