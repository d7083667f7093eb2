"""A network drawn as SVG: a box for each layer's output, to scale, with its name, settings, shape and parameters.

An image of rows × columns × channels is as tall as its rows, and as wide as its channels on a logarithmic scale; a list
of numbers is a bar, as tall as it is long on a logarithmic scale. The drawing follows its surroundings, light or dark.
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

COLUMN_WIDTH, MAX_HEIGHT = 100, 112  # pixels: of one layer, and of its box
LAYERS_PER_ROW = 10
LINE_HEIGHT = 13  # pixels from one line of text to the next
MAX_LINE_LENGTH = 13  # characters of a name in one line

LAYER_COLORS = {
    "Conv2D": "training",
    "DepthwiseConv2D": "training",
    "Dense": "validation",
    "MaxPooling2D": "third",
    "AveragePooling2D": "third",
    "GlobalAveragePooling2D": "third",
    "GlobalMaxPooling2D": "third",
}
"""Name of a layer -> its colour in COLOURS; others are muted."""

_STYLE = (
    "svg{color:#1d2a35;font-family:sans-serif}"
    "@media (prefers-color-scheme:dark){svg{color:#edf1ea}}"
    "text{fill:currentColor;text-anchor:middle;font-size:11px}.n{font-weight:600}.s{opacity:.75}"
)


def network_svg(layers: Sequence[Layer], input_size: int = 28, marked: Collection[int] = (), name: str = "") -> str:
    """The drawing.

    Args:
        layers: the network; what cannot work is drawn as a dashed box without a size.
        input_size: side of the square input image in pixels.
        marked: positions, counted from 1, that are to stand out.
        name: of the network, for its title.

    Returns:
        An SVG document with a title, and a description for who does not see it.
    """
    rows = cost.layer_costs(layers, input_size)
    boxes = [_input(input_size)]
    for position, layer in enumerate(layers, 1):
        row = rows[position - 1] if position <= len(rows) else None
        boxes.append(_layer(position, layer, row, position in marked, input_size))
    row_height = MAX_HEIGHT + 20 + LINE_HEIGHT * max(box.count("</text>") for box in boxes)
    width, height = min(LAYERS_PER_ROW, len(boxes)) * COLUMN_WIDTH, -(-len(boxes) // LAYERS_PER_ROW) * row_height
    placed = [_at(place, box, row_height) for place, box in enumerate(boxes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(network_title(layers, name))}</title><desc>{escape(describe_network(layers, input_size))}</desc>'
        f"<style>{_STYLE}</style>{''.join(placed)}</svg>"
    )


def network_title(layers: Sequence[Layer], name: str = "") -> str:
    """What the drawing shows, in a few words."""
    count = f"{len(layers)} layer{'' if len(layers) == 1 else 's'}"
    return f"{name or 'A network'}: {count}"


def describe_network(layers: Sequence[Layer], input_size: int = 28) -> str:
    """The drawing in words: `image 28 × 28 × 1, then Conv2D to 26 × 26 × 32 (320 parameters), …`."""
    rows = cost.layer_costs(layers, input_size)
    parts = [f"image {format_shape((input_size, input_size, 1))}"]
    parts += [f"{row.layer} to {format_shape(row.output_shape)} ({row.parameters:,} parameters)" for row in rows]
    left = [type(layer).__name__ for layer in layers[len(rows) :]]
    return ", then ".join(parts) + (f"; what cannot work there: {', '.join(left)}" if left else "") + "."


def describe_settings(layer: Layer) -> str:
    """What is set of a layer, in few words: `32, 3×3, relu`."""
    values: dict[str, Any] = changed_fields(layer)
    window = values.pop("kernel_size", None) or values.pop("pool_size", None)
    parts = [str(values.pop(each)) for each in ("filters", "units") if each in values]
    parts += [f"{window}×{window}"] if window else []
    if "scale" in values:
        scale = values.pop("scale")
        parts.append(f"1/{1 / scale:g}" if isinstance(scale, float) and scale else str(scale))
    if "strides" in values:
        parts.append(f"step {values.pop('strides')}")
    if values.pop("use_bias", True) is False:
        parts.append("no bias")
    parts += [f"{value:g}" if isinstance(value, float) else str(value) for value in values.values()]
    return ", ".join(parts)


def _at(place: int, box: str, row_height: int) -> str:
    line, column = divmod(place, LAYERS_PER_ROW)
    return f'<g transform="translate({column * COLUMN_WIDTH} {line * row_height})">{box}</g>'


def _input(size: int) -> str:
    shape = (size, size, 1)
    return _box(shape, size, COLORS["muted"], False) + _text(
        [("n", "image"), ("s", "0..255"), ("", format_shape(shape))]
    )


def _layer(position: int, layer: Layer, row: LayerCost | None, marked: bool, size: int) -> str:
    name = type(layer).__name__
    lines = [("n", part) for part in _folded(f"{position} " + " ".join(_WORD.findall(name)), "")]
    lines += [("s", part) for part in _folded(describe_settings(layer), " ")[:2]]
    if row is None:
        return _arrow() + _unknown() + _text([*lines, ("", "cannot work")])
    lines += [("", format_shape(row.output_shape)), ("s", f"{row.parameters:,} weights" if row.parameters else "")]
    return _arrow() + _box(row.output_shape, size, COLORS[LAYER_COLORS.get(name, "muted")], marked) + _text(lines)


def _arrow() -> str:
    return f'<path d="M-6 {MAX_HEIGHT // 2}h12" stroke="currentColor" opacity=".5"/>'


def _box(shape: Shape, size: int, colour: str, marked: bool) -> str:
    """To scale, in the middle of its column and of the height of the tallest."""
    if len(shape) == 3:
        height, width = MAX_HEIGHT * shape[0] / size, 4 + 6 * math.log2(1 + shape[2])
    else:
        height, width = min(MAX_HEIGHT, 8 * math.log2(1 + shape[0])), 8.0
    edge = 'stroke-width="3" stroke-dasharray="5 3"' if marked else 'stroke-width="1.5"'
    return (
        f'<rect x="{(COLUMN_WIDTH - width) / 2:.1f}" y="{(MAX_HEIGHT - height) / 2 + 2:.1f}" width="{width:.1f}" '
        f'height="{max(height, 2):.1f}" rx="2" fill="{colour}" fill-opacity=".35" stroke="{colour}" {edge}/>'
    )


def _unknown() -> str:
    return (
        f'<rect x="{COLUMN_WIDTH / 2 - 20}" y="{MAX_HEIGHT / 2 - 20}" width="40" height="40" rx="2" fill="none" '
        f'stroke="{COLORS["validation"]}" stroke-width="2" stroke-dasharray="4 3"/>'
        f'<text x="{COLUMN_WIDTH / 2}" y="{MAX_HEIGHT / 2 + 4}">?</text>'
    )


def _text(lines: Sequence[tuple[str, str]]) -> str:
    """Lines below the box, each (class of _STYLE, text)."""
    shown = [(kind, text) for kind, text in lines if text]
    return "".join(
        f'<text x="{COLUMN_WIDTH / 2}" y="{MAX_HEIGHT + 17 + LINE_HEIGHT * place}"{f" class={kind!r}" if kind else ""}>{escape(text)}'
        "</text>"
        for place, (kind, text) in enumerate(shown)
    )


_WORD = re.compile(r"[A-Z]+[a-z]*(?:\d[A-Z])?")


def _folded(text: str, between: str) -> list[str]:
    """Words in lines of at most LONGEST characters, a longer word by itself; `between` two words of a line."""
    lines: list[str] = []
    for word in text.split():
        joint = between if lines and not lines[-1].isdigit() else " "
        if lines and len(lines[-1] + joint + word) <= MAX_LINE_LENGTH:
            lines[-1] += joint + word
        else:
            lines.append(word)
    return lines
