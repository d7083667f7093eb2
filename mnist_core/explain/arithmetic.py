"""The arithmetic of one unit, step by step: from the layer's input to the number that it outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.models.weights import Weights
from mnist_core.networks.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
    SpatialDropout2D,
)

Array = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""Top, left, bottom, right of a patch in the layer's input; it reaches beyond the input where that is padded."""

LEAKY_RELU_SLOPE = 0.2
"""Slope below zero of Keras's activation `leaky_relu`. The layer LeakyReLU has a slope of its own."""

Operation = Literal[
    "conv",
    "depthwise conv",
    "max pooling",
    "average pooling",
    "dense",
    "softmax",
    "batch normalization",
    "rescaling",
    "rectifier",
    "dropout",
    "flatten",
]
Quantity = Literal[
    "input",
    "output",
    "weighted sum",
    "bias",
    "sum with bias",
    "exponential",
    "sum of exponentials",
    "activation",
    "maximum",
    "mean",
    "channel mean",
    "channel deviation",
    "normalized",
    "gamma",
    "beta",
    "scale",
]


@dataclass(frozen=True, eq=False)
class UnitArithmetic:
    """How one output of a layer is computed.

    Attributes:
        operation: what the layer does.
        steps: (quantity, value) in the order of the computation; the last value is the layer's output.
        activation: Keras's name of the activation that is applied at the end; None where there is none.
        negative_slope: of a rectifier, what it multiplies negative numbers by.
        source: of a flatten layer, the index in its input where the number comes from.
        patch: (k, k, C) float32, the part of the input under the filter or window, 0 where it is padded; None for
            other layers.
        kernel: (k, k, C) float32, the filter; None where there is none.
        box: where the patch is in the input.
        terms: (input, weight) for each input of a dense unit, or (input, probability) for each input of a softmax.
    """

    operation: Operation
    steps: tuple[tuple[Quantity, float], ...]
    activation: str | None = None
    negative_slope: float = 0.0
    source: tuple[int, ...] = ()
    patch: Array | None = None
    kernel: Array | None = None
    box: Box | None = None
    terms: tuple[tuple[float, float], ...] = ()

    @property
    def value(self) -> float:
        """The unit's output."""
        return self.steps[-1][1]


