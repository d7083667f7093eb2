"""Charts of the Evaluate page: confusion matrix, reliability diagram, coverage and robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.axes import PERCENT_LABEL, value_axis
from mnist_core.charts.common import COLORS
from mnist_core.constants import NUM_CLASSES
from mnist_core.evaluation.calibration import Coverage, ReliabilityBin
from mnist_core.evaluation.mistakes import prediction_label

SERIES_COLORS = (COLORS["training"], COLORS["validation"], COLORS["third"])
INK = "#1d2a35"
"""Color of text on a tinted cell."""

EMPTY = "rgba(128, 128, 128, 0.1)"
"""Color of a cell without images."""

ACCURACY_SERIES = "accuracy of accepted predictions"
ACCEPTED_SERIES = "accepted predictions"


def confusion_matrix(table: NDArray[np.int64]) -> Any:
    """Draws a heat map: rows are true digits, columns predictions; correct ones are teal, wrong ones orange.

    Args:
        table: (10, 10) counts, or (10, 11) as returned by `metrics.confusion_matrix`. A last column for
            "not a digit" is left out if it is empty.

    Returns:
        An Altair chart.
    """
    import altair as alt

    tiles, text, cells = _confusion_layers(table, shares=False)
    return alt.layer(tiles, text, data={"values": cells}).properties(height=320)


def clickable_confusion_matrix(table: NDArray[np.int64], shares: bool, chosen: tuple[str, str] | None = None) -> Any:
    """Draws a confusion matrix to click on.

    Args:
        table: as in `confusion_matrix`.
        shares: whether cells show percentages of the true digit's images instead of counts.
        chosen: `true` and `read` of the cell to frame.

    Returns:
        An Altair chart. Its selection `clicked` contains `true` and `read` of the clicked cell.
    """
    import altair as alt

    clicked = alt.selection_point(name="clicked", fields=["true", "read"], on="click", toggle=False, empty=False)
    stroke = alt.condition("datum.chosen", alt.value(COLORS["third"]), alt.value("transparent"))
    tiles, text, cells = _confusion_layers(table, shares)
    for cell in cells:
        cell["chosen"] = (cell["true"], cell["read"]) == chosen
    tiles = tiles.encode(stroke=stroke).add_params(clicked)
    return alt.layer(tiles, text, data={"values": cells}).properties(height=440)


def _confusion_layers(table: NDArray[np.int64], shares: bool) -> tuple[Any, Any, list[dict[str, Any]]]:
    """The tiles and the numbers of a confusion matrix, and their data."""
    import altair as alt

    columns = table.shape[1] if table[:, NUM_CLASSES:].any() else NUM_CLASSES
    cells = [_cell(table, true, predicted) for true in range(len(table)) for predicted in range(columns)]
    field, number_format = ("share", ".1%") if shares else ("count", ",d")
    labels = [prediction_label(predicted) for predicted in range(columns)]
    base: Any = alt.Chart().encode(
        x=alt.X("read:N", title="Predicted digit", sort=labels, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("true:N", title="True digit"),
        tooltip=[
            alt.Tooltip("true:N", title="True digit"),
            alt.Tooltip("read:N", title="Predicted digit"),
            alt.Tooltip("count:Q", title="Images", format=",d"),
            alt.Tooltip("share:Q", title="Share of the true digit's images", format=".2%"),
        ],
    )
    tiles = base.mark_rect(cornerRadius=2, strokeWidth=3).encode(color=alt.Color("fill:N", scale=None))
    text = base.transform_filter(alt.datum.count > 0).mark_text(fontSize=11, color=INK)
    return tiles, text.encode(text=alt.Text(f"{field}:Q", format=number_format)), cells


def _cell(table: NDArray[np.int64], true: int, predicted: int) -> dict[str, Any]:
    """One cell. The diagonal is pale; the shade of a mistake is the root of its count, so that single ones show."""
    count = int(table[true, predicted])
    most = int((table * (1 - np.eye(*table.shape, dtype=np.int64))).max())
    shade = 0.3 if true == predicted else 0.15 + 0.85 * float(np.sqrt(count / max(most, 1)))
    fill = _tint(COLORS["training" if true == predicted else "validation"], shade) if count else EMPTY
    return {
        "true": prediction_label(true),
        "read": prediction_label(predicted),
        "count": count,
        "share": count / max(int(table[true].sum()), 1),
        "fill": fill,
    }


def _tint(color: str, strength: float) -> str:
    """Mixes `#rrggbb` with white, 0..1: dark text on the result is readable on light and dark pages."""
    mixed = (255 - strength * (255 - int(color[start : start + 2], 16)) for start in (1, 3, 5))
    return "#" + "".join(f"{round(value):02x}" for value in mixed)


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Any:
    """Draws accuracy by confidence as bars with the number of images, and the diagonal where both are equal.

    Returns:
        An Altair chart.
    """
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
    base: Any = alt.Chart().encode(
        x=alt.X("low:Q", title="Confidence", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(labelExpr=PERCENT_LABEL)),
        x2="high:Q",
        tooltip=[
            alt.Tooltip("confidence:Q", title="Mean confidence", format=".2%"),
            alt.Tooltip("accuracy:Q", title="Accuracy", format=".2%"),
            alt.Tooltip("count:Q", title="Images", format=",d"),
        ],
    )
    y = alt.Y(
        "accuracy:Q",
        title="Accuracy",
        scale=alt.Scale(domain=[0, 1.08]),
        axis=alt.Axis(labelExpr=PERCENT_LABEL, values=[0, 0.2, 0.4, 0.6, 0.8, 1]),
    )
    bars = base.mark_bar(color=COLORS["training"], opacity=0.75).encode(y=y, y2=alt.datum(0))
    ticks = base.mark_rule(color=COLORS["validation"], size=3).encode(y=alt.Y("confidence:Q", title="Accuracy"))
    middles: Any = alt.Chart().transform_calculate(middle="(datum.low + datum.high) / 2")
    counts = middles.mark_text(dy=-7, fontSize=11, color=COLORS["muted"]).encode(
        x="middle:Q", y=y, text=alt.Text("count:Q", format=",d")
    )
    ends: Any = alt.Chart({"values": [{"even": 0}, {"even": 1}]})
    diagonal = ends.mark_line(color=COLORS["muted"], strokeDash=[4, 4], size=2).encode(x="even:Q", y="even:Q")
    return alt.layer(bars, diagonal, ticks, counts, data={"values": points}).properties(height=400)


def coverage_curve(rows: Sequence[Coverage]) -> Any:
    """Draws, by confidence threshold, how many predictions are accepted and how accurate those are.

    Returns:
        An Altair chart.
    """
    import altair as alt

    points = [
        {"threshold": f"{100 * row.threshold:g}%", "series": series, "share": value, "wrong": row.wrong}
        for row in rows
        for series, value in ((ACCURACY_SERIES, row.accuracy), (ACCEPTED_SERIES, row.answered))
        if value is not None
    ]
    thresholds = [f"{100 * row.threshold:g}%" for row in rows]
    axis = value_axis((share for row in rows for share in (row.accuracy, row.answered)), percent=True)
    series = [ACCURACY_SERIES, ACCEPTED_SERIES]
    chart: Any = alt.Chart({"values": points}).mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=60))
    return chart.encode(
        x=alt.X("threshold:O", title="Confidence threshold", sort=thresholds, axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("share:Q", title="Share of images", scale=alt.Scale(zero=False), axis=axis),
        color=alt.Color(
            "series:N",
            scale=alt.Scale(domain=series, range=list(SERIES_COLORS[:2])),
            legend=alt.Legend(title=None, orient="top", labelLimit=300),
        ),
        shape=alt.Shape("series:N", scale=alt.Scale(domain=series), legend=None),
        tooltip=[
            alt.Tooltip("threshold:O", title="Confidence threshold"),
            alt.Tooltip("series:N", title="Series"),
            alt.Tooltip("share:Q", title="Share", format=".2%"),
            alt.Tooltip("wrong:Q", title="Wrong predictions accepted", format=",d"),
        ],
    ).properties(height=400)


def robustness_curves(
    curves: Mapping[str, Mapping[float, float]], unit: str, levels: Sequence[float], neutral: float
) -> Any:
    """Draws accuracy against the strength of a distortion, one line per model.

    Args:
        curves: name of a model -> level -> accuracy, for up to three models.
        unit: of the levels.
        levels: all levels, ascending, so that the axis does not jump while results arrive.
        neutral: the level without distortion, marked by a dashed rule.

    Returns:
        An Altair chart.
    """
    import altair as alt

    points = [
        {"model": model, "level": level, "accuracy": accuracy}
        for model, curve in curves.items()
        for level, accuracy in sorted(curve.items())
    ]
    models = list(curves)
    lines: Any = alt.Chart().mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=60))
    lines = lines.encode(
        x=alt.X("level:Q", title=unit, scale=alt.Scale(domain=[levels[0], levels[-1]], nice=False)),
        y=alt.Y("accuracy:Q", title="Accuracy", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(labelExpr=PERCENT_LABEL)),
        color=alt.Color(
            "model:N",
            scale=alt.Scale(domain=models, range=list(SERIES_COLORS[: len(models)])),
            legend=alt.Legend(title=None, orient="top", columns=1, labelLimit=400, symbolStrokeWidth=0),
        ),
        # Dashes and shapes, for people who cannot tell the colors apart.
        strokeDash=alt.StrokeDash("model:N", scale=alt.Scale(domain=models), legend=None),
        shape=alt.Shape("model:N", scale=alt.Scale(domain=models), legend=None),
        tooltip=[
            alt.Tooltip("model:N", title="Model"),
            alt.Tooltip("level:Q", title=unit),
            alt.Tooltip("accuracy:Q", title="Accuracy", format=".1%"),
        ],
    )
    rule: Any = alt.Chart({"values": [{"neutral": neutral}]}).mark_rule(color=COLORS["muted"], strokeDash=[4, 4])
    return alt.layer(rule.encode(x="neutral:Q"), lines, data={"values": points}).properties(height=400)
