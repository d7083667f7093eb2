"""Pictures and charts of what is inside a network: activations, filters, weights. Teal is above zero, orange below,
black is zero; one scale for a whole layer, so that its channels can be compared."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import COLORS, CORRECT_RGB, WRONG_RGB

POSITIVE_RGB, NEGATIVE_RGB = (np.array(colour, np.float32) * 255 / max(colour) for colour in (CORRECT_RGB, WRONG_RGB))
_STEPS = np.arange(256)[:, None] / 255
PALETTE = np.concatenate([(_STEPS * NEGATIVE_RGB)[:0:-1], _STEPS * POSITIVE_RGB]).astype(
    np.uint8
)  # (511, 3), of −255 … 255
GAP, GREY = 1, 110  # pixels between pictures, and their colour
LIST_PIXELS = 7  # of the page for each number of a list
MAX_CHANNELS = 32  # of a layer on the wall
ROW = 32  # numbers in a row, of a layer that gives a list
BINS = 40
COLUMNS = 8  # channels in a row, to click on
CHOSEN = "#f2b632"


def colorize(values: NDArray[np.float32], most: float) -> NDArray[np.uint8]:
    """Numbers as colours. `values`: (…) float32; `most`: what is brightest. Returns (…, 3) uint8."""
    places = np.clip(values * np.float32(255 / (most or 1.0)), -255, 255).astype(np.int16) + 255
    return np.asarray(PALETTE[places], np.uint8)


def channel_images(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a layer gives for one image, (H, W, C) or (W,) float32, as (C, H, W): a list becomes one picture of rows."""
    if values.ndim == 3:
        return values.transpose(2, 0, 1)
    columns = min(ROW, len(values))
    rows = -(-len(values) // columns)
    return np.pad(values, (0, rows * columns - len(values))).reshape(1, rows, columns)


def largest_magnitude(values: NDArray[np.float32]) -> float:
    """The largest number of a layer without its sign: what is brightest."""
    return float(np.abs(values).max(initial=0))


def activation_grid(
    values: NDArray[np.float32], side: int = 28, most: int = MAX_CHANNELS, gap: int = GAP
) -> NDArray[np.uint8]:
    """A layer's channels side by side, on one scale.

    Args:
        values: (H, W, C) or (W,) float32.
        side: pixels of each picture, at least; pixels stay square.
        most: channels; the first ones are shown.
        gap: pixels between them.

    Returns:
        (H', W', 3) uint8.
    """
    shown = channel_images(values)[:most]
    times = LIST_PIXELS if values.ndim == 1 else max(1, side // shown.shape[2])
    columns = min(COLUMNS, len(shown))
    tiles = colorize(shown, largest_magnitude(values)).repeat(times, axis=1).repeat(times, axis=2)
    tiles = np.pad(tiles, ((0, -len(tiles) % columns), (0, 0), (0, 0), (0, 0)))
    framed = np.pad(tiles, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=GREY)
    _, height, width, _ = framed.shape
    rows = framed.reshape(-1, columns, height, width, 3).transpose(0, 2, 1, 3, 4)  # rows, H, columns, W, 3
    return np.ascontiguousarray(rows.reshape(-1, columns * width, 3))


def fast_data_url(image: NDArray[np.uint8]) -> str:
    """As figures.data_url, of (H, W, 3) uint8, packed less tightly: in a third of the time, at every stroke."""
    _, content = cv2.imencode(".png", image[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 1))
    return "data:image/png;base64," + base64.b64encode(content.tobytes()).decode("ascii")


def clickable_channels(values: NDArray[np.float32], chosen: int) -> Any:
    """A layer's channels to click on, an Altair chart; a selection tells `channel`.

    Args:
        values: (H, W, C) float32.
        chosen: the channel that is framed.
    """
    times = max(1, 56 // values.shape[1])
    faces = colorize(channel_images(values), largest_magnitude(values)).repeat(times, axis=1).repeat(times, axis=2)
    largest = values.max(axis=(0, 1)).tolist()
    rows = [
        {
            "channel": channel,
            "column": channel % COLUMNS,
            "row": channel // COLUMNS,
            "chosen": channel == chosen,
            "largest": round(largest[channel], 4),
            "picture": fast_data_url(face),
        }
        for channel, face in enumerate(faces)
    ]
    chart = _thumbnails().copy(deep=False)
    chart.data, chart.height = {"values": rows}, 46 * -(-len(rows) // COLUMNS)
    return chart


@cache
def _thumbnails() -> Any:
    """Without its rows: Altair checks what it is made of, for a tenth of a second."""
    import altair as alt

    place: dict[str, Any] = {
        "x": alt.X("column:O", axis=None),
        "y": alt.Y("row:O", axis=None),
        "tooltip": ["channel:Q", alt.Tooltip("largest:Q", title="largest value")],
    }
    frame = (
        alt.Chart()
        .mark_rect(strokeWidth=3, fillOpacity=0.001, fill="#888", cursor="pointer")
        .encode(**place, stroke=alt.condition("datum.chosen", alt.value(CHOSEN), alt.value("#88888855")))
    )
    faces = alt.Chart().mark_image(width=40, height=40).encode(**place, url="picture:N")
    click = alt.selection_point(name="clicked", fields=["channel"], on="click", empty=False)
    return alt.layer(faces, frame.add_params(click))


def clickable_channel(values: NDArray[np.float32], most: float, chosen: tuple[int, int] | None = None) -> Any:
    """One channel, large, to click on, an Altair chart; a selection tells `row` and `column`.

    Args:
        values: (H, W) float32.
        most: what is brightest, of the whole layer.
        chosen: (row, column) of the unit that is framed.
    """
    shares = np.round(values / (most or 1.0), 4).tolist()
    cells = [
        {
            "row": row,
            "column": column,
            "value": round(value, 5),
            "share": shares[row][column],
            "chosen": (row, column) == chosen,
        }
        for row, line in enumerate(values.tolist())
        for column, value in enumerate(line)
    ]
    chart = _grid().copy(deep=False)
    chart.data = {"values": cells}
    return chart


@cache
def _grid() -> Any:
    """Without its cells."""
    import altair as alt

    click = alt.selection_point(name="clicked", fields=["row", "column"], on="click", empty=False)
    colour = alt.Scale(domain=[-1, 0, 1], range=[_hex(NEGATIVE_RGB), "#000000", _hex(POSITIVE_RGB)], interpolate="rgb")
    legend = alt.Legend(title=["of the layer's", "largest"], gradientLength=160, format=".0%")
    axis = alt.Axis(labelAngle=0, labelOverlap=True)
    base: Any = alt.Chart().mark_rect(cursor="pointer")
    return (
        base.encode(
            x=alt.X("column:O", title="column", axis=axis),
            y=alt.Y("row:O", title="row", axis=axis),
            color=alt.Color("share:Q", scale=colour, legend=legend),
            stroke=alt.condition("datum.chosen", alt.value(CHOSEN), alt.value("#202020")),
            strokeWidth=alt.condition("datum.chosen", alt.value(3), alt.value(1)),
            tooltip=["row:O", "column:O", "value:Q"],
        )
        .add_params(click)
        .properties(height=380)
    )


def _hex(colour: NDArray[Any]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(int(part) for part in colour))


def clickable_bars(values: Sequence[float], name: str, title: str, chosen: int | None = None) -> Any:
    """A list of numbers as bars to click on, an Altair chart; a selection tells `unit`.

    Args:
        values: one a unit.
        name: of the units' axis.
        title: of the values' axis.
        chosen: the unit in another colour.
    """
    import altair as alt

    rows = [{"unit": unit, "value": float(value), "chosen": unit == chosen} for unit, value in enumerate(values)]
    click = alt.selection_point(name="clicked", fields=["unit"], on="click", empty=False)
    chart: Any = alt.Chart({"values": rows}).mark_bar(cursor="pointer")
    return (
        chart.encode(
            x=alt.X("unit:O", title=name, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("value:Q", title=title),
            color=alt.condition("datum.chosen", alt.value(COLORS["validation"]), alt.value(COLORS["training"])),
            tooltip=["unit:O", alt.Tooltip("value:Q", format=".4f")],
        )
        .add_params(click)
        .properties(height=240)
    )


def weight_histograms(weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """How the weights of each layer are spread, one histogram over the other, an Altair chart.

    Args:
        weights: name of a layer -> its kernel, of any shape.
    """
    import altair as alt

    rows = []
    for place, (name, values) in enumerate(weights.items()):
        counts, edges = np.histogram(values, BINS)
        top = counts.max()
        rows += [
            {
                "layer": name,
                "from": float(start),
                "to": float(end),
                "weights": int(count),
                "base": -place,
                "height": 0.9 * count / top - place,
            }
            for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
    names = list(weights)
    axis = alt.Axis(
        values=[-place for place in range(len(names))], labelExpr=f"{names}[-datum.value]", grid=False, ticks=False
    )
    chart: Any = alt.Chart({"values": rows}).mark_rect(color=COLORS["training"])
    return chart.encode(
        x=alt.X("from:Q", title="weight"),
        x2="to:Q",
        y2="base:Q",
        y=alt.Y(
            "height:Q",
            title="weights of the layer, each row to its own height",
            axis=axis,
            scale=alt.Scale(domain=[1 - len(names), 1], nice=False),
        ),
        tooltip=["layer:N", alt.Tooltip("from:Q", format=".3f"), alt.Tooltip("to:Q", format=".3f"), "weights:Q"],
    ).properties(height=max(120, 56 * len(names)))
