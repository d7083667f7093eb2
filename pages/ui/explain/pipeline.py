"""The pipeline of one channel: input maps, filter, sum, normalization and activation, from left to right."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import Image
from mnist_core.charts.layers import fast_data_url
from mnist_core.charts.pipeline import framed_map
from mnist_core.explain.arithmetic import Box, window_box
from mnist_core.explain.blocks import ACTIVATION_NAMES, part_title
from mnist_core.explain.pipeline import channel_contributions, channel_kernels, seen_channels
from mnist_core.models.weights import Weights
from mnist_core.networks.layers import Conv2D, DepthwiseConv2D, Dropout, Layer, SpatialDropout2D

Array = NDArray[np.float32]

MAX_TERMS = 3
"""Input channels that are shown with their filters: those that contribute most to the chosen value."""
FILTER_PIXELS = 56


@dataclass(frozen=True, eq=False)
class Part:
    """One layer of a block, with what it makes of one image.

    Attributes:
        layer: the layer.
        weights: of the layer.
        values: its output, (H, W, C) float32.
    """

    layer: Layer
    weights: Weights
    values: Array


def show_pipeline(parts: Sequence[Part], before: Array, place: tuple[int, int, int]) -> None:
    """The pipeline of a channel, with the chosen unit and the window that it sees in frames.

    Args:
        parts: the layers of a block; the first one has a window that slides over the input.
        before: (H, W, C) float32, the input of the first.
        place: (row, column, channel) of the unit.
    """
    row, column, channel = place
    unit_box = (row, column, row + 1, column + 1)
    first = parts[0]
    if isinstance(first.layer, Conv2D | DepthwiseConv2D):
        stages = _convolution_stages(first.layer, first, before, place)
    else:
        picture = framed_map(before[..., channel], _window(first.layer, before, place))
        stages = [_figure(picture, "Input", f"channel {channel}")]
        stages.append(_arrow())
        stages.append(_figure(framed_map(first.values[..., channel], unit_box), part_title(first.layer), ""))
    for part in parts[1:]:
        if not isinstance(part.layer, Dropout | SpatialDropout2D):
            picture = framed_map(part.values[..., channel], unit_box)
            stages += [_arrow(), _figure(picture, part_title(part.layer), f"{part.values[place]:z.3g}")]
    st.html(f'<div class="lab-pipeline">{"".join(stages)}</div>')


def _window(layer: Any, before: Array, place: tuple[int, int, int]) -> Box | None:
    """The window of a layer in its input; None if the layer has none."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if size is None:
        return (place[0], place[1], place[0] + 1, place[1] + 1)
    return window_box(before.shape, size, layer.strides or size, layer.padding, place)


def _convolution_stages(
    layer: Conv2D | DepthwiseConv2D, part: Part, before: Array, place: tuple[int, int, int]
) -> list[str]:
    """Input maps times filters, their sum, and the activation if the layer has one of its own."""
    row, column, channel = place
    terms = channel_contributions(layer, part.weights, before, channel)  # (H, W, C)
    inputs, kernels = seen_channels(layer, before, channel), channel_kernels(layer, part.weights, channel)
    order = np.argsort(-np.abs(terms[row, column]), kind="stable")[:MAX_TERMS]
    largest, largest_weight = float(np.abs(terms[..., order]).max()), float(np.abs(kernels).max())
    unit_box, window = (row, column, row + 1, column + 1), _window(layer, before, place)
    rows = []
    for index in order.tolist():
        name = f"channel {channel if isinstance(layer, DepthwiseConv2D) else index}"
        rows.append(
            '<div class="lab-term">'
            + _figure(framed_map(inputs[..., index], window), "Input", name)
            + _sign("×")
            + _figure(framed_map(kernels[..., index], None, largest_weight, FILTER_PIXELS), "Filter", "learned")
            + _sign("=")
            + _figure(framed_map(terms[..., index], unit_box, largest), "Product", f"{terms[row, column, index]:z.3g}")
            + "</div>"
        )
    rest = terms.shape[-1] - len(order)
    more = f'<div class="lab-note">and {rest} more input channel{"" if rest == 1 else "s"}</div>' if rest else ""
    sums = terms.sum(axis=-1) + (part.weights[1][channel] if layer.use_bias else 0)
    title = "Sum + bias" if layer.use_bias else "Sum"
    stages = [
        f"<div>{''.join(rows)}{more}</div>",
        _arrow(),
        _figure(framed_map(sums, unit_box), title, f"{sums[row, column]:z.3g}"),
    ]
    if layer.activation is not None:
        picture = framed_map(part.values[..., channel], unit_box)
        name = ACTIVATION_NAMES.get(layer.activation, layer.activation)
        stages += [_arrow(), _figure(picture, name, f"{part.values[place]:z.3g}")]
    return stages


def _figure(picture: Image, title: str, text: str) -> str:
    caption = f"<b>{html.escape(title)}</b><br>{html.escape(text)}"
    alt = html.escape(f"{title}: {text}".removesuffix(": "))
    return (
        f'<figure class="lab-figure"><img class="lab-picture" width="{picture.shape[1]}" alt="{alt}" '
        f'src="{fast_data_url(picture)}"><figcaption>{caption}</figcaption></figure>'
    )


def _sign(sign: str) -> str:
    return f'<span class="lab-sign">{sign}</span>'


def _arrow() -> str:
    return _sign("→")
