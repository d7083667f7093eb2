"""Charts of how a sweep's metric depends on the settings: on one, on two, and which of them matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.charts.axes import PERCENT_LABEL
from mnist_core.charts.common import COLORS
from mnist_core.charts.sweep import HEIGHT, Trial, metric_axis, metric_format, trials_with_value
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.search_space import Dimension, Range, Values

COLOR_SCHEME: Any = "viridis"
"""Readable in gray, too."""

SPACED_LABELS = "replace(datum.label, regexp('_', 'g'), ' ')"
"""Vega expression that labels an axis `learning rate`, not `learning_rate`."""

CELLS = 24
"""Cells of a contour plot along a range."""


def axis_position(dimension: Dimension, value: Any) -> float:
    """The position of a setting's value on its axis, 0..1: linear, logarithmic, or by index in a list of values."""
    if isinstance(dimension, Values):
        return dimension.values.index(value) / (len(dimension.values) - 1) if value in dimension.values else 0.0
    if dimension.log:
        return math.log(value / dimension.low) / math.log(dimension.high / dimension.low)
    return float((value - dimension.low) / (dimension.high - dimension.low))


def metric_color(plan: SweepPlan) -> Any:
    """The color of a trial by its metric."""
    import altair as alt

    title, number_format = metric_format(plan)
    return alt.Color(
        "value:Q",
        title=title,
        scale=alt.Scale(scheme=COLOR_SCHEME, reverse=not plan.higher_is_better),
        legend=alt.Legend(labelExpr=PERCENT_LABEL) if plan.higher_is_better else alt.Legend(format="~g"),
    )


def format_setting(value: Any) -> str:
    """A setting's value, as charts show it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _axis(dimension: Dimension, channel: str, field: str) -> Any:
    """One setting as the `x` or `y` axis of a chart: a list as names in order, a range as numbers on its scale."""
    import altair as alt

    axis_class = alt.X if channel == "x" else alt.Y
    if isinstance(dimension, Values):
        names = [format_setting(value) for value in dimension.values]
        ascending = names if channel == "x" else names[::-1]
        return axis_class(f"{field}:N", title=_title(dimension), sort=ascending, axis=alt.Axis(labelAngle=0))
    scale_type: Any = "log" if dimension.log else "linear"
    scale = alt.Scale(type=scale_type, domain=[dimension.low, dimension.high], nice=False)
    return axis_class(
        f"{field}:Q", title=_title(dimension), scale=scale, axis=alt.Axis(format="~g", tickCount=6, grid=False)
    )


def _title(dimension: Dimension) -> str:
    return dimension.name.replace("_", " ").capitalize()


def _axis_value(dimension: Dimension, value: Any) -> Any:
    return format_setting(value) if isinstance(dimension, Values) else value


def slice_plot(trials: Sequence[Trial], plan: SweepPlan, dimension: Dimension) -> Any:
    """Draws the metric of the trials against one of their settings; later trials are bluer.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number_format = metric_format(plan)
    points = [
        {
            dimension.name: _axis_value(dimension, trial["settings"][dimension.name]),
            "value": trial["value"],
            "trial": trial["trial"],
            "state": trial["state"],
        }
        for trial in trials_with_value(trials)
    ]
    last_trial = max((trial["trial"] for trial in trials), default=0)
    chart: Any = alt.Chart({"values": points}).mark_point(filled=True, size=80, opacity=0.85)
    return chart.encode(
        x=_axis(dimension, "x", dimension.name),
        y=alt.Y(
            "value:Q",
            title=title,
            scale=alt.Scale(zero=False),
            axis=metric_axis((point["value"] for point in points), plan),
        ),
        color=alt.Color(
            "trial:Q",
            title="Trial",
            scale=alt.Scale(range=["#b9c4d2", "#1f78c8"]),
            legend=alt.Legend(format="d", values=[0, last_trial]),
        ),
        shape=alt.Shape(
            "state:N",
            scale=alt.Scale(domain=["finished", "pruned"], range=["circle", "cross"]),
            legend=alt.Legend(title=None, orient="top", symbolFillColor=COLORS["muted"]),
        ),
        tooltip=[
            alt.Tooltip("trial:Q", title="Trial"),
            alt.Tooltip("state:N", title="State"),
            alt.Tooltip(f"{dimension.name}:N", title=_title(dimension)),
            alt.Tooltip("value:Q", title=title, format=number_format),
        ],
    ).properties(height=HEIGHT)


