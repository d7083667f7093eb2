"""The arithmetic of one unit, spelled out: from what the layer gets to the number that it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
Box = tuple[int, int, int, int]  # top, left, bottom, right of a patch in the layer's input; past it where it is padded

LEAKY_RELU_SLOPE = 0.2  # of Keras's activation leaky_relu; the layer LeakyReLU has its own


@dataclass(frozen=True, eq=False)
class UnitArithmetic:
    """How one number comes about.

    Attributes:
        formula: in words.
        steps: what is reckoned -> its value, in order; the last one is the layer's output.
        patch: (k, k, C) float32, what a filter or a window lies on, 0 where it is padded; None for other layers.
        kernel: (k, k, C) float32, the filter; None where there is none.
        box: where the patch lies.
        terms: (input, weight) of a dense unit, or (number, share) of a softmax, in the order of its inputs.
    """

    formula: str
    steps: tuple[tuple[str, float], ...]
    patch: Array | None = None
    kernel: Array | None = None
    box: Box | None = None
    terms: tuple[tuple[float, float], ...] = ()

    @property
    def value(self) -> float:
        """What the layer gives."""
        return self.steps[-1][1]


def compute_unit(layer: Layer, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    """One output of a layer.

    Args:
        layer: which it is.
        weights: its own, as weights.layer_weights gives them.
        before: what it gets for one image: (H, W, C) or (W,) float32.
        place: (row, column, channel) of its output, or (unit,).

    Raises:
        ModelError: the layer has no such output.
    """
    shape = layer.output_shape(before.shape)
    if len(place) != len(shape) or not all(0 <= index < size for index, size in zip(place, shape, strict=True)):
        raise ModelError(f"The layer {type(layer).__name__} gives {shape} numbers; there is none at {place}.")
    return _UNITS[type(layer)](layer, weights, before.astype(np.float32), place)


def window_box(before: tuple[int, ...], size: int, strides: int, padding: str, place: tuple[int, ...]) -> Box:
    """Where the window of an output lies in an input of shape `before`. With `same`, Keras adds half of what is missing
    above and to the left, and the rest, which is one more for odd numbers, below and to the right."""
    starts = []
    for length, index in zip(before[:2], place[:2], strict=True):
        missing = max((math.ceil(length / strides) - 1) * strides + size - length, 0) if padding == "same" else 0
        starts.append(index * strides - missing // 2)
    return starts[0], starts[1], starts[0] + size, starts[1] + size


def extract_patch(before: Array, box: Box, fill: float = 0.0) -> Array:
    """(k, k, C) float32: what lies in a box, `fill` where it is past the edge."""
    top, left, bottom, right = box
    patch = np.full((bottom - top, right - left, before.shape[2]), fill, np.float32)
    rows, columns = (
        range(max(start, 0), min(end, size))
        for start, end, size in ((top, bottom, before.shape[0]), (left, right, before.shape[1]))
    )
    inside = before[rows.start : rows.stop, columns.start : columns.stop]
    patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = inside
    return patch


def apply_activation(name: str | None, values: Array) -> Array:
    """Keras's activation of this name, along the last axis. `values`: (N,) float32."""
    wide = values.astype(np.float64)
    if name == "softmax":
        powers = np.exp(wide - wide.max())
        return np.asarray(powers / powers.sum(), np.float32)
    return np.asarray([_ACTIVATIONS[name](float(value)) for value in wide], np.float32)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


_ACTIVATIONS: dict[str | None, Callable[[float], float]] = {
    None: lambda x: x,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else LEAKY_RELU_SLOPE * x,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x * _sigmoid(x),
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
}


def _ending(layer: Any, sums: Array, biases: Array | None, index: int, what: str) -> tuple[tuple[str, float], ...]:
    """The steps from a sum on. `sums`: (N,) float32 of all units beside it, which softmax needs."""
    steps = [(what, float(sums[index]))]
    if biases is not None:
        sums = sums + biases
        steps += [("bias", float(biases[index])), ("sum + bias", float(sums[index]))]
    if layer.activation == "softmax":
        steps += _powers(sums, index)
    if layer.activation is not None:
        steps.append((layer.activation, float(apply_activation(layer.activation, sums)[index])))
    return tuple(steps)


def _powers(numbers: Array, index: int) -> list[tuple[str, float]]:
    """What softmax divides by what. The largest is subtracted, which changes no share, and no power is too large."""
    powers = np.exp(numbers.astype(np.float64) - numbers.max())
    own, total = float(powers[index]), float(powers.sum())
    return [("e to the power of it less the largest", own), ("sum of all these powers", total)]


