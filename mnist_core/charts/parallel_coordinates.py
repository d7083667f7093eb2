"""All settings and the metric of a sweep's trials as parallel axes, with a line for each trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnist_core.charts.axes import decimals
from mnist_core.charts.common import COLORS
from mnist_core.charts.sweep import HEIGHT, Trial, metric_format, trials_with_value
from mnist_core.charts.sweep_settings import SPACED_LABELS, axis_position, format_setting, metric_color
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.search_space import Values

MAX_UPRIGHT = 4
"""The largest number of names that fit below the axes of a chart on a phone, one word a line."""


def parallel_coordinates(trials: Sequence[Trial], plan: SweepPlan) -> Any:
    """Draws a line for each trial through its settings to its metric.

    Brushing an axis, or several at once, highlights the lines through the brush.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number_format = metric_format(plan)
    evaluated = trials_with_value(trials)
    values = [trial["value"] for trial in evaluated]
    low, high = min(values, default=0.0), max(values, default=1.0)
    axes = [*(dimension.name for dimension in plan.space), title]
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    clauses = [f"(indexof(brush.axis, {name!r}) < 0 || inrange(datum[{'at ' + name!r}], brush.at))" for name in axes]
    inside = f"!isValid(brush.axis) || ({' && '.join(clauses)})"
    x = alt.X(
        "axis:N",
        title=None,
        sort=axes,
        scale=alt.Scale(type="point", padding=0.4),
        axis=alt.Axis(labelOverlap=False, domain=False, grid=True, labelLimit=160, **_name_style(len(axes))),
    )
    y = alt.Y("at:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.04, 1.1], nice=False))
    base: Any = alt.Chart().encode(
        x=x,
        y=y,
        detail="trial:N",
        color=alt.condition(inside, metric_color(plan).legend(None), alt.value(COLORS["muted"])),
        opacity=alt.condition(inside, alt.value(0.9), alt.value(0.12)),
        tooltip=[
            alt.Tooltip("trial:Q", title="Trial"),
            alt.Tooltip("axis:N", title="Setting"),
            alt.Tooltip("here:N", title="Value"),
            alt.Tooltip("value:Q", title=title, format=number_format),
        ],
    )
    lines = base.mark_line(strokeWidth=2)
    dots = base.mark_circle(size=50).add_params(brush)
    labels: Any = alt.Chart({"values": _axis_labels(plan, title, low, high)})
    text = labels.mark_text(align="left", dx=7, dy=-9, fontSize=12, fontWeight="bold").encode(
        x=x, y=y, text="text:N", color=alt.value(COLORS["muted"])
    )
    return alt.layer(lines, dots, text, data={"values": _points(evaluated, plan, title, low, high)}).properties(
        height=HEIGHT + 40
    )


def _name_style(axes: int) -> dict[str, Any]:
    """Options of alt.Axis with which all names fit on a phone: one word a line, or at an angle below many axes."""
    if axes > MAX_UPRIGHT:
        return {"labelExpr": SPACED_LABELS, "labelAngle": -40, "labelAlign": "right", "labelBaseline": "middle"}
    return {"labelExpr": f"split({SPACED_LABELS}, ' ')", "labelAngle": 0}


def _points(trials: Sequence[Trial], plan: SweepPlan, title: str, low: float, high: float) -> list[dict[str, Any]]:
    """Where the lines of trials with a value cross the axes. `title`: of the metric's axis, from `low` to `high`."""
    points = []
    for trial in trials:
        positions = {
            dimension.name: axis_position(dimension, trial["settings"][dimension.name]) for dimension in plan.space
        }
        positions[title] = (trial["value"] - low) / (high - low) if high > low else 0.5
        # Every point carries the positions on all axes, so that the brush can filter whole lines.
        all_positions = {f"at {name}": round(position, 4) for name, position in positions.items()}
        points += [
            {
                "axis": name,
                "at": position,
                "trial": trial["trial"],
                "value": trial["value"],
                "here": str(trial["settings"].get(name, trial["value"])),
                **all_positions,
            }
            for name, position in positions.items()
        ]
    return points


def _axis_labels(plan: SweepPlan, title: str, low: float, high: float) -> list[dict[str, Any]]:
    """The labels of all parallel axes: the ends of a range, or every value of a list."""
    labels = []
    for dimension in plan.space:
        shown = dimension.values if isinstance(dimension, Values) else (dimension.low, dimension.high)
        labels += [
            {"axis": dimension.name, "at": axis_position(dimension, value), "text": format_setting(value)}
            for value in shown
        ]
    digits, kind = decimals((low, high), percent=plan.higher_is_better), "%" if plan.higher_is_better else "f"
    ends = [f"{end:.{digits}{kind}}" for end in (low, high)]
    positions = (0.0, 1.0) if high > low else (0.5, 0.5)
    return labels + [
        {"axis": title, "at": position, "text": text} for position, text in zip(positions, ends, strict=True)
    ]
