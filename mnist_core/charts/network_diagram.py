"""A network drawn as SVG: one box per layer for its output, with name, settings, shape and number of weights.

The box of an image is as tall as its rows, and as wide as its channels on a logarithmic scale. The box of a list is a
bar, as tall as the list is long on a logarithmic scale. The colors follow the page, light or dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from html import escape
from typing import Any

from mnist_core.charts.common import COLORS
from mnist_core.fields import changed_fields
from mnist_core.networks import cost
from mnist_core.networks.cost import LayerCost
from mnist_core.networks.layers import Layer, Shape, format_shape

COLUMN_WIDTH, MAX_HEIGHT = 100, 112
"""Pixels of a layer's column, and of the tallest box."""

LAYERS_PER_ROW = 10
LINE_HEIGHT = 13
"""Pixels between lines of text."""

MAX_LINE_LENGTH = 13
"""Characters in a line of text."""

LAYER_COLORS = {
    "Conv2D": "training",
    "DepthwiseConv2D": "training",
    "Dense": "validation",
    "MaxPooling2D": "third",
    "AveragePooling2D": "third",
    "GlobalAveragePooling2D": "third",
    "GlobalMaxPooling2D": "third",
}
"""Type of a layer -> the name of its color in COLORS; others are muted."""

_STYLE = (
    "svg{color:#1d2a35;font-family:sans-serif}"
    "@media (prefers-color-scheme:dark){svg{color:#edf1ea}}"
    "text{fill:currentColor;text-anchor:middle;font-size:11px}.n{font-weight:600}.s{opacity:.75}"
)


def network_svg(layers: Sequence[Layer], input_size: int = 28, marked: Collection[int] = (), name: str = "") -> str:
    """Draws a network.

    Args:
        layers: the network. Layers that do not fit the output of those before them are dashed boxes without a size.
        input_size: side of the square input image in pixels.
        marked: positions to highlight, counted from 1.
        name: of the network, for its title.

    Returns:
        An SVG document with a title, and a description for screen readers.
    """
    rows = cost.layer_costs(layers, input_size)
    boxes = [_input_column(input_size)]
    for position, layer in enumerate(layers, 1):
        row = rows[position - 1] if position <= len(rows) else None
        boxes.append(_layer_column(position, layer, row, position in marked, input_size))
    row_height = MAX_HEIGHT + 20 + LINE_HEIGHT * max(box.count("</text>") for box in boxes)
    width, height = min(LAYERS_PER_ROW, len(boxes)) * COLUMN_WIDTH, -(-len(boxes) // LAYERS_PER_ROW) * row_height
    columns = [_column(index, box, row_height) for index, box in enumerate(boxes)]
    title, description = network_title(layers, name), describe_network(layers, input_size)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><desc>{escape(description)}</desc>'
        f"<style>{_STYLE}</style>{''.join(columns)}</svg>"
    )


def network_title(layers: Sequence[Layer], name: str = "") -> str:
    """The title of the drawing: `My network: 5 layers`."""
    count = f"{len(layers)} layer{'' if len(layers) == 1 else 's'}"
    return f"{name or 'A network'}: {count}"


def describe_network(layers: Sequence[Layer], input_size: int = 28) -> str:
    """Describes a network in words: `image 28 × 28 × 1, then Conv2D to 26 × 26 × 32 (320 parameters), …`."""
    rows = cost.layer_costs(layers, input_size)
    parts = [f"image {format_shape((input_size, input_size, 1))}"]
    parts += [f"{row.layer} to {format_shape(row.output_shape)} ({row.parameters:,} parameters)" for row in rows]
    misfits = [type(layer).__name__ for layer in layers[len(rows) :]]
    return ", then ".join(parts) + (f"; these do not fit: {', '.join(misfits)}" if misfits else "") + "."