def _conv(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    box = window_box(before.shape, layer.kernel_size, layer.strides, layer.padding, place)
    patch, kernel = extract_patch(before, box), weights[0]
    if isinstance(layer, DepthwiseConv2D):
        channel = place[2]
        sums = np.einsum("ijc,ijc->c", patch, kernel[..., 0])
        patch, shown, about = patch[..., channel : channel + 1], kernel[..., channel, :], "of its own channel"
    else:
        sums = np.tensordot(patch, kernel, 3)
        shown, about = kernel[..., place[2]], "of all channels"
    steps = _ending(layer, sums, weights[1] if layer.use_bias else None, place[2], "sum of patch × filter")
    return UnitArithmetic(
        f"Each pixel {about} under the filter times its weight, all added up", steps, patch, shown, box
    )


def _pool(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    box = window_box(before.shape, layer.pool_size, layer.strides or layer.pool_size, layer.padding, place)
    patch = extract_patch(before, box, math.nan)[..., place[2] :][..., :1]
    return _pooled(isinstance(layer, MaxPooling2D), patch, box)


def _pooled(largest: bool, patch: Array, box: Box) -> UnitArithmetic:
    """What is past the edge does not count."""
    value = float(np.nanmax(patch) if largest else np.nanmean(patch))
    what = "largest" if largest else "mean"
    return UnitArithmetic(
        f"The {what} number in the window", ((f"{what} of the window", value),), np.nan_to_num(patch), box=box
    )


def _global_pool(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    rows, columns, _ = before.shape
    patch = before[..., place[0] : place[0] + 1]
    return _pooled(isinstance(layer, GlobalMaxPooling2D), patch, (0, 0, rows, columns))


def _dense(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    sums, column = before @ weights[0], weights[0][:, place[0]]
    steps = _ending(layer, sums, weights[1] if layer.use_bias else None, place[0], "sum of input × weight")
    terms = tuple(zip(before.tolist(), column.tolist(), strict=True))
    return UnitArithmetic("Each input times its weight, all added up", steps, terms=terms)


def _softmax(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    row = before[place[:-1]]
    shares, index = apply_activation("softmax", row), place[-1]
    steps = (("its number", float(row[index])), *_powers(row, index), ("its share of the sum", float(shares[index])))
    terms = tuple(zip(row.tolist(), shares.tolist(), strict=True))
    return UnitArithmetic("e to the power of each number, divided by the sum of all", steps, terms=terms)


def _normalise(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    gamma, beta, mean, variance = (float(each[place[-1]]) for each in weights)
    value, deviation = float(before[place]), math.sqrt(variance + layer.epsilon)
    centred = (value - mean) / deviation
    steps = (
        ("input", value),
        ("mean of the channel in training", mean),
        ("its standard deviation", deviation),
        ("(input − mean) / deviation", centred),
        ("× gamma, learned", gamma),
        ("+ beta, learned", beta),
        ("output", gamma * centred + beta),
    )
    return UnitArithmetic(
        "Less the channel's mean, divided by its deviation, then stretched and moved as learned", steps
    )


def _rescale(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    value = float(before[place])
    return UnitArithmetic(
        "Times a fixed number", (("input", value), ("scale", layer.scale), ("output", value * layer.scale))
    )


def _rectify(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    value, slope = float(before[place]), getattr(layer, "negative_slope", 0.0)
    fate = f"times {slope:g}" if slope else "0"
    given = value if value > 0 else slope * value
    return UnitArithmetic(
        f"A positive number stays, a negative one becomes {fate}", (("input", value), ("output", given))
    )


def _pass(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    value = float(before[place])
    return UnitArithmetic("Handed on as it is: numbers are dropped in training only", (("output", value),))


def _flatten(layer: Any, weights: Weights, before: Array, place: tuple[int, ...]) -> UnitArithmetic:
    where = tuple(int(index) for index in np.unravel_index(place[0], before.shape))
    names = "row {}, column {}, channel {}".format(*where) if len(where) == 3 else f"place {where[0]}"
    return UnitArithmetic(f"The number of {names}, now in a row with all others", (("output", float(before[where])),))


_UNITS: dict[type[Layer], Callable[[Any, Weights, Array, tuple[int, ...]], UnitArithmetic]] = {
    Rescaling: _rescale,
    Conv2D: _conv,
    DepthwiseConv2D: _conv,
    MaxPooling2D: _pool,
    AveragePooling2D: _pool,
    GlobalAveragePooling2D: _global_pool,
    GlobalMaxPooling2D: _global_pool,
    BatchNormalization: _normalise,
    ReLU: _rectify,
    LeakyReLU: _rectify,
    Softmax: _softmax,
    Dropout: _pass,
    SpatialDropout2D: _pass,
    Flatten: _flatten,
    Dense: _dense,
}
