"""What a network costs and sees, layer by layer, by counting: shapes, parameters, multiply-adds, receptive field.

rows = cost.layers(layers, 28)               # as far as the network can be built
cost.megabytes(rows[-1].parameters)

The receptive field is counted as in A. Araujo et al., "Computing receptive fields of convolutional neural networks",
Distill, 2019: a window of k on units that lie j pixels apart adds (k - 1) × j pixels.
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

BYTES = 4  # of a float32


@dataclass(frozen=True)
class LayerCost:
    """One layer of a network.

    Attributes:
        layer: its name in LAYERS.
        input_shape, output_shape: of one example.
        parameters: weights, trainable or not.
        multiply_adds: of one image on its way forward; additions of biases and comparisons are not counted.
        receptive_field: pixels of the input image, along one side, that can change one number of the output, away
            from the edge; never more than the image has.
        stride: pixels between what two neighbouring units look at; 0 where each unit looks at all that there is.
    """

    layer: str
    input_shape: Shape
    output_shape: Shape
    parameters: int
    multiply_adds: int
    receptive_field: int
    stride: int


@dataclass(frozen=True)
class _Sight:
    """What one unit sees: `field` pixels; units beside each other `stride` pixels apart, `units` of them in a row."""

    field: int
    stride: int
    units: int

    def through(self, window: int, strides: int, units: int, image: int) -> _Sight:
        """Of the units of a layer whose window slides over these, `units` in a row."""
        return _Sight(min(image, self.field + (window - 1) * self.stride), self.stride * strides, units)

    def together(self, image: int) -> _Sight:
        """Of a unit that sees all of these."""
        return _Sight(min(image, self.field + (self.units - 1) * self.stride), 0, 1)


def layer_costs(stack: Sequence[Layer], input_size: int = 28) -> tuple[LayerCost, ...]:
    """The layers of a network, first to last, up to the first that cannot work where it stands.

    Args:
        stack: the network, which need not be whole.
        input_size: side of the square image in pixels.
    """
    shape: Shape = (input_size, input_size, 1)
    sight, rows = _Sight(1, 1, input_size), []
    for layer in stack:
        try:
            made = layer.output_shape(shape) if not rule_violations(layer) else None
        except ValueError:
            made = None
        if made is None:
            break
        sight = _seen(layer, sight, shape, made, input_size)
        rows.append(
            LayerCost(
                type(layer).__name__,
                shape,
                made,
                layer.parameters(shape),
                _multiply_adds(layer, shape, made),
                sight.field,
                sight.stride,
            )
        )
        shape = made
    return tuple(rows)


def total_cost(rows: Sequence[LayerCost]) -> LayerCost:
    """The network as one layer: its sums, and what its last units see. `rows`: at least one."""
    whole: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in ("parameters", "multiply_adds")}
    return replace(rows[-1], layer="all", input_shape=rows[0].input_shape, **whole)


def megabytes(parameters: int) -> float:
    """How large they are as float32, in 10^6 bytes."""
    return parameters * BYTES / 1e6


def format_count(count: int) -> str:
    """A large count for people: `4.1 million`."""
    for size, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if count >= size:
            return f"{count / size:.3g} {name}" if count / size < 100 else f"{count / size:.0f} {name}"
    return str(count)


def _seen(layer: Any, before: _Sight, shape: Shape, made: Shape, image: int) -> _Sight:
    name = type(layer)
    if name in (Conv2D, DepthwiseConv2D):
        return before.through(layer.kernel_size, layer.strides, made[0], image)
    if name in (MaxPooling2D, AveragePooling2D):
        return before.through(layer.pool_size, layer.strides or layer.pool_size, made[0], image)
    if name in (GlobalAveragePooling2D, GlobalMaxPooling2D, Dense):
        return before.together(image)
    if name is Softmax and len(shape) == 1:  # each share depends on all numbers
        return before.together(image)
    return before


def _multiply_adds(layer: Layer, shape: Shape, made: Shape) -> int:
    count = _COUNTS.get(type(layer))
    return count(layer, shape, made) if count else 0


def _window(layer: Any, shape: Shape, made: Shape) -> int:
    return math.prod(made) * int(layer.kernel_size) ** 2


def _each(layer: Any, shape: Shape, made: Shape) -> int:
    return math.prod(made)


_COUNTS: dict[type[Layer], Callable[[Any, Shape, Shape], int]] = {
    Conv2D: lambda layer, shape, made: _window(layer, shape, made) * shape[2],
    DepthwiseConv2D: _window,
    Dense: lambda layer, shape, made: shape[0] * made[0],
    BatchNormalization: _each,
    Rescaling: _each,
}
"""Kind of layer -> its multiply-adds. Others compare, add or look up."""
