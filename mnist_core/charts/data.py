"""Charts of the data: walls of digits, one digit's pixels, a data set at a glance, a map. Altair is imported when first
drawn, as in `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import COLORS, DIGIT_COLORS, data_url
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.augmentation_preview import AUGMENTATION_NAMES, AUGMENTATION_UNITS, PREVIEW_POSITIONS
from mnist_core.data.summary import INTENSITY_BINS, DatasetSummary

WALL_COLUMNS = 10
DIGIT_SELECTION = "digit"  # the selection of `wall`
GREYS = 17  # a step between 16 of them: what hovers over a map is small, and a third lighter so


def clickable_digits(
    images: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    labels: NDArray[np.uint8],
    read_as: NDArray[np.uint8] | None = None,
) -> Any:
    """Up to a hundred digits with their labels, to click on.

    Args:
        images: (N, 28, 28) uint8.
        numbers: (N,) where each stands in its part of the data set.
        labels: (N,) 0..9.
        read_as: (N,) as browsing.answers; a caption tells where it differs from the label.

    Returns:
        An Altair chart. Its selection PICKED gives the `number` that was clicked.
    """
    import altair as alt

    answers = labels if read_as is None else read_as
    rows = [
        {
            "number": int(numbers[place]),
            "label": int(labels[place]),
            "read as": answer_name(answers[place]),
            "caption": _caption(labels[place], answers[place]),
            "wrong": bool(labels[place] != answers[place]),
            "x": place % WALL_COLUMNS + 0.5,
            "y": place // WALL_COLUMNS + 0.4,
            "image": data_url(image),
        }
        for place, image in enumerate(images)
    ]
    deep = -(-len(rows) // WALL_COLUMNS)
    place = {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, WALL_COLUMNS], nice=False)),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[deep, 0], nice=False)),
        "tooltip": ["number:Q", "label:O", *([] if read_as is None else ["read as:N"])],
    }
    picked = alt.selection_point(name=DIGIT_SELECTION, fields=["number"], on="click", empty=False, toggle=False)
    side = alt.ExprRef(f"0.92 * min(width / {WALL_COLUMNS}, 0.76 * height / {deep})")
    digits: Any = (
        alt.Chart().mark_image(width=side, height=side, smooth=False, cursor="pointer").encode(url="image:N", **place)
    )
    captions: Any = (
        alt.Chart()
        .mark_text(fontSize=11, dy=alt.ExprRef(f"0.49 * height / {deep}"))
        .encode(
            text="caption:N",
            color=alt.condition("datum.wrong", alt.value(COLORS["validation"]), alt.value(COLORS["muted"])),
            **place,
        )
    )
    layers = alt.layer(digits.add_params(picked), captions, data={"values": rows})
    return layers.properties(height=68 * deep).configure_view(stroke=None)


def answer_name(answer: int) -> str:
    """An answer for people."""
    return "not a digit" if int(answer) == NOT_A_DIGIT else str(int(answer))


def _caption(label: int, answer: int) -> str:
    return str(label) if label == answer else f"{label} → {'no digit' if answer == NOT_A_DIGIT else answer}"


def pixel_heatmap(image: NDArray[np.uint8]) -> Any:
    """One (28, 28) uint8 digit as a heat map, an Altair chart: hover tells row, column and value of a pixel."""
    import altair as alt

    rows = [
        {"row": row, "column": column, "value": value}
        for row, line in enumerate(image.tolist())
        for column, value in enumerate(line)
    ]
    ticks = [*range(0, image.shape[0], 4), image.shape[0] - 1]
    greys = alt.Scale(domain=[0, 255], range=["#000000", "#ffffff"])
    chart: Any = alt.Chart({"values": rows}).mark_rect()
    return chart.encode(
        x=alt.X("column:O", title="column (pixels)", axis=alt.Axis(values=ticks, labelAngle=0)),
        y=alt.Y("row:O", title="row (pixels)", axis=alt.Axis(values=ticks)),
        color=alt.Color("value:Q", title="value", scale=greys, legend=None),
        stroke=alt.Stroke("value:Q", scale=greys, legend=None),  # else the page shows between the pixels
        tooltip=["row:O", "column:O", "value:Q"],
    ).properties(height=440)


def class_balance(found: DatasetSummary) -> Any:
    """How many images of each digit there are, training and test beside one another, an Altair chart."""
    import altair as alt

    rows = [
        {"digit": digit, "part": part, "images": int(count), "share": float(count / counts.sum())}
        for part, counts in (("training", found.training), ("test", found.test))
        for digit, count in enumerate(counts)
    ]
    colours = alt.Scale(domain=["training", "test"], range=[COLORS["training"], COLORS["validation"]])
    chart: Any = alt.Chart({"values": rows}).mark_bar()
    return chart.encode(
        x=alt.X("digit:O", title="digit", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("part:N", sort=["training", "test"]),
        y=alt.Y("images:Q", title="images"),
        color=alt.Color("part:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
        tooltip=["digit:O", "part:N", alt.Tooltip("images:Q", format=","), alt.Tooltip("share:Q", format=".1%")],
    ).properties(height=260)


def intensity_histogram(found: DatasetSummary) -> Any:
    """How often each brightness occurs among the training pixels, on a logarithmic scale, an Altair chart."""
    import altair as alt

    step = 256 // INTENSITY_BINS
    rows = [
        {"from": step * place, "to": step * (place + 1) - 1, "end": step * (place + 1), "pixels": int(count)}
        for place, count in enumerate(found.intensities)
        if count
    ]
    tens = [10**power for power in range(1 + int(np.log10(max(1, max(row["pixels"] for row in rows)))))]
    floor = max(ten for ten in tens if ten <= min(row["pixels"] for row in rows))
    chart: Any = alt.Chart({"values": rows}).mark_bar(color=COLORS["training"])
    return chart.encode(
        x=alt.X("from:Q", title="pixel value (0 black, 255 white)", scale=alt.Scale(domain=[0, 256], nice=False)),
        x2="end:Q",
        y=alt.Y(
            "pixels:Q",
            title="pixels (log scale)",
            scale=alt.Scale(type="log", domainMin=floor),
            axis=alt.Axis(values=[*tens, 10 * tens[-1]], format="~s"),
        ),
        y2=alt.datum(floor),  # a bar on a logarithmic scale has no zero to stand on
        tooltip=["from:Q", "to:Q", alt.Tooltip("pixels:Q", format=",")],
    ).properties(height=260)


def augmentation_grid(pictures: dict[str, NDArray[np.uint8]], amounts: dict[str, float]) -> Any:
    """Each change by itself, from one end of its range to the other, an Altair chart.

    Args:
        pictures: name of a change -> (5, 28, 28) uint8, as changes.alone gives them.
        amounts: name of a change -> its value.
    """
    import altair as alt

    names = {name: f"{name} {_amount(name, amounts[name])}" for name in AUGMENTATION_NAMES}
    rows = [
        {"change": names[name], "place": place, "image": data_url(image)}
        for name in AUGMENTATION_NAMES
        for place, image in zip(PREVIEW_POSITIONS, pictures[name], strict=True)
    ]
    side = alt.ExprRef(f"0.92 * min(width / {len(PREVIEW_POSITIONS)}, height / {len(AUGMENTATION_NAMES)})")
    chart: Any = alt.Chart({"values": rows}).mark_image(width=side, height=side, smooth=False)
    middle = "datum.value == 0 ? 'as it is' : format(datum.value, '+.0%')"
    return (
        chart.encode(
            x=alt.X(
                "place:O",
                title="place in the range",
                scale=alt.Scale(type="point", padding=0.5),
                axis=alt.Axis(labelExpr=middle, labelAngle=0, orient="top", ticks=False, domain=False),
            ),
            y=alt.Y(
                "change:O",
                title=None,
                sort=list(names.values()),
                scale=alt.Scale(type="point", padding=0.5),
                axis=alt.Axis(labelLimit=200, ticks=False, domain=False),
            ),
            url="image:N",
        )
        .properties(height=92 * len(AUGMENTATION_NAMES))
        .configure_view(stroke=None)
    )


def _amount(name: str, value: float) -> str:
    sign = "up to " if name == "wobble" else "±"
    return f"{sign}{value:g}{AUGMENTATION_UNITS[name]}"


def compact_data_url(image: NDArray[np.uint8]) -> str:
    """A (28, 28) uint8 digit in 16 greys as it can stand in a chart: 5,000 of them are to travel at once."""
    return data_url(image // GREYS * GREYS)


def digit_map(
    points: NDArray[np.float64],
    labels: NDArray[np.uint8],
    images: Sequence[str],
    shares: tuple[float, float],
    own: tuple[float, float, str] | None = None,
) -> Any:
    """A map of digits, each drawn as its figure in its colour, an Altair chart: the wheel zooms, hover shows the digit.

    Args:
        points: (N, 2) places.
        labels: (N,) 0..9.
        images: N pictures, as light_image gives them.
        shares: of the variance along each axis, 0..1.
        own: place and picture of one's own drawing.
    """
    import altair as alt

    rows = [
        {"number": place, "x": round(float(x), 2), "y": round(float(y), 2), "digit": int(label), "image": image}
        for place, ((x, y), label, image) in enumerate(zip(points, labels, images, strict=True))
    ]
    titles = [
        f"{name} axis ({share:.1%} of the variance)" for name, share in zip(("first", "second"), shares, strict=True)
    ]
    colours = alt.Scale(domain=list(range(len(DIGIT_COLORS))), range=list(DIGIT_COLORS))
    place: dict[str, Any] = {
        "x": alt.X("x:Q", title=titles[0], scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=8)),
        "y": alt.Y("y:Q", title=titles[1], scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=8)),
    }
    some = alt.selection_point(name="some", fields=["digit"], bind="legend")
    told = ["image:N", "digit:N", "number:Q"]
    base: Any = alt.Chart()
    legend = alt.Legend(orient="top", columns=5, title="digit: click to pick")
    colour = alt.Color("digit:O", scale=colours, legend=legend)
    figures = base.mark_text(fontSize=11).encode(
        text="digit:O",
        color=colour,
        opacity=alt.condition(some, alt.value(0.95), alt.value(0.08)),
        tooltip=told,
        **place,
    )
    layers = [figures.add_params(some)]
    if own is not None:
        mine: Any = alt.Chart({"values": [{"x": own[0], "y": own[1], "image": own[2], "what": "your drawing"}]})
        frame = mine.mark_point(shape="square", size=52**2, filled=True, color=COLORS["validation"], opacity=1)
        seen = mine.mark_image(width=44, height=44, smooth=False)
        where = {"x": "x:Q", "y": "y:Q", "tooltip": ["image:N", "what:N"]}
        layers += [frame.encode(**where), seen.encode(url="image:N", **where)]
    layers[0] = layers[0].interactive()
    return alt.layer(*layers, data={"values": rows}).properties(height=620)
