"""Charts of the Data page: digits to click on, the pixels of one digit, statistics of a data set, the map of digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import COLORS, DIGIT_COLORS, data_url
from mnist_core.data.augmentation_preview import AUGMENTATION_NAMES, AUGMENTATION_UNITS, PREVIEW_POSITIONS
from mnist_core.data.summary import INTENSITY_BINS, DatasetSummary
from mnist_core.evaluation.mistakes import prediction_label

DIGITS_PER_ROW = 10

GRAY_STEP = 17
"""Between the 16 grays of a compact picture, which is a third smaller than one in 256 grays."""


def clickable_digits(
    images: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    labels: NDArray[np.uint8],
    predictions: NDArray[np.uint8] | None = None,
) -> Any:
    """Draws up to a hundred digits with captions, to click on.

    Args:
        images: (N, 28, 28) uint8.
        numbers: (N,) position of each image in its part of the data set.
        labels: (N,) 0..9.
        predictions: (N,) 0..9 or NOT_A_DIGIT; a caption shows a prediction that differs from the label.

    Returns:
        An Altair chart. Its selection `clicked` contains the `number` of the clicked digit.
    """
    import altair as alt

    shown = labels if predictions is None else predictions
    rows = [
        {
            "number": int(numbers[index]),
            "label": int(labels[index]),
            "read as": prediction_label(int(shown[index])),
            "caption": _caption(int(labels[index]), int(shown[index])),
            "wrong": bool(labels[index] != shown[index]),
            "x": index % DIGITS_PER_ROW + 0.5,
            "y": index // DIGITS_PER_ROW + 0.4,
            "image": data_url(image),
        }
        for index, image in enumerate(images)
    ]
    row_count = -(-len(rows) // DIGITS_PER_ROW)
    tooltip = [alt.Tooltip("number:Q", title="Image number"), alt.Tooltip("label:O", title="Label")]
    if predictions is not None:
        tooltip.append(alt.Tooltip("read as:N", title="Prediction"))
    position = {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, DIGITS_PER_ROW], nice=False)),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[row_count, 0], nice=False)),
        "tooltip": tooltip,
    }
    clicked = alt.selection_point(name="clicked", fields=["number"], on="click", empty=False, toggle=False)
    side = alt.ExprRef(f"0.92 * min(width / {DIGITS_PER_ROW}, 0.76 * height / {row_count})")
    pictures: Any = alt.Chart().mark_image(width=side, height=side, smooth=False, cursor="pointer")
    captions: Any = alt.Chart().mark_text(fontSize=11, dy=alt.ExprRef(f"0.49 * height / {row_count}"))
    color = alt.condition("datum.wrong", alt.value(COLORS["validation"]), alt.value(COLORS["muted"]))
    layers = alt.layer(
        pictures.encode(url="image:N", **position).add_params(clicked),
        captions.encode(text="caption:N", color=color, **position),
        data={"values": rows},
    )
    return layers.properties(height=68 * row_count).configure_view(stroke=None)


def _caption(label: int, prediction: int) -> str:
    return str(label) if label == prediction else f"{label} → {prediction_label(prediction)}"


def pixel_heatmap(image: NDArray[np.uint8]) -> Any:
    """Draws one (28, 28) uint8 digit as an Altair chart whose tooltip shows row, column and value of each pixel."""
    import altair as alt

    rows = [
        {"row": row, "column": column, "value": value}
        for row, line in enumerate(image.tolist())
        for column, value in enumerate(line)
    ]
    ticks = [*range(0, image.shape[0], 4), image.shape[0] - 1]
    grays = alt.Scale(domain=[0, 255], range=["#000000", "#ffffff"])
    chart: Any = alt.Chart({"values": rows}).mark_rect()
    return chart.encode(
        x=alt.X("column:O", title="Column (pixels)", axis=alt.Axis(values=ticks, labelAngle=0)),
        y=alt.Y("row:O", title="Row (pixels)", axis=alt.Axis(values=ticks)),
        color=alt.Color("value:Q", title="Value", scale=grays, legend=None),
        stroke=alt.Stroke("value:Q", scale=grays, legend=None),  # otherwise the page shows between the pixels
        tooltip=[
            alt.Tooltip("row:O", title="Row"),
            alt.Tooltip("column:O", title="Column"),
            alt.Tooltip("value:Q", title="Value"),
        ],
    ).properties(height=440)


def class_balance(summary: DatasetSummary) -> Any:
    """Draws the number of training and test images of each digit as bars, an Altair chart."""
    import altair as alt

    rows = [
        {"digit": digit, "part": part, "images": int(count), "share": float(count / counts.sum())}
        for part, counts in (("training", summary.training), ("test", summary.test))
        for digit, count in enumerate(counts)
    ]
    colors = alt.Scale(domain=["training", "test"], range=[COLORS["training"], COLORS["validation"]])
    chart: Any = alt.Chart({"values": rows}).mark_bar()
    return chart.encode(
        x=alt.X("digit:O", title="Digit", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("part:N", sort=["training", "test"]),
        y=alt.Y("images:Q", title="Images"),
        color=alt.Color("part:N", scale=colors, legend=alt.Legend(title=None, orient="top")),
        tooltip=[
            alt.Tooltip("digit:O", title="Digit"),
            alt.Tooltip("part:N", title="Split"),
            alt.Tooltip("images:Q", title="Images", format=","),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
        ],
    ).properties(height=260)


def intensity_histogram(summary: DatasetSummary) -> Any:
    """Draws how often each pixel value occurs in the training images, on a logarithmic scale, an Altair chart."""
    import altair as alt

    step = 256 // INTENSITY_BINS
    rows = [
        {"from": step * index, "to": step * (index + 1) - 1, "end": step * (index + 1), "pixels": int(count)}
        for index, count in enumerate(summary.intensities)
        if count
    ]
    counts = [row["pixels"] for row in rows]
    powers = [10**power for power in range(1 + int(np.log10(max(1, max(counts)))))]
    floor = max((power for power in powers if power < min(counts)), default=0.5)
    chart: Any = alt.Chart({"values": rows}).mark_bar(color=COLORS["training"])
    return chart.encode(
        x=alt.X("from:Q", title="Pixel value (0 black, 255 white)", scale=alt.Scale(domain=[0, 256], nice=False)),
        x2="end:Q",
        y=alt.Y(
            "pixels:Q",
            title="Pixels (log scale)",
            scale=alt.Scale(type="log", domainMin=floor),
            axis=alt.Axis(values=[*powers, 10 * powers[-1]], format="~s"),
        ),
        y2=alt.datum(floor),  # a logarithmic scale has no zero for the bars to start from
        tooltip=[
            alt.Tooltip("from:Q", title="From"),
            alt.Tooltip("to:Q", title="To"),
            alt.Tooltip("pixels:Q", title="Pixels", format=","),
        ],
    ).properties(height=260)


def augmentation_grid(previews: dict[str, NDArray[np.uint8]], amounts: dict[str, float]) -> Any:
    """Draws each augmentation by itself, from one end of its range to the other.

    Args:
        previews: name of an augmentation -> (5, 28, 28) uint8, as returned by `augmentation_preview.preview_one`.
        amounts: name of an augmentation -> its setting.

    Returns:
        An Altair chart.
    """
    import altair as alt

    names = {name: f"{name} {_format_amount(name, amounts[name])}" for name in AUGMENTATION_NAMES}
    rows = [
        {"change": names[name], "place": position, "image": data_url(image)}
        for name in AUGMENTATION_NAMES
        for position, image in zip(PREVIEW_POSITIONS, previews[name], strict=True)
    ]
    side = alt.ExprRef(f"0.92 * min(width / {len(PREVIEW_POSITIONS)}, height / {len(AUGMENTATION_NAMES)})")
    position_label = "datum.value == 0 ? 'unchanged' : format(datum.value, '+.0%')"
    x = alt.X(
        "place:O",
        title="Position in the range",
        scale=alt.Scale(type="point", padding=0.5),
        axis=alt.Axis(labelExpr=position_label, labelAngle=0, orient="top", ticks=False, domain=False),
    )
    y = alt.Y(
        "change:O",
        title=None,
        sort=list(names.values()),
        scale=alt.Scale(type="point", padding=0.5),
        axis=alt.Axis(labelLimit=200, ticks=False, domain=False),
    )
    chart: Any = alt.Chart({"values": rows}).mark_image(width=side, height=side, smooth=False)
    return (
        chart.encode(x=x, y=y, url="image:N")
        .properties(height=92 * len(AUGMENTATION_NAMES))
        .configure_view(stroke=None)
    )


def _format_amount(name: str, amount: float) -> str:
    sign = "up to " if name == "wobble" else "±"
    return f"{sign}{amount:g}{AUGMENTATION_UNITS[name]}"


def compact_data_url(image: NDArray[np.uint8]) -> str:
    """Encodes a (28, 28) uint8 digit in 16 grays as a data URL: a map contains 5,000 of them."""
    return data_url(image // GRAY_STEP * GRAY_STEP)


def digit_map(
    points: NDArray[np.float64],
    labels: NDArray[np.uint8],
    images: Sequence[str],
    explained_variance: tuple[float, float],
    drawing: tuple[float, float, str] | None = None,
) -> Any:
    """Draws a map of digits, each as a numeral in its color. The wheel zooms, and the tooltip shows the digit.

    Args:
        points: (N, 2) coordinates.
        labels: (N,) 0..9.
        images: N pictures, as returned by `compact_data_url`.
        explained_variance: share of the variance along each axis, 0..1.
        drawing: coordinates and picture of the user's drawing.

    Returns:
        An Altair chart.
    """
    import altair as alt

    span = float(np.ptp(points, axis=0).max(initial=0.0)) or 1.0
    rounded = points.round(3 - math.floor(math.log10(span))).tolist()
    rows = [
        {"number": index, "x": x, "y": y, "digit": int(label), "image": image}
        for index, ((x, y), label, image) in enumerate(zip(rounded, labels, images, strict=True))
    ]
    first, second = (f"{share:.1%} of the variance" for share in explained_variance)
    position: dict[str, Any] = {
        "x": alt.X("x:Q", title=f"First axis ({first})", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=8)),
        "y": alt.Y("y:Q", title=f"Second axis ({second})", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=8)),
    }
    picked = alt.selection_point(name="some", fields=["digit"], bind="legend")
    numerals: Any = alt.Chart().mark_text(fontSize=11)
    numerals = numerals.encode(
        text="digit:O",
        color=alt.Color(
            "digit:O",
            scale=alt.Scale(domain=list(range(len(DIGIT_COLORS))), range=list(DIGIT_COLORS)),
            legend=alt.Legend(orient="top", columns=5, title="Digit (click to highlight)"),
        ),
        opacity=alt.condition(picked, alt.value(0.95), alt.value(0.08)),
        tooltip=[
            alt.Tooltip("image:N", title="image"),  # Vega shows the picture only under this title
            alt.Tooltip("digit:N", title="Digit"),
            alt.Tooltip("number:Q", title="Image number"),
        ],
        **position,
    )
    layers = [numerals.add_params(picked).interactive()]
    if drawing is not None:
        layers += _drawing_layers(*drawing)
    return alt.layer(*layers, data={"values": rows}).properties(height=620)


def _drawing_layers(x: float, y: float, image: str) -> list[Any]:
    """The user's drawing in an orange frame."""
    import altair as alt

    base: Any = alt.Chart({"values": [{"x": x, "y": y, "image": image, "what": "your drawing"}]})
    frame = base.mark_point(shape="square", size=52**2, filled=True, color=COLORS["validation"], opacity=1)
    picture = base.mark_image(width=44, height=44, smooth=False)
    position = {"x": "x:Q", "y": "y:Q", "tooltip": ["image:N", alt.Tooltip("what:N", title="Drawing")]}
    return [frame.encode(**position), picture.encode(url="image:N", **position)]