def compute_unit(layer: Layer, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    """Computes one output of a layer, as Keras does when it predicts.

    Args:
        layer: the layer.
        weights: its weights, as returned by `models.weights.layer_weights`.
        inputs: the layer's input for one image: (H, W, C) or (W,) float32.
        index: (row, column, channel) of the output, or (unit,).

    Raises:
        ModelError: the layer has no such output.
    """
    shape = layer.output_shape(inputs.shape)
    if len(index) != len(shape) or not all(0 <= place < size for place, size in zip(index, shape, strict=True)):
        raise ModelError(f"{type(layer).__name__} outputs an array of shape {shape}; index {index} is outside of it.")
    return _COMPUTATIONS[type(layer)](layer, weights, inputs.astype(np.float32), index)


def window_box(input_shape: tuple[int, ...], size: int, strides: int, padding: str, index: tuple[int, ...]) -> Box:
    """The part of the input that a filter or pooling window covers for one output.

    With `same` padding, Keras pads half of what is missing above and to the left, and the rest, one more for odd
    numbers, below and to the right.

    Args:
        input_shape: (H, W, ...).
        size: of the window, in pixels.
        strides: in pixels.
        padding: `same` or `valid`.
        index: (row, column, ...) of the output.
    """
    starts = []
    for length, place in zip(input_shape[:2], index[:2], strict=True):
        missing = max((math.ceil(length / strides) - 1) * strides + size - length, 0) if padding == "same" else 0
        starts.append(place * strides - missing // 2)
    return starts[0], starts[1], starts[0] + size, starts[1] + size


def extract_patch(inputs: Array, box: Box, fill: float = 0.0) -> Array:
    """Returns (k, k, C) float32: the inputs inside a box, `fill` where the box reaches beyond them."""
    top, left, bottom, right = box
    patch = np.full((bottom - top, right - left, inputs.shape[2]), fill, np.float32)
    first_row, last_row = max(top, 0), min(bottom, inputs.shape[0])
    first_column, last_column = max(left, 0), min(right, inputs.shape[1])
    patch[first_row - top : last_row - top, first_column - left : last_column - left] = inputs[
        first_row:last_row, first_column:last_column
    ]
    return patch


def apply_activation(name: str | None, values: Array) -> Array:
    """Applies the Keras activation of this name to (N,) float32 values, in float64."""
    wide = values.astype(np.float64)
    if name == "softmax":
        exponentials = np.exp(wide - wide.max())
        return np.asarray(exponentials / exponentials.sum(), np.float32)
    return np.asarray([_ACTIVATIONS[name](float(value)) for value in wide], np.float32)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


_ACTIVATIONS: dict[str | None, Callable[[float], float]] = {
    None: lambda x: x,
    "relu": lambda x: max(0.0, x),
    "leaky_relu": lambda x: x if x > 0 else LEAKY_RELU_SLOPE * x,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x * _sigmoid(x),
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
}


def _add_bias_and_activate(
    layer: Any, sums: Array, biases: Array | None, unit: int
) -> tuple[tuple[Quantity, float], ...]:
    """The steps after the weighted sum. `sums`: (N,) float32, those of all units, because softmax needs them."""
    steps: list[tuple[Quantity, float]] = [("weighted sum", float(sums[unit]))]
    if biases is not None:
        sums = sums + biases
        steps += [("bias", float(biases[unit])), ("sum with bias", float(sums[unit]))]
    if layer.activation == "softmax":
        steps += _softmax_steps(sums, unit)
    if layer.activation is not None:
        steps.append(("activation", float(apply_activation(layer.activation, sums)[unit])))
    return tuple(steps)


def _softmax_steps(values: Array, unit: int) -> list[tuple[Quantity, float]]:
    """Numerator and denominator of softmax. The largest value is subtracted first, so that no exponential overflows."""
    exponentials = np.exp(values.astype(np.float64) - values.max())
    return [("exponential", float(exponentials[unit])), ("sum of exponentials", float(exponentials.sum()))]


def _conv(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    box = window_box(inputs.shape, layer.kernel_size, layer.strides, layer.padding, index)
    patch, kernels, channel = extract_patch(inputs, box), weights[0], index[2]
    operation: Operation
    if isinstance(layer, DepthwiseConv2D):
        operation, kernel = "depthwise conv", kernels[..., channel, :]
        sums = np.einsum("ijc,ijc->c", patch, kernels[..., 0])
        patch = patch[..., channel : channel + 1]
    else:
        operation, kernel = "conv", kernels[..., channel]
        sums = np.tensordot(patch, kernels, 3)
    steps = _add_bias_and_activate(layer, sums, weights[1] if layer.use_bias else None, channel)
    return UnitArithmetic(operation, steps, layer.activation, patch=patch, kernel=kernel, box=box)


def _pooling(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    box = window_box(inputs.shape, layer.pool_size, layer.strides or layer.pool_size, layer.padding, index)
    patch = extract_patch(inputs, box, math.nan)[..., index[2] :][..., :1]
    return _pool_patch(isinstance(layer, MaxPooling2D), patch, box)


def _global_pooling(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    rows, columns, _ = inputs.shape
    patch = inputs[..., index[0] : index[0] + 1]
    return _pool_patch(isinstance(layer, GlobalMaxPooling2D), patch, (0, 0, rows, columns))


def _pool_patch(largest: bool, patch: Array, box: Box) -> UnitArithmetic:
    """Pools a patch in which padding is NaN: padding does not count."""
    without_padding = np.nan_to_num(patch)
    if largest:
        return UnitArithmetic("max pooling", (("maximum", float(np.nanmax(patch))),), patch=without_padding, box=box)
    return UnitArithmetic("average pooling", (("mean", float(np.nanmean(patch))),), patch=without_padding, box=box)


def _dense(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    sums, column = inputs @ weights[0], weights[0][:, index[0]]
    steps = _add_bias_and_activate(layer, sums, weights[1] if layer.use_bias else None, index[0])
    terms = tuple(zip(inputs.tolist(), column.tolist(), strict=True))
    return UnitArithmetic("dense", steps, layer.activation, terms=terms)


def _softmax(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    row, unit = inputs[index[:-1]], index[-1]
    probabilities = apply_activation("softmax", row)
    steps = (("input", float(row[unit])), *_softmax_steps(row, unit), ("activation", float(probabilities[unit])))
    terms = tuple(zip(row.tolist(), probabilities.tolist(), strict=True))
    return UnitArithmetic("softmax", steps, "softmax", terms=terms)


def _batch_normalization(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    gamma, beta, mean, variance = (float(each[index[-1]]) for each in weights)
    value, deviation = float(inputs[index]), math.sqrt(variance + layer.epsilon)
    normalized = (value - mean) / deviation
    return UnitArithmetic(
        "batch normalization",
        (
            ("input", value),
            ("channel mean", mean),
            ("channel deviation", deviation),
            ("normalized", normalized),
            ("gamma", gamma),
            ("beta", beta),
            ("output", gamma * normalized + beta),
        ),
    )


def _rescaling(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    value = float(inputs[index])
    return UnitArithmetic("rescaling", (("input", value), ("scale", layer.scale), ("output", value * layer.scale)))


def _rectifier(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    value, slope = float(inputs[index]), getattr(layer, "negative_slope", 0.0)
    output = value if value > 0 else slope * value + 0.0  # -0.0 + 0.0 is 0.0
    return UnitArithmetic("rectifier", (("input", value), ("output", output)), negative_slope=slope)


def _dropout(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    return UnitArithmetic("dropout", (("output", float(inputs[index])),))


def _flatten(layer: Any, weights: Weights, inputs: Array, index: tuple[int, ...]) -> UnitArithmetic:
    source = tuple(int(place) for place in np.unravel_index(index[0], inputs.shape))
    return UnitArithmetic("flatten", (("output", float(inputs[source])),), source=source)


_COMPUTATIONS: dict[type[Layer], Callable[[Any, Weights, Array, tuple[int, ...]], UnitArithmetic]] = {
    Rescaling: _rescaling,
    Conv2D: _conv,
    DepthwiseConv2D: _conv,
    MaxPooling2D: _pooling,
    AveragePooling2D: _pooling,
    GlobalAveragePooling2D: _global_pooling,
    GlobalMaxPooling2D: _global_pooling,
    BatchNormalization: _batch_normalization,
    ReLU: _rectifier,
    LeakyReLU: _rectifier,
    Softmax: _softmax,
    Dropout: _dropout,
    SpatialDropout2D: _dropout,
    Flatten: _flatten,
    Dense: _dense,
}
