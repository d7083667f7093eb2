"""How the measure of a sweep depends on what was varied: all settings at once, one, two, and which of them matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.charts.common import COLORS
from mnist_core.charts.sweep import HEIGHT, Trial, metric_format, trials_with_value
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.search_space import Dimension, Range, Values

COLOR_SCHEME: Any = "viridis"  # reads in grey, too
SPACED_LABELS = "replace(datum.label, regexp('_', 'g'), ' ')"  # an axis's labels: learning rate, not learning_rate
CELLS = 24  # of a contour plot along a range


def axis_position(vary: Dimension, value: Any) -> float:
    """Where a value lies on the axis of its setting, 0..1: by value, by power of ten, or by place in the list."""
    if isinstance(vary, Values):
        return vary.values.index(value) / (len(vary.values) - 1) if value in vary.values else 0.0
    if vary.log:
        return math.log(value / vary.low) / math.log(vary.high / vary.low)
    return float((value - vary.low) / (vary.high - vary.low))


def parallel_coordinates(trials: Sequence[Trial], plan: SweepPlan) -> Any:
    """Parallel coordinates: a line for each trial through its settings to what it came to. A box that is drawn over an
    axis, or over several, keeps the lines that go through it.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number, _ = metric_format(plan)
    rows = trials_with_value(trials)
    values = [row["value"] for row in rows]
    low, high = min(values, default=0.0), max(values, default=1.0)
    axes = [vary.name for vary in plan.space]
    points, wide = [], {vary.name: vary for vary in plan.space}
    for row in rows:
        places = {name: axis_position(wide[name], row["settings"][name]) for name in axes}
        places[title] = (row["value"] - low) / (high - low) if high > low else 0.5
        all_of_it = {f"at {name}": round(at, 4) for name, at in places.items()}
        points += [
            {
                "axis": name,
                "at": at,
                "trial": row["trial"],
                "value": row["value"],
                "here": str(row["settings"].get(name, row["value"])),
                **all_of_it,
            }
            for name, at in places.items()
        ]
    order = [*axes, title]
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    clauses = [f"(indexof(brush.axis, {name!r}) < 0 || inrange(datum[{'at ' + name!r}], brush.at))" for name in order]
    inside = f"!isValid(brush.axis) || ({' && '.join(clauses)})"
    across = alt.X(
        "axis:N",
        title=None,
        sort=order,
        scale=alt.Scale(type="point", padding=0.4),
        axis=alt.Axis(labelAngle=0, labelExpr=SPACED_LABELS, domain=False, grid=True, labelLimit=160),
    )
    up = alt.Y("at:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.04, 1.1], nice=False))
    colour = alt.Color(
        "value:Q",
        title=title,
        scale=alt.Scale(scheme=COLOR_SCHEME, reverse=not plan.higher_is_better),
        legend=alt.Legend(format=number),
    )
    base: Any = alt.Chart().encode(
        x=across,
        y=up,
        detail="trial:N",
        color=alt.condition(inside, colour, alt.value(COLORS["muted"])),
        opacity=alt.condition(inside, alt.value(0.9), alt.value(0.12)),
        tooltip=[
            "trial:Q",
            alt.Tooltip("axis:N", title="setting"),
            alt.Tooltip("here:N", title="value"),
            alt.Tooltip("value:Q", title=title, format=number),
        ],
    )
    lines = base.mark_line(strokeWidth=2)
    dots = base.mark_circle(size=50).add_params(brush)
    written = {"values": _labels(plan, title, low, high)}
    labels = alt.Chart(written).mark_text(align="left", dx=7, dy=-9, fontSize=12, fontWeight="bold")
    # In the grey that reads on white and on black.
    text = labels.encode(x=across, y=up, text="text:N", color=alt.value(COLORS["muted"]))
    return alt.layer(lines, dots, text, data={"values": points}).properties(height=HEIGHT + 40)


def _labels(plan: SweepPlan, title: str, low: float, high: float) -> list[dict[str, Any]]:
    """What stands beside each axis: the ends of a range, the values of a list."""
    found = []
    for vary in plan.space:
        shown = vary.values if isinstance(vary, Values) else (vary.low, vary.high)
        found += [{"axis": vary.name, "at": axis_position(vary, value), "text": _short(value)} for value in shown]
    ends = [f"{100 * end:.1f} %" if plan.higher_is_better else f"{end:.3f}" for end in (low, high)]
    places = (0.0, 1.0) if high > low else (0.5, 0.5)
    return found + [{"axis": title, "at": at, "text": text} for at, text in zip(places, ends, strict=True)]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _axis(vary: Dimension, channel: str, field: str) -> Any:
    """One setting as an axis of a chart: a list as names in their order, a range as numbers on its scale."""
    import altair as alt

    make = alt.X if channel == "x" else alt.Y
    title = vary.name.replace("_", " ")
    if isinstance(vary, Values):
        names = [_short(value) for value in vary.values]
        upwards = names if channel == "x" else names[::-1]
        return make(f"{field}:N", title=title, sort=upwards, axis=alt.Axis(labelAngle=0))
    scale = alt.Scale(type="log" if vary.log else "linear", domain=[vary.low, vary.high], nice=False)
    return make(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format="~g", tickCount=6, grid=False))


def _shown(vary: Dimension, value: Any) -> Any:
    return _short(value) if isinstance(vary, Values) else value