def describe_settings(layer: Layer) -> str:
    """Lists the settings of a layer that differ from its defaults: `32, 3×3, relu`."""
    values: dict[str, Any] = changed_fields(layer)
    window = values.pop("kernel_size", None) or values.pop("pool_size", None)
    parts = [str(values.pop(each)) for each in ("filters", "units") if each in values]
    parts += [f"{window}×{window}"] if window else []
    if "scale" in values:
        scale = values.pop("scale")
        parts.append(f"1/{1 / scale:g}" if isinstance(scale, float) and scale else str(scale))
    if "strides" in values:
        parts.append(f"stride {values.pop('strides')}")
    if values.pop("use_bias", True) is False:
        parts.append("no bias")
    parts += [f"{value:g}" if isinstance(value, float) else str(value) for value in values.values()]
    return ", ".join(parts)


def _column(index: int, content: str, row_height: int) -> str:
    row, column = divmod(index, LAYERS_PER_ROW)
    return f'<g transform="translate({column * COLUMN_WIDTH} {row * row_height})">{content}</g>'


def _input_column(size: int) -> str:
    shape = (size, size, 1)
    return _box(shape, size, COLORS["muted"], False) + _text(
        [("n", "image"), ("s", "0..255"), ("", format_shape(shape))]
    )


def _layer_column(position: int, layer: Layer, row: LayerCost | None, marked: bool, size: int) -> str:
    name = type(layer).__name__
    first, *rest = _WORD.findall(name)
    lines = [("n", part) for part in _wrap([f"{position} {first}", *rest], "")]
    lines += [("s", part) for part in _wrap(describe_settings(layer).split(", "), ", ")]
    if row is None:
        return _arrow() + _unknown_box() + _text([*lines, ("", "does not fit")])
    lines += [("", format_shape(row.output_shape)), ("s", f"{row.parameters:,} weights" if row.parameters else "")]
    return _arrow() + _box(row.output_shape, size, COLORS[LAYER_COLORS.get(name, "muted")], marked) + _text(lines)


def _arrow() -> str:
    return f'<path d="M-6 {MAX_HEIGHT // 2}h12" stroke="currentColor" opacity=".5"/>'


def _box(shape: Shape, size: int, color: str, marked: bool) -> str:
    """The output of a layer, to scale, centered in its column."""
    if len(shape) == 3:
        height, width = MAX_HEIGHT * shape[0] / size, 4 + 6 * math.log2(1 + shape[2])
    else:
        height, width = min(MAX_HEIGHT, 8 * math.log2(1 + shape[0])), 8.0
    edge = 'stroke-width="3" stroke-dasharray="5 3"' if marked else 'stroke-width="1.5"'
    return (
        f'<rect x="{(COLUMN_WIDTH - width) / 2:.1f}" y="{(MAX_HEIGHT - height) / 2 + 2:.1f}" width="{width:.1f}" '
        f'height="{max(height, 2):.1f}" rx="2" fill="{color}" fill-opacity=".35" stroke="{color}" {edge}/>'
    )


def _unknown_box() -> str:
    return (
        f'<rect x="{COLUMN_WIDTH / 2 - 20}" y="{MAX_HEIGHT / 2 - 20}" width="40" height="40" rx="2" fill="none" '
        f'stroke="{COLORS["validation"]}" stroke-width="2" stroke-dasharray="4 3"/>'
        f'<text x="{COLUMN_WIDTH / 2}" y="{MAX_HEIGHT / 2 + 4}">?</text>'
    )


def _text(lines: Sequence[tuple[str, str]]) -> str:
    """Lines below the box, each (CSS class, text); empty ones are left out."""
    elements: list[str] = []
    for css_class, text in lines:
        if text:
            y = MAX_HEIGHT + 17 + LINE_HEIGHT * len(elements)
            attribute = f" class={css_class!r}" if css_class else ""
            elements.append(f'<text x="{COLUMN_WIDTH / 2}" y="{y}"{attribute}>{escape(text)}</text>')
    return "".join(elements)


_WORD = re.compile(r"[A-Z]+[a-z]*(?:\d[A-Z])?")


def _wrap(parts: Sequence[str], between: str) -> list[str]:
    """Joins parts to lines of MAX_LINE_LENGTH characters. `between`: what joins two parts of a line."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1] + between + part) <= MAX_LINE_LENGTH:
            lines[-1] += between + part
        else:
            lines.append(part)
    return lines
