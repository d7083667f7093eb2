"""Reads the weights of a model.keras without TensorFlow.

Only arrays are read: no configuration, no pickle, and no link to another file.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.files.read import open_file
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import keras_layer_names
from mnist_core.networks.layers import Shape

Weights = tuple[NDArray[np.float32], ...]
"""The weights of a layer in Keras's order.

Conv2D: kernel (k, k, C, filters), bias (filters,). DepthwiseConv2D: kernel (k, k, C, 1), bias.
Dense: kernel (W, units), bias. BatchNormalization: gamma, beta, mean, variance, each (C,)."""

WEIGHTS_FILE = "model.weights.h5"
"""The member of model.keras that contains the weights."""
MAX_BYTES = 120_000_000
"""Size limit of the unpacked weights: more than the largest network needs."""
_READ_ERRORS = (
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
    """Reads the weights of every layer.

    Args:
        path: a `model.keras`.
        architecture: of the model.

    Returns:
        One tuple per layer, empty for a layer without weights.

    Raises:
        ModelError: the file is missing, broken, or belongs to another network.
    """
    import h5py

    with _explaining(path):
        with open_file(path) as packed, zipfile.ZipFile(packed) as archive:
            if archive.getinfo(WEIGHTS_FILE).file_size > MAX_BYTES:
                raise ModelError(
                    f"{path} contains more weights than any network has. Train it again, or restore the file."
                )
            content = archive.read(WEIGHTS_FILE)
        with h5py.File(io.BytesIO(content), "r") as file:
            return tuple(_read_layers(h5py, file, path, architecture))


def weights_checksum(path: Path) -> str:
    """Returns the checksum that a model.keras declares for its weights, without reading them: 0.2 ms.

    Raises:
        ModelError: the file is missing or broken.
    """
    with _explaining(path), open_file(path) as packed, zipfile.ZipFile(packed) as archive:
        member = archive.getinfo(WEIGHTS_FILE)
        return f"{member.CRC:08x}-{member.file_size}"


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Turns what a broken file raises into a ModelError."""
    try:
        yield
    except _READ_ERRORS as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be read ({why}). Train it again, or restore the file.") from None


def _read_layers(h5py: Any, file: Any, path: Path, architecture: Architecture) -> Iterator[Weights]:
    """Reads the weights of one layer after the other, each only if their shapes are those of the network."""
    names = keras_layer_names(architecture.layers)
    shape: Shape = architecture.input_shape
    for position, (name, layer) in enumerate(zip(names, architecture.layers, strict=True), 1):
        arrays, expected = _layer_arrays(h5py, file, name), layer.weight_shapes(shape)
        where = f"{path} belongs to another network: layer {position} ({type(layer).__name__}) has"
        found = sum(int(array.size) for array in arrays)
        if found != layer.parameters(shape):
            raise ModelError(f"{where} {found:,} weights, expected {layer.parameters(shape):,}.")
        shapes = tuple(array.shape for array in arrays)
        if shapes != expected:
            given, wanted = (" and ".join(map(str, each)) or "none" for each in (shapes, expected))
            raise ModelError(f"{where} weights of shape {given}, expected {wanted}.")
        yield tuple(_read_array(array) for array in arrays)
        shape = layer.output_shape(shape)


def _layer_arrays(h5py: Any, file: Any, name: str) -> list[Any]:
    """The arrays of a layer, not read yet."""
    if f"layers/{name}/vars" not in file:
        return []
    group = file
    for member in ("layers", name, "vars"):
        group = _hard_member(h5py, group, member, h5py.Group)
    arrays = [_hard_member(h5py, group, str(number), h5py.Dataset) for number in range(len(group))]
    return [array for array in arrays if array.dtype.kind == "f"]  # a random generator's state is an integer


def _hard_member(h5py: Any, group: Any, name: str, kind: type) -> Any:
    """Returns a member of a group.

    Raises:
        ValueError: it is of another kind, or a soft or external link, which could name any file.
    """
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, expected a group or an array")
    member = group[name]
    if not isinstance(member, kind):
        raise ValueError(f"{name} is a {type(member).__name__}, expected a {kind.__name__}")
    return member


def _read_array(dataset: Any) -> NDArray[np.float32]:
    if dataset.external or dataset.is_virtual:
        raise ValueError("the array is stored in another file")
    array = np.asarray(dataset[()], np.float32)
    if not np.isfinite(array).all():
        raise ValueError("it has a weight that is not a finite number")
    return array