def slice_plot(trials: Sequence[Trial], plan: SweepPlan, vary: Dimension) -> Any:
    """What trials came to, against one of their settings; the later, the bluer.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number, ticks = metric_format(plan)
    points = [
        {
            vary.name: _shown(vary, row["settings"][vary.name]),
            "value": row["value"],
            "trial": row["trial"],
            "state": row["state"],
        }
        for row in trials_with_value(trials)
    ]
    chart: Any = alt.Chart({"values": points}).mark_point(filled=True, size=80, opacity=0.85)
    return chart.encode(
        x=_axis(vary, "x", vary.name),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=ticks)),
        color=alt.Color(
            "trial:Q",
            title="trial",
            scale=alt.Scale(range=["#b9c4d2", "#1f78c8"]),
            legend=alt.Legend(format="d", values=[0, max((row["trial"] for row in trials), default=0)]),
        ),
        shape=alt.Shape(
            "state:N",
            scale=alt.Scale(domain=["finished", "pruned"], range=["circle", "cross"]),
            legend=alt.Legend(title=None, orient="top", symbolFillColor=COLORS["muted"]),
        ),
        tooltip=["trial:Q", "state:N", f"{vary.name}:N", alt.Tooltip("value:Q", title=title, format=number)],
    ).properties(height=HEIGHT)


def contour_plot(trials: Sequence[Trial], plan: SweepPlan, across: Dimension, up: Dimension) -> Any:
    """What trials came to over two of their settings: the trials as dots, and what lies between them as a map.

    Returns:
        An Altair chart.
    """
    import altair as alt

    title, number, _ = metric_format(plan)
    rows = [row for row in trials_with_value(trials) if row["state"] == "finished"]
    points = [
        {
            "across": _shown(across, row["settings"][across.name]),
            "up": _shown(up, row["settings"][up.name]),
            "value": row["value"],
            "trial": row["trial"],
        }
        for row in rows
    ]
    cells = interpolate_surface(rows, across, up)
    colour = alt.Color(
        "value:Q",
        title=title,
        legend=alt.Legend(format=number),
        scale=alt.Scale(scheme=COLOR_SCHEME, reverse=not plan.higher_is_better),
    )
    tooltip = [alt.Tooltip("value:Q", title=f"{title}, estimated", format=number)]
    encoded: dict[str, Any] = {
        "x": _axis(across, "x", "across"),
        "y": _axis(up, "y", "up"),
        "color": colour,
        "tooltip": tooltip,
    }
    if isinstance(across, Range):
        encoded["x2"] = "across2:Q"
    if isinstance(up, Range):
        encoded["y2"] = "up2:Q"
    map_: Any = alt.Chart({"values": cells}).mark_rect().encode(**encoded)
    dots: Any = alt.Chart({"values": points}).mark_point(
        filled=True, size=90, opacity=1, stroke="white", strokeWidth=1.5
    )
    shown = ["trial:Q", alt.Tooltip("across:N", title=across.name), alt.Tooltip("up:N", title=up.name)]
    over = dots.encode(
        x=_axis(across, "x", "across"),
        y=_axis(up, "y", "up"),
        color=colour,
        tooltip=[*shown, alt.Tooltip("value:Q", title=title, format=number)],
    )
    return alt.layer(map_, over, data={"values": points}).properties(height=HEIGHT + 60)


def interpolate_surface(rows: Sequence[Trial], across: Dimension, up: Dimension) -> list[dict[str, Any]]:
    """A guess of the measure at each cell between trials: their mean, the nearer the heavier (Shepard, 1968).

    Args:
        rows: trials with a value.
        across, up: the two settings.

    Returns:
        For each cell `across`, `up` and `value`, and of a range `across2` or `up2`, its other end.
    """
    known = [
        (axis_position(across, row["settings"][across.name]), axis_position(up, row["settings"][up.name]), row["value"])
        for row in rows
    ]
    cells = []
    for left, x in _cells(across, "across"):
        for bottom, y in _cells(up, "up"):
            weights = [1 / ((x - at) ** 2 + (y - height) ** 2 + 1e-4) ** 1.5 for at, height, _ in known]
            total = sum(weight * value for weight, (_, _, value) in zip(weights, known, strict=True))
            cells.append({**left, **bottom, "value": total / sum(weights)} if weights else {**left, **bottom})
    return cells


def _cells(vary: Dimension, name: str) -> list[tuple[dict[str, Any], float]]:
    """The cells along an axis, each with the place of its middle."""
    if isinstance(vary, Values):
        return [({name: _short(value)}, axis_position(vary, value)) for value in vary.values]
    edges = [_at(vary, index / CELLS) for index in range(CELLS + 1)]
    return [({name: edges[i], f"{name}2": edges[i + 1]}, (i + 0.5) / CELLS) for i in range(CELLS)]


def _at(vary: Range, share: float) -> float:
    return vary.low * (vary.high / vary.low) ** share if vary.log else vary.low + (vary.high - vary.low) * share


def importance_bars(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The share of each setting as a bar, and how far forests disagree as a line over it.

    Args:
        rows: as importance.importances gives them.

    Returns:
        An Altair chart.
    """
    import altair as alt

    named = alt.Axis(labelLimit=200, labelExpr=SPACED_LABELS)
    base: Any = alt.Chart().encode(y=alt.Y("setting:N", title=None, sort=None, axis=named))
    title, share = "share of the variance that it explains", alt.Scale(domain=[0, 1])
    bars = base.mark_bar(color=COLORS["training"], height=18).encode(
        x=alt.X("share:Q", title=title, scale=share, axis=alt.Axis(format=".0%")),
        tooltip=[
            "setting:N",
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("low:Q", format=".1%"),
            alt.Tooltip("high:Q", format=".1%"),
        ],
    )
    reach = base.mark_rule(size=3, color=COLORS["validation"]).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    return alt.layer(bars, reach, data={"values": [dict(row) for row in rows]}).properties(height=60 + 32 * len(rows))
