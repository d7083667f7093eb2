"""A sweep as charts: the best so far, and the curves of its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.charts.common import COLORS
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import MEASURES, SweepPlan

HEIGHT = 280

Trial = Mapping[str, Any]


def metric_format(plan: SweepPlan) -> tuple[str, str, str]:
    """Title of the measure, and the formats of its values in a tooltip and at an axis."""
    return (MEASURES[plan.measure], ".2%", ".0%") if plan.higher_is_better else (MEASURES[plan.measure], ".4f", ".2~f")


def trials_with_value(trials: Sequence[Trial]) -> list[Trial]:
    """Those that came to something."""
    return [row for row in trials if row.get("value") is not None and row.get("state") in ("finished", "pruned")]


def trial_row(row: Trial, names: Sequence[str]) -> dict[str, Any]:
    """A trial flat, as a table and a CSV have it."""
    plain = {name: row.get(name) for name in ("trial", "state", "value")}
    settings = {name: row["settings"].get(name) for name in names}
    return {
        **plain,
        **settings,
        "epochs run": len(row["values"]),
        "seconds": row.get("seconds"),
        "message": row.get("message"),
        "run": row.get("run"),
    }


def best_so_far(trials: Sequence[Trial], plan: SweepPlan, name: str = "") -> list[dict[str, Any]]:
    """The best so far after each trial, in the order in which they ended.

    Returns:
        `number` (from 1), `seconds` (of training, of all until then), `value`, `best`, `state`, `trial`, and `sweep`:
        the name given.
    """
    ended = sorted((row for row in trials if row.get("state") != "running"), key=lambda row: row.get("ended") or 0)
    better = max if plan.higher_is_better else min
    best, seconds, points = None, 0.0, []
    for number, row in enumerate(ended, 1):
        seconds += row.get("seconds") or 0.0
        if row["state"] == "finished" and row.get("value") is not None:
            best = row["value"] if best is None else better(best, row["value"])
        points.append(
            {
                "number": number,
                "seconds": round(seconds, 2),
                "value": row.get("value"),
                "best": best,
                "state": row["state"],
                "trial": row["trial"],
                "sweep": name,
            }
        )
    return points


def best_so_far_curve(points: Sequence[Mapping[str, Any]], plan: SweepPlan, against: str) -> Any:
    """The best so far as a staircase, each trial as a dot.

    Args:
        points: as `progress` makes them, of one sweep or of several.
        plan: what was searched.
        against: `number` of trials, or `seconds` of training.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number, ticks = metric_format(plan)
    axis = {"number": "trials", "seconds": "seconds of training"}[against]
    names = list(dict.fromkeys(point["sweep"] for point in points))
    colours = [COLORS[name] for name in ("training", "validation", "third")]
    colour = alt.Color(
        "sweep:N",
        scale=alt.Scale(domain=names, range=colours[: len(names)]),
        legend=alt.Legend(title=None, orient="top") if len(names) > 1 else None,
    )
    across = alt.X(f"{against}:Q", title=axis, axis=alt.Axis(tickMinStep=1) if against == "number" else alt.Axis())
    base: Any = alt.Chart().encode(x=across)
    height = alt.Scale(zero=False)
    stairs = base.mark_line(interpolate="step-after", strokeWidth=3).encode(
        y=alt.Y("best:Q", title=title, scale=height, axis=alt.Axis(format=ticks)), color=colour
    )
    dots = base.mark_point(filled=True, size=60, opacity=0.9).encode(
        y=alt.Y("value:Q", title=title, scale=height),
        color=alt.condition("datum.state === 'pruned'", alt.value(COLORS["muted"]), colour),
        shape=alt.Shape(
            "state:N",
            scale=alt.Scale(domain=["finished", "pruned"], range=["circle", "cross"]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[
            "trial:Q",
            "state:N",
            alt.Tooltip("value:Q", title=title, format=number),
            alt.Tooltip("seconds:Q", format=".1f"),
        ],
    )
    dots = dots.transform_filter("isValid(datum.value)")
    stairs = stairs.transform_filter("isValid(datum.best)")
    return alt.layer(stairs, dots, data={"values": [dict(point) for point in points]}).properties(height=HEIGHT)


def trial_curves(trials: Sequence[Trial], plan: SweepPlan) -> Any:
    """The measure by epoch of every trial: pruned ones grey, the best in front of the others.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number, ticks = metric_format(plan)
    best = best_trial([dict(row) for row in trials], plan)
    drawn = sorted(trials, key=lambda row: row is not None and best is not None and row["trial"] == best["trial"])
    points = [
        {"trial": row["trial"], "epoch": epoch, "value": value, "what": _what(row, best)}
        for row in drawn
        for epoch, value in row["values"]
    ]
    kinds = ["best", "finished", "running", "pruned"]
    colours = [COLORS["training"], COLORS["third"], COLORS["validation"], COLORS["muted"]]
    base: Any = alt.Chart().encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=ticks)),
        detail="trial:N",
        color=alt.Color(
            "what:N", scale=alt.Scale(domain=kinds, range=colours), legend=alt.Legend(title=None, orient="top")
        ),
        opacity=alt.condition("datum.what === 'best'", alt.value(1), alt.value(0.55)),
        tooltip=["trial:Q", "epoch:Q", alt.Tooltip("value:Q", title=title, format=number), "what:N"],
    )
    lines = base.mark_line(strokeWidth=2).encode(
        strokeWidth=alt.condition("datum.what === 'best'", alt.value(4), alt.value(1.5))
    )
    dots = base.mark_circle(size=40)
    return alt.layer(lines, dots, data={"values": points}).properties(height=HEIGHT)


def _what(row: Trial, best: Trial | None) -> str:
    return "best" if best is not None and row["trial"] == best["trial"] else str(row.get("state"))
