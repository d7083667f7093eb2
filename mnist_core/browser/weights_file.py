"""Writes a model for the browser: model.bin, which `engine.js` reads.

    "DLAB" · format, uint32 · length of the header, uint32 · CRC-32 of all that follows, uint32 · header · weights

Numbers are little-endian. The header is JSON: `input_size`, further entries about the model, and `layers`, each with
its kind, its settings, and for each array its `type`, its `offset` into the weights in bytes and its `length` in
numbers. Layers without effect on a prediction are left out, a batch normalization after a convolution or a dense layer
is folded into it, and an activation belongs to the layer before it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.files.json_reader import parse_json
from mnist_core.models.weights import Weights
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Layer,
    LeakyReLU,
    ReLU,
    Softmax,
    SpatialDropout2D,
)

FORMAT = 1
MAGIC = b"DLAB"
PREFIX = struct.Struct("<4sIII")
"""Magic, format, length of the header, checksum."""
Precision = Literal["float32", "float16", "int8"]

Array = NDArray[np.float32]
_MULTIPLYING = (Conv2D, DepthwiseConv2D, Dense)


def browser_model(
    architecture: Architecture,
    weights: Sequence[Weights],
    precision: Precision = "float16",
    about: Mapping[str, Any] | None = None,
) -> bytes:
    """Returns the content of a model.bin.

    Args:
        architecture: of the model.
        weights: of each layer, from `layer_weights`.
        precision: of kernels. int8 has one scale for each filter or unit, whose largest weight becomes ±127. Biases are
            float32.
        about: further entries of the header, as JSON.

    Raises:
        ModelError: a weight is not a finite number, or too large for float16.
    """
    blob = bytearray()
    layers = [_stored(step, blob, precision) for step in _steps(architecture, weights)]
    entries = {"input_size": architecture.input_size, **(about or {}), "layers": layers}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    body = header + bytes(blob)
    return PREFIX.pack(MAGIC, FORMAT, len(header), zlib.crc32(body)) + body


def read_header(content: bytes) -> dict[str, Any]:
    """Returns the header of a model.bin; an empty one if the content is damaged, cut short or of another format."""
    if len(content) < PREFIX.size:
        return {}
    magic, version, length, checksum = PREFIX.unpack_from(content)
    body = memoryview(content)[PREFIX.size :]
    if (magic, version, checksum) != (MAGIC, FORMAT, zlib.crc32(body)):
        return {}
    try:
        header = parse_json(bytes(body[:length]))
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def _steps(architecture: Architecture, weights: Sequence[Weights]) -> list[dict[str, Any]]:
    """The layers that affect a prediction, with their float32 arrays."""
    steps: list[dict[str, Any]] = []
    shapes = [row.output_shape for row in architecture.summary()]
    for layer, arrays, shape in zip(architecture.layers, weights, shapes, strict=True):
        if isinstance(layer, Dropout | SpatialDropout2D):
            continue
        if isinstance(layer, BatchNormalization):
            _append_scale(steps, layer, arrays)
        elif isinstance(layer, ReLU | LeakyReLU | Softmax):
            _append_activation(steps, layer, shape[-1])
        else:
            steps.append(_plain_step(layer, arrays, shape[-1]))
    return steps


def _plain_step(layer: Layer, arrays: Weights, width: int) -> dict[str, Any]:
    settings = {name: value for name, value in asdict(layer).items() if name in _SETTINGS}
    if "pool_size" in settings:
        settings["strides"] = settings["strides"] or settings["pool_size"]
    if settings.get("activation") == "softmax":
        settings["width"] = width
    step = {"layer": type(layer).__name__, **settings}
    if arrays:
        step["kernel"] = arrays[0]
        step["bias"] = arrays[1] if len(arrays) > 1 else np.zeros(_outputs(layer, arrays[0]), np.float32)
    return step


_SETTINGS = {
    "scale",
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "activation",
    "pool_size",
    "units",
    "negative_slope",
}
"""Fields of layers that affect a prediction."""


def _outputs(layer: Layer, kernel: Array) -> int:
    return int(kernel.shape[2 if isinstance(layer, DepthwiseConv2D) else -1])


def _append_scale(steps: list[dict[str, Any]], layer: BatchNormalization, arrays: Weights) -> None:
    """Folds a batch normalization into the layer before it, or adds it as a scale and an offset for each channel."""
    gamma, beta, mean, variance = (array.astype(np.float64) for array in arrays)
    factors = gamma / np.sqrt(variance + layer.epsilon)
    offsets = beta - mean * factors
    before = steps[-1] if steps else {}
    if before.get("layer") in {kind.__name__ for kind in _MULTIPLYING} and before.get("activation") is None:
        kernel = before["kernel"]
        scale = factors[:, None] if before["layer"] == "DepthwiseConv2D" else factors
        before["kernel"] = (kernel * scale).astype(np.float32)
        before["bias"] = (before["bias"] * factors + offsets).astype(np.float32)
    else:
        steps.append({"layer": "Scale", "kernel": factors.astype(np.float32), "bias": offsets.astype(np.float32)})


def _append_activation(steps: list[dict[str, Any]], layer: ReLU | LeakyReLU | Softmax, width: int) -> None:
    """Adds an activation to the layer before it, or as a separate step if that layer has one already."""
    activation: dict[str, Any] = {"activation": "relu"}
    if isinstance(layer, LeakyReLU):
        activation = {"activation": "leaky_relu", "negative_slope": layer.negative_slope}
    elif isinstance(layer, Softmax):
        activation = {"activation": "softmax", "width": width}
    if steps and steps[-1].get("activation") is None:
        steps[-1].update(activation)
    else:
        steps.append({"layer": "Activation", **activation})


def _stored(step: dict[str, Any], blob: bytearray, precision: Precision) -> dict[str, Any]:
    """Appends the arrays of a step to the blob. Returns its entry in the header."""
    stored = {name: value for name, value in step.items() if value is not None and name not in ("kernel", "bias")}
    if "kernel" in step:
        exact = step["layer"] == "Scale"
        by_output = step["layer"] != "DepthwiseConv2D"
        stored["kernel"] = _put(step["kernel"], blob, "float32" if exact else precision, by_output)
        stored["bias"] = _put(step["bias"], blob, "float32")
    return stored


def _put(array: Array, blob: bytearray, precision: Precision, by_output: bool = True) -> dict[str, Any]:
    if not np.isfinite(array).all():
        raise ModelError(
            "The model has a weight that is not a finite number. Train it again with a smaller learning rate."
        )
    place: dict[str, Any] = {"type": precision}
    if precision == "int8":
        flat = array.reshape(-1, array.shape[-1] if by_output else array.shape[-2])
        scales = np.maximum(np.abs(flat).max(axis=0), 1e-12).astype(np.float32) / 127
        place["scales"] = _put(scales, blob, "float32")
        array = np.rint(flat / scales).astype(np.int8)
    elif precision == "float16" and np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise ModelError("The model has a weight that is too large for float16.")
    stored = _to_float16(array) if precision == "float16" else array
    blob += b"\0" * (-len(blob) % 4)
    place |= {"offset": len(blob), "length": int(stored.size)}
    blob += np.ascontiguousarray(stored, stored.dtype.newbyteorder("<")).tobytes()
    return place


def _to_float16(kernel: Array) -> NDArray[np.float16]:
    """Rounds weights to float16 by error diffusion: the rounding error of each weight is added to the next one.

    Next is the following pixel of the same filter and channel, or the following input of the same unit. Neighboring
    pixels are alike, so the errors cancel: probabilities change less than half as much as by rounding to nearest.
    """
    rounded = np.empty(kernel.shape, np.float16)
    by_place = rounded.reshape(-1, kernel.shape[-1]) if kernel.ndim == 2 else rounded.reshape(kernel.shape[0] ** 2, -1)
    largest = float(np.finfo(np.float16).max)
    error = np.zeros(by_place.shape[1])
    for place, weights in enumerate(kernel.reshape(by_place.shape).astype(np.float64)):
        by_place[place] = np.clip(weights + error, -largest, largest)
        error += weights - by_place[place]
    return rounded
