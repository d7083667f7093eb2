"""The charts of the Evaluate page: figures in, Altair charts out. Altair is imported when first drawn, as there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import COLORS
from mnist_core.evaluation.calibration import Coverage, ReliabilityBin
from mnist_core.evaluation.mistakes import prediction_label

SERIES_COLORS = (COLORS["training"], COLORS["validation"], COLORS["third"])
INK = "#1d2a35"  # on a tint
EMPTY = "rgba(128, 128, 128, 0.1)"
CELL_SELECTION = "cell"
"""Name of the selection that a click on a cell makes."""


def clickable_confusion_matrix(table: NDArray[np.int64], shares: bool) -> Any:
    """A heat map to click on: a row for each true digit, a column for each answer; the more mistakes, the darker.

    Args:
        table: (10, 11) counts as mistakes.table; the last column is left out where it is empty.
        shares: of the true digit's images, in per cent, instead of counts.
    """
    import altair as alt

    columns = table.shape[1] if table[:, -1].any() else table.shape[1] - 1
    cells = [_cell(table, true, read) for true in range(len(table)) for read in range(columns)]
    shown, form = ("share", ".1%") if shares else ("count", ",d")
    names = [prediction_label(read) for read in range(columns)]
    clicked = alt.selection_point(name=CELL_SELECTION, fields=["true", "read"], on="click", toggle=False)
    base: Any = alt.Chart().encode(
        x=alt.X("read:N", title="read as", sort=names, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("true:N", title="true digit"),
        tooltip=[
            "true:N",
            alt.Tooltip("read:N", title="read as"),
            alt.Tooltip("count:Q", format=",d"),
            alt.Tooltip("share:Q", title="of that digit", format=".2%"),
        ],
    )
    tiles = (
        base.mark_rect(cornerRadius=2, strokeWidth=3)
        .encode(
            color=alt.Color("fill:N", scale=None),
            stroke=alt.condition(clicked, alt.value(COLORS["third"]), alt.value("transparent"), empty=False),
        )
        .add_params(clicked)
    )
    filled = base.transform_filter(alt.datum.count > 0)
    text = filled.mark_text(fontSize=11, color=INK).encode(text=alt.Text(f"{shown}:Q", format=form))
    return alt.layer(tiles, text, data={"values": cells}).properties(height=440)


def _cell(table: NDArray[np.int64], true: int, read: int) -> dict[str, Any]:
    """One point. The diagonal is always pale; beside it the shade goes by the root, so that single mistakes show."""
    count, most = int(table[true, read]), int((table * (1 - np.eye(*table.shape, dtype=np.int64))).max())
    shade = 0.3 if true == read else 0.15 + 0.85 * float(np.sqrt(count / max(most, 1)))
    fill = _tint(COLORS["training" if true == read else "validation"], shade) if count else EMPTY
    share = count / max(int(table[true].sum()), 1)
    return {
        "true": prediction_label(true),
        "read": prediction_label(read),
        "count": count,
        "share": share,
        "fill": fill,
    }


def _tint(colour: str, strength: float) -> str:
    """A colour `#rrggbb` mixed with white, opaque: dark figures on it read in light and dark. `strength`: 0..1."""
    mixed = (255 - strength * (255 - int(colour[start : start + 2], 16)) for start in (1, 3, 5))
    return "#" + "".join(f"{round(value):02x}" for value in mixed)


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Any:
    """Accuracy by confidence: bars, a line where both are equal, and how many images each bar stands for."""
    import altair as alt

    points = [
        {
            "low": each.low,
            "high": each.high,
            "confidence": each.confidence,
            "accuracy": each.accuracy,
            "count": each.count,
        }
        for each in bins
        if each.count
    ]
    percent = alt.Axis(format=".0%")
    base: Any = alt.Chart().encode(
        x=alt.X("low:Q", title="confidence", scale=alt.Scale(domain=[0, 1]), axis=percent),
        x2="high:Q",
        tooltip=[
            alt.Tooltip("confidence:Q", title="mean confidence", format=".2%"),
            alt.Tooltip("accuracy:Q", format=".2%"),
            alt.Tooltip("count:Q", title="images", format=",d"),
        ],
    )
    y = alt.Y(
        "accuracy:Q",
        title="accuracy",
        scale=alt.Scale(domain=[0, 1.08]),
        axis=alt.Axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1]),
    )
    bars = base.mark_bar(color=COLORS["training"], opacity=0.75).encode(y=y, y2=alt.datum(0))
    ticks = base.mark_rule(color=COLORS["validation"], size=3).encode(y=alt.Y("confidence:Q", title="accuracy"))
    middle: Any = alt.Chart().transform_calculate(middle="(datum.low + datum.high) / 2")
    texts = middle.mark_text(dy=-7, fontSize=11, color=COLORS["muted"])
    counts = texts.encode(x="middle:Q", y=y, text=alt.Text("count:Q", format=",d"))
    ends: Any = alt.Chart({"values": [{"even": 0}, {"even": 1}]})
    even = ends.mark_line(color=COLORS["muted"], strokeDash=[4, 4], size=2).encode(x="even:Q", y="even:Q")
    return alt.layer(bars, even, ticks, counts, data={"values": points}).properties(height=400)


def coverage_curve(rows: Sequence[Coverage]) -> Any:
    """Accuracy of the answers that are sure enough, and how many those are, by threshold of confidence."""
    import altair as alt

    points = [
        {"threshold": f"{100 * row.threshold:g} %", "series": series, "share": value, "wrong": row.wrong}
        for row in rows
        for series, value in (("right, of those answered", row.accuracy), ("answered", row.answered))
        if value is not None
    ]
    order = [f"{100 * row.threshold:g} %" for row in rows]
    names = ["right, of those answered", "answered"]
    chart: Any = alt.Chart({"values": points}).mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=60))
    return chart.encode(
        x=alt.X(
            "threshold:O", title="least confidence that counts as an answer", sort=order, axis=alt.Axis(labelAngle=-45)
        ),
        y=alt.Y("share:Q", title="share of the images", scale=alt.Scale(zero=False), axis=alt.Axis(format=".1%")),
        color=alt.Color(
            "series:N",
            scale=alt.Scale(domain=names, range=list(SERIES_COLORS[:2])),
            legend=alt.Legend(title=None, orient="top"),
        ),
        shape=alt.Shape("series:N", scale=alt.Scale(domain=names), legend=None),
        tooltip=[
            "threshold:O",
            "series:N",
            alt.Tooltip("share:Q", format=".2%"),
            alt.Tooltip("wrong:Q", title="wrong answers left", format=",d"),
        ],
    ).properties(height=400)


def robustness_curves(
    curves: Mapping[str, Mapping[float, float]], unit: str, levels: Sequence[float], neutral: float
) -> Any:
    """Accuracy against the strength of a distortion, a line for each model; a dashed rule where nothing is changed.

    Args:
        curves: name -> level -> accuracy, of up to three models.
        unit: of the levels.
        levels: all that there are, rising: the axis does not jump while the curves grow.
        neutral: the level at which nothing is changed.
    """
    import altair as alt

    points = [
        {"model": model, "level": level, "accuracy": accuracy}
        for model, curve in curves.items()
        for level, accuracy in sorted(curve.items())
    ]
    names = list(curves)
    legend = alt.Legend(title=None, orient="top", columns=1, labelLimit=400, symbolStrokeWidth=0)
    colour = alt.Color("model:N", scale=alt.Scale(domain=names, range=list(SERIES_COLORS[: len(names)])), legend=legend)
    # Told apart by their marks, too, where the colours are not.
    lines: Any = (
        alt.Chart()
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=60))
        .encode(
            x=alt.X("level:Q", title=unit, scale=alt.Scale(domain=[levels[0], levels[-1]], nice=False)),
            y=alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
            color=colour,
            strokeDash=alt.StrokeDash("model:N", scale=alt.Scale(domain=names), legend=None),
            shape=alt.Shape("model:N", scale=alt.Scale(domain=names), legend=None),
            tooltip=["model:N", alt.Tooltip("level:Q", title=unit), alt.Tooltip("accuracy:Q", format=".1%")],
        )
    )
    rule: Any = alt.Chart({"values": [{"neutral": neutral}]}).mark_rule(color=COLORS["muted"], strokeDash=[4, 4])
    return alt.layer(rule.encode(x="neutral:Q"), lines, data={"values": points}).properties(height=400)
