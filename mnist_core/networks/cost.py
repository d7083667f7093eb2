"""Counts shapes, parameters, multiply-adds and receptive field of each layer.

rows = cost.layer_costs(layers, 28)          # up to the first layer that does not fit
cost.megabytes(rows[-1].parameters)

The receptive field is computed as in A. Araujo et al., "Computing receptive fields of convolutional neural networks",
Distill, 2019: a window of k over units that are j pixels apart adds (k - 1) × j pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnist_core.fields import rule_violations
from mnist_core.networks.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    MaxPooling2D,
    Rescaling,
    Shape,
    Softmax,
)

BYTES_PER_PARAMETER = 4
"""The size of a float32."""


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs.

    Attributes:
        layer: name in LAYERS.
        input_shape, output_shape: for one example.
        parameters: weights, trainable or not.
        multiply_adds: for one image, forward; bias additions and comparisons do not count.
        receptive_field: side, in pixels of the input image, of the area that one output value depends on, away from
            the edges; at most the size of the image.
        stride: distance, in pixels of the input image, between the fields of two neighboring units; 0 if every unit
            depends on the whole image.
    """

    layer: str
    input_shape: Shape
    output_shape: Shape
    parameters: int
    multiply_adds: int
    receptive_field: int
    stride: int


@dataclass(frozen=True)
class _ReceptiveField:
    """`units` in a row, each depending on `size` pixels, `stride` pixels apart."""

    size: int
    stride: int
    units: int

    def slide(self, window: int, strides: int, units: int, image: int) -> _ReceptiveField:
        """The field after a layer that slides a window over these units."""
        return _ReceptiveField(min(image, self.size + (window - 1) * self.stride), self.stride * strides, units)

    def combine(self, image: int) -> _ReceptiveField:
        """The field of a unit that depends on all of these units."""
        return _ReceptiveField(min(image, self.size + (self.units - 1) * self.stride), 0, 1)


def layer_costs(stack: Sequence[Layer], input_size: int = 28) -> tuple[LayerCost, ...]:
    """Counts the cost of each layer, up to the first layer that does not fit.

    Args:
        stack: the network, which may be incomplete.
        input_size: side of the square image in pixels.
    """
    shape: Shape = (input_size, input_size, 1)
    field, rows = _ReceptiveField(1, 1, input_size), []
    for layer in stack:
        try:
            output_shape = layer.output_shape(shape) if not rule_violations(layer) else None
        except ValueError:
            output_shape = None
        if output_shape is None:
            break
        field = _receptive_field(layer, field, shape, output_shape, input_size)
        rows.append(
            LayerCost(
                type(layer).__name__,
                shape,
                output_shape,
                layer.parameters(shape),
                _multiply_adds(layer, shape, output_shape),
                field.size,
                field.stride,
            )
        )
        shape = output_shape
    return tuple(rows)


def total_cost(rows: Sequence[LayerCost]) -> LayerCost:
    """Sums the costs of one or more layers. Receptive field and output shape are those of the last."""
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in ("parameters", "multiply_adds")}
    return replace(rows[-1], layer="all", input_shape=rows[0].input_shape, **sums)


def megabytes(parameters: int) -> float:
    """Returns the size of float32 parameters, in 10^6 bytes."""
    return parameters * BYTES_PER_PARAMETER / 1e6


def format_count(count: int) -> str:
    """Formats a large count for display: `4.1 million`."""
    for size, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if count >= 0.9995 * size:  # which is written as 1
            return f"{count / size:.3g} {name}" if count / size < 100 else f"{count / size:.0f} {name}"
    return str(count)


def _receptive_field(
    layer: Any, before: _ReceptiveField, shape: Shape, output_shape: Shape, image: int
) -> _ReceptiveField:
    name = type(layer)
    if name in (Conv2D, DepthwiseConv2D):
        return before.slide(layer.kernel_size, layer.strides, output_shape[0], image)
    if name in (MaxPooling2D, AveragePooling2D):
        return before.slide(layer.pool_size, layer.strides or layer.pool_size, output_shape[0], image)
    if name in (GlobalAveragePooling2D, GlobalMaxPooling2D, Dense):
        return before.combine(image)
    if name is Softmax and len(shape) == 1:  # each probability depends on all values
        return before.combine(image)
    return before


def _multiply_adds(layer: Layer, shape: Shape, output_shape: Shape) -> int:
    count = _COUNTS.get(type(layer))
    return count(layer, shape, output_shape) if count else 0


def _one_per_weight_and_position(layer: Any, shape: Shape, output_shape: Shape) -> int:
    return math.prod(output_shape) * int(layer.kernel_size) ** 2


def _one_per_value(layer: Any, shape: Shape, output_shape: Shape) -> int:
    return math.prod(output_shape)


_COUNTS: dict[type[Layer], Callable[[Any, Shape, Shape], int]] = {
    Conv2D: lambda layer, shape, output_shape: _one_per_weight_and_position(layer, shape, output_shape) * shape[2],
    DepthwiseConv2D: _one_per_weight_and_position,
    Dense: lambda layer, shape, output_shape: shape[0] * output_shape[0],
    BatchNormalization: _one_per_value,
    Rescaling: _one_per_value,
}
"""Multiply-adds by kind of layer. Other kinds only compare, add or copy."""