def contour_plot(trials: Sequence[Trial], plan: SweepPlan, across: Dimension, up: Dimension) -> Any:
    """Draws the finished trials over two of their settings as dots, on a map of the interpolated metric.

    Args:
        trials: of the sweep.
        plan: of the sweep.
        across: the setting on the horizontal axis.
        up: the setting on the vertical axis.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number_format = metric_format(plan)
    finished = [trial for trial in trials_with_value(trials) if trial["state"] == "finished"]
    points = [
        {
            "across": _axis_value(across, trial["settings"][across.name]),
            "up": _axis_value(up, trial["settings"][up.name]),
            "value": trial["value"],
            "trial": trial["trial"],
        }
        for trial in finished
    ]
    position = {"x": _axis(across, "x", "across"), "y": _axis(up, "y", "up"), "color": metric_color(plan)}
    # The second edges of the cells along a range.
    edges = {}
    if isinstance(across, Range):
        edges["x2"] = "across2:Q"
    if isinstance(up, Range):
        edges["y2"] = "up2:Q"
    surface: Any = alt.Chart({"values": interpolate_surface(finished, across, up)}).mark_rect()
    surface = surface.encode(
        **position, **edges, tooltip=[alt.Tooltip("value:Q", title=f"{title} (estimated)", format=number_format)]
    )
    dots: Any = alt.Chart({"values": points}).mark_point(
        filled=True, size=90, opacity=1, stroke="white", strokeWidth=1.5
    )
    dots = dots.encode(
        **position,
        tooltip=[
            alt.Tooltip("trial:Q", title="Trial"),
            alt.Tooltip("across:N", title=_title(across)),
            alt.Tooltip("up:N", title=_title(up)),
            alt.Tooltip("value:Q", title=title, format=number_format),
        ],
    )
    return alt.layer(surface, dots, data={"values": points}).properties(height=HEIGHT + 60)


def interpolate_surface(trials: Sequence[Trial], across: Dimension, up: Dimension) -> list[dict[str, Any]]:
    """Interpolates the metric between trials by inverse distance weighting (Shepard, 1968).

    Args:
        trials: trials with a value.
        across: the setting on the horizontal axis.
        up: the setting on the vertical axis.

    Returns:
        For each cell `across`, `up` and `value`; for a range also its other edge, `across2` or `up2`. No cell without a
        trial.
    """
    known = [
        (
            axis_position(across, trial["settings"][across.name]),
            axis_position(up, trial["settings"][up.name]),
            trial["value"],
        )
        for trial in trials
    ]
    if not known:
        return []
    values = [value for _, _, value in known]
    lowest, highest = min(values), max(values)
    cells = []
    for column, x in _cells(across, "across"):
        for row, y in _cells(up, "up"):
            weights = [1 / ((x - trial_x) ** 2 + (y - trial_y) ** 2 + 1e-4) ** 1.5 for trial_x, trial_y, _ in known]
            total = sum(weight * value for weight, (_, _, value) in zip(weights, known, strict=True))
            # Without the limits, rounding makes a pattern of equal values.
            cells.append({**column, **row, "value": min(max(total / sum(weights), lowest), highest)})
    return cells


def _cells(dimension: Dimension, name: str) -> list[tuple[dict[str, Any], float]]:
    """The cells along an axis, each with the position of its center."""
    if isinstance(dimension, Values):
        return [({name: format_setting(value)}, axis_position(dimension, value)) for value in dimension.values]
    edges = [_value_at(dimension, index / CELLS) for index in range(CELLS + 1)]
    return [({name: edges[i], f"{name}2": edges[i + 1]}, (i + 0.5) / CELLS) for i in range(CELLS)]


def _value_at(dimension: Range, position: float) -> float:
    """The inverse of `axis_position`."""
    if dimension.log:
        return float(dimension.low * (dimension.high / dimension.low) ** position)
    return dimension.low + (dimension.high - dimension.low) * position


def importance_bars(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Draws the importance of each setting as a bar, with the range of the individual estimates as a line over it.

    Args:
        rows: as returned by `sweeps.importance`, each with `setting`, `share`, `low` and `high`.

    Returns:
        An Altair chart.
    """
    import altair as alt

    labels = alt.Axis(labelLimit=200, labelExpr=SPACED_LABELS)
    base: Any = alt.Chart().encode(y=alt.Y("setting:N", title=None, sort=None, axis=labels))
    title, scale = "Share of the variance", alt.Scale(domain=[0, 1])
    bars = base.mark_bar(color=COLORS["training"], height=18).encode(
        x=alt.X("share:Q", title=title, scale=scale, axis=alt.Axis(labelExpr=PERCENT_LABEL)),
        tooltip=[
            alt.Tooltip("setting:N", title="Setting"),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
            alt.Tooltip("low:Q", title="Lowest estimate", format=".1%"),
            alt.Tooltip("high:Q", title="Highest estimate", format=".1%"),
        ],
    )
    ranges = base.mark_rule(size=3, color=COLORS["validation"]).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    return alt.layer(bars, ranges, data={"values": [dict(row) for row in rows]}).properties(height=60 + 32 * len(rows))
