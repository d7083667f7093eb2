"""Pictures and charts of what is inside a network: activations, filters and weights.

Teal is positive, orange negative, black zero. All channels of a layer share one color scale, so that they can be
compared.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.axes import PERCENT_LABEL
from mnist_core.charts.common import COLORS, CORRECT_RGB, WRONG_RGB, Image

POSITIVE_RGB = np.array(CORRECT_RGB, np.float32) * 255 / max(CORRECT_RGB)
NEGATIVE_RGB = np.array(WRONG_RGB, np.float32) * 255 / max(WRONG_RGB)

_STEPS = np.arange(256)[:, None] / 255
PALETTE = np.concatenate([(_STEPS * NEGATIVE_RGB)[:0:-1], _STEPS * POSITIVE_RGB]).astype(np.uint8)
"""(511, 3), the colors of −255 … 255."""

GAP, GAP_GRAY = 1, 110
"""Pixels between pictures, and their gray."""

UNIT_PIXELS = 7
"""Pixels of the page for each number of a layer that outputs a list."""

UNITS_PER_ROW = 32
MAX_CHANNELS = 32
"""Channels of a layer in an activation grid."""

MAX_UNITS = 1024
"""Units of a layer that outputs a list, in one picture or chart."""
CHANNELS_PER_ROW = 8
MAX_THUMBNAILS = 256
"""Channels in a chart to click on: each takes up to half a millisecond to draw."""
HISTOGRAM_BINS = 40
CHOSEN_COLOR = "#f2b632"


def colorize(values: NDArray[np.float32], largest: float) -> NDArray[np.uint8]:
    """Converts numbers to colors.

    Args:
        values: (...) float32.
        largest: the magnitude that gets the full color.

    Returns:
        (..., 3) uint8.
    """
    indices = np.clip(values * np.float32(255 / (largest or 1.0)), -255, 255).astype(np.int16) + 255
    return np.asarray(PALETTE[indices], np.uint8)


def channel_images(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Arranges a layer's output for one image, (H, W, C) or (W,) float32, as (C, H, W); a list becomes one image."""
    if values.ndim == 3:
        return values.transpose(2, 0, 1)
    columns = min(UNITS_PER_ROW, len(values))
    rows = -(-len(values) // columns)
    return np.pad(values, (0, rows * columns - len(values))).reshape(1, rows, columns)


def largest_magnitude(values: NDArray[np.float32]) -> float:
    """The largest absolute value of a layer's output, which gets the full color."""
    return float(np.abs(values).max(initial=0))


def activation_grid(
    values: NDArray[np.float32], side: int = 28, max_channels: int = MAX_CHANNELS, gap: int = GAP
) -> Image:
    """Draws a layer's channels next to one another, on one color scale.

    Args:
        values: (H, W, C) or (W,) float32.
        side: minimum width of each picture in pixels; pixels stay square.
        max_channels: only the first ones are drawn; of a list, only MAX_UNITS.
        gap: pixels between them.

    Returns:
        (H', W', 3) uint8.
    """
    shown = channel_images(values[:MAX_UNITS] if values.ndim == 1 else values)[:max_channels]
    scale = UNIT_PIXELS if values.ndim == 1 else max(1, side // shown.shape[2])
    columns = min(CHANNELS_PER_ROW, len(shown))
    tiles = colorize(shown, largest_magnitude(values)).repeat(scale, axis=1).repeat(scale, axis=2)
    tiles = np.pad(tiles, ((0, -len(tiles) % columns), (0, 0), (0, 0), (0, 0)))
    framed = np.pad(tiles, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=GAP_GRAY)
    _, height, width, _ = framed.shape
    rows = framed.reshape(-1, columns, height, width, 3).transpose(0, 2, 1, 3, 4)  # rows, H, columns, W, 3
    return np.ascontiguousarray(rows.reshape(-1, columns * width, 3))


def fast_data_url(image: Image) -> str:
    """Like `common.data_url` for (H, W, 3) uint8, in a third of the time with weaker compression: for every stroke."""
    _, content = cv2.imencode(".png", image[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 1))
    return "data:image/png;base64," + base64.b64encode(content.tobytes()).decode("ascii")


def clickable_range(channels: int, chosen: int) -> range:
    """The channels in `clickable_channels`: of more than MAX_THUMBNAILS, the MAX_THUMBNAILS with the chosen one."""
    first = chosen // MAX_THUMBNAILS * MAX_THUMBNAILS
    return range(first, min(first + MAX_THUMBNAILS, channels))


def clickable_channels(values: NDArray[np.float32], chosen: int) -> Any:
    """Draws thumbnails of a layer's channels to click on, those of `clickable_range`.

    Args:
        values: (H, W, C) float32.
        chosen: the channel to frame.

    Returns:
        An Altair chart. Its selection `clicked` contains the `channel`.
    """
    scale = max(1, 56 // values.shape[1])
    shown = clickable_range(values.shape[2], chosen)
    images = channel_images(values)[shown.start : shown.stop]
    thumbnails = colorize(images, largest_magnitude(values)).repeat(scale, axis=1).repeat(scale, axis=2)
    largest = values.max(axis=(0, 1)).tolist()
    rows = [
        {
            "channel": channel,
            "column": place % CHANNELS_PER_ROW,
            "row": place // CHANNELS_PER_ROW,
            "chosen": channel == chosen,
            "largest": round(largest[channel], 4),
            "picture": fast_data_url(thumbnail),
        }
        for place, (channel, thumbnail) in enumerate(zip(shown, thumbnails, strict=True))
    ]
    chart = _channels_template().copy(deep=False)
    chart.data = {"values": rows}
    chart.height = 46 * -(-len(rows) // CHANNELS_PER_ROW)
    return chart


@cache
def _channels_template() -> Any:
    """The chart without its rows: Altair takes a tenth of a second to validate it."""
    import altair as alt

    position: dict[str, Any] = {
        "x": alt.X("column:O", axis=None),
        "y": alt.Y("row:O", axis=None),
        "tooltip": [alt.Tooltip("channel:Q", title="Channel"), alt.Tooltip("largest:Q", title="Largest value")],
    }
    frame: Any = alt.Chart().mark_rect(strokeWidth=3, fillOpacity=0.001, fill="#888", cursor="pointer")
    stroke = alt.condition("datum.chosen", alt.value(CHOSEN_COLOR), alt.value("#88888855"))
    thumbnails = alt.Chart().mark_image(width=40, height=40).encode(**position, url="picture:N")
    clicked = alt.selection_point(name="clicked", fields=["channel"], on="click", empty=False)
    return alt.layer(thumbnails, frame.encode(**position, stroke=stroke).add_params(clicked))


def clickable_channel(values: NDArray[np.float32], largest: float, chosen: tuple[int, int] | None = None) -> Any:
    """Draws one channel, large, to click on.

    Args:
        values: (H, W) float32.
        largest: the magnitude that gets the full color, of the whole layer.
        chosen: (row, column) of the unit to frame.

    Returns:
        An Altair chart. Its selection `clicked` contains `row` and `column`.
    """
    shares = np.round(values / (largest or 1.0), 4).tolist()
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
    chart = _channel_template().copy(deep=False)
    chart.data = {"values": cells}
    return chart


@cache
def _channel_template() -> Any:
    """The chart without its cells."""
    import altair as alt

    clicked = alt.selection_point(name="clicked", fields=["row", "column"], on="click", empty=False)
    colors = alt.Scale(domain=[-1, 0, 1], range=[_hex(NEGATIVE_RGB), "#000000", _hex(POSITIVE_RGB)], interpolate="rgb")
    legend = alt.Legend(title=["Relative to the", "layer's largest"], gradientLength=160, labelExpr=PERCENT_LABEL)
    axis = alt.Axis(labelAngle=0, labelOverlap=True)
    base: Any = alt.Chart().mark_rect(cursor="pointer")
    return (
        base.encode(
            x=alt.X("column:O", title="Column", axis=axis),
            y=alt.Y("row:O", title="Row", axis=axis),
            color=alt.Color("share:Q", scale=colors, legend=legend),
            stroke=alt.condition("datum.chosen", alt.value(CHOSEN_COLOR), alt.value("#202020")),
            strokeWidth=alt.condition("datum.chosen", alt.value(3), alt.value(1)),
            tooltip=[
                alt.Tooltip("row:O", title="Row"),
                alt.Tooltip("column:O", title="Column"),
                alt.Tooltip("value:Q", title="Value"),
            ],
        )
        .add_params(clicked)
        .properties(height=380)
    )


def _hex(color: NDArray[Any]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(int(part) for part in color))


def clickable_bars(values: Sequence[float], unit_title: str, value_title: str, chosen: int | None = None) -> Any:
    """Draws a list of numbers as bars to click on: of more than MAX_UNITS, the MAX_UNITS with the chosen one.

    Args:
        values: one for each unit.
        unit_title: of the axis of units.
        value_title: of the axis of values.
        chosen: the unit in another color.

    Returns:
        An Altair chart. Its selection `clicked` contains the `unit`.
    """
    import altair as alt

    first = (chosen or 0) // MAX_UNITS * MAX_UNITS
    shown = enumerate(values[first : first + MAX_UNITS], first)
    rows = [{"unit": unit, "value": float(value), "chosen": unit == chosen} for unit, value in shown]
    clicked = alt.selection_point(name="clicked", fields=["unit"], on="click", empty=False)
    chart: Any = alt.Chart({"values": rows}).mark_bar(cursor="pointer")
    return (
        chart.encode(
            x=alt.X("unit:O", title=unit_title, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("value:Q", title=value_title),
            color=alt.condition("datum.chosen", alt.value(COLORS["validation"]), alt.value(COLORS["training"])),
            tooltip=[
                alt.Tooltip("unit:O", title=unit_title),
                alt.Tooltip("value:Q", title=value_title, format=".4f"),
            ],
        )
        .add_params(clicked)
        .properties(height=240)
    )


def weight_histograms(kernels: Mapping[str, NDArray[np.float32]]) -> Any:
    """Draws the distribution of the weights of each layer, one histogram above the other.

    Args:
        kernels: name of a layer -> its kernel, of any shape.

    Returns:
        An Altair chart.
    """
    import altair as alt

    rows = []
    for position, (layer, values) in enumerate(kernels.items()):
        counts, edges = np.histogram(values, HISTOGRAM_BINS)
        highest = counts.max()
        rows += [
            {
                "layer": layer,
                "from": float(start),
                "to": float(end),
                "weights": int(count),
                "base": -position,
                "height": 0.9 * count / highest - position,
            }
            for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
    layers = list(kernels)
    baselines = [-position for position in range(len(layers))]
    axis = alt.Axis(values=baselines, labelExpr=f"{layers}[-datum.value]", grid=False, ticks=False)
    chart: Any = alt.Chart({"values": rows}).mark_rect(color=COLORS["training"])
    return chart.encode(
        x=alt.X("from:Q", title="Weight"),
        x2="to:Q",
        y2="base:Q",
        y=alt.Y(
            "height:Q",
            title="Weights per layer (each row scaled to its highest bar)",
            axis=axis,
            scale=alt.Scale(domain=[1 - len(layers), 1], nice=False),
        ),
        tooltip=[
            alt.Tooltip("layer:N", title="Layer"),
            alt.Tooltip("from:Q", title="From", format=".3f"),
            alt.Tooltip("to:Q", title="To", format=".3f"),
            alt.Tooltip("weights:Q", title="Weights"),
        ],
    ).properties(height=max(120, 56 * len(layers)))
