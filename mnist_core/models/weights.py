"""The weights of a model.keras, layer by layer, without TensorFlow. Nothing but numbers is read: no configuration, no
pickle, and no link out of the file."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.networks.architecture import Architecture

Weights = tuple[NDArray[np.float32], ...]
"""As Keras orders them. Conv2D: kernel (k, k, C, filters), bias (filters,). DepthwiseConv2D: kernel (k, k, C, 1), bias.
Dense: kernel (W, units), bias. BatchNormalization: gamma, beta, mean, variance, each (C,)."""

FILE = "model.weights.h5"
LARGEST = 120_000_000  # bytes, unpacked: more than the largest network's
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def layer_weights(path: Path, architecture: Architecture) -> tuple[Weights, ...]:
    """The weights of every layer.

    Args:
        path: a `model.keras`.
        architecture: of the model.

    Returns:
        One tuple a layer, empty where it has none.

    Raises:
        ModelError: the file is missing or broken, or is of another network.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(FILE).file_size > LARGEST:
                raise ModelError(f"{path} holds more weights than a network has. Train it again, or restore the file.")
            content = archive.read(FILE)
        with h5py.File(io.BytesIO(content), "r") as file:
            found = tuple(_weights(h5py, file, name) for name in _names(architecture))
    except _BROKEN as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be read ({why}). Train it again, or restore the file.") from None
    for position, (layer, row) in enumerate(zip(found, architecture.summary(), strict=True), 1):
        if sum(weights.size for weights in layer) != row.parameters:
            raise ModelError(
                f"{path} is of another network: layer {position} ({row.layer}) has "
                f"{sum(weights.size for weights in layer):,} weights, expected {row.parameters:,}."
            )
    return found


def _names(architecture: Architecture) -> list[str]:
    """What Keras calls the layers in the file: `conv2d`, `conv2d_1`, `batch_normalization`, …"""
    names, seen = [], dict[str, int]()
    for layer in architecture.layers:
        words = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__))
        name = words.lower()
        names.append(f"{name}_{seen[name]}" if seen.get(name) else name)
        seen[name] = seen.get(name, 0) + 1
    return names


def _weights(h5py: Any, file: Any, name: str) -> Weights:
    if f"layers/{name}/vars" not in file:
        return ()
    place = file
    for step in ("layers", name, "vars"):
        place = _followed(h5py, place, step)
    arrays = [_followed(h5py, place, str(number)) for number in range(len(place))]
    return tuple(_array(array) for array in arrays if array.dtype.kind == "f")  # a generator's state is no weight


def _followed(h5py: Any, group: Any, name: str) -> Any:
    """What a group holds. Raises ValueError for what lies elsewhere: a link can name any file of this computer."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, expected a group or numbers")
    return group[name]


def _array(dataset: Any) -> NDArray[np.float32]:
    if dataset.external or dataset.is_virtual or dataset.size * 4 > LARGEST:
        raise ValueError("its numbers lie in another file, or are more than a network has")
    return np.asarray(dataset[()], np.float32)
