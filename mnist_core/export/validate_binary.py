"""Checks the arrays and the models of an imported run: what a file declares, before it is read.

The app never loads a `.keras` file in the web process, and a worker loads only the weights from one. Still, a file with
a layer that Digit Lab does not know, such as a Lambda, which contains code, is refused here.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from mnist_core.errors import RunError
from mnist_core.export.unzip import FREE_BYTES
from mnist_core.export.validate_json import parse_object
from mnist_core.models.weights import WEIGHTS_FILE
from mnist_core.networks.layers import LAYERS

MAX_ARRAYS = 16
"""Arrays in wall.npz, which has two."""
MAX_WALL_BYTES = 1_000_000

KERAS_FILES = {"config.json": 1_000_000, "metadata.json": 100_000, "model.weights.h5": 100_000_000}
"""File in a .keras archive -> its maximum size in bytes."""
MAX_KERAS_RATIO = 2
"""How many times its packed size a file of weights may be, if it is larger than FREE_BYTES: float numbers hardly
compress, and Keras stores them."""

KERAS_CLASSES = {
    *LAYERS,
    "Sequential",
    "InputLayer",
    "DTypePolicy",
    "Zeros",
    "Ones",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "RandomNormal",
}
KERAS_MODULES = {"keras", "keras.layers", "keras.initializers"}


def check_wall(path: Path) -> None:
    """Checks that arrays contain numbers, and are complete, few and small."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_ARRAYS or sum(info.file_size for info in infos) > MAX_WALL_BYTES:
            raise RunError(f"it contains too many arrays ({len(infos)}), or one that is too large")
        if len({info.filename for info in infos}) != len(infos):
            raise RunError("it contains an array twice")
        for info in infos:
            with archive.open(info) as file:
                _check_array(file, info.file_size)


def _check_array(file: IO[bytes], size: int) -> None:
    version = np.lib.format.read_magic(file)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = reader[version](file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise RunError(f"it contains {dtype}; only numbers are accepted, never a pickle")
    if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise RunError(f"its header says {shape} {dtype}, but {size - file.tell():,} bytes follow")
    file.read(MAX_WALL_BYTES)  # to its end, where the checksum is compared


def check_keras(path: Path) -> None:
    """Checks that a model has the three files of Keras, in bounds, and only layers that Digit Lab knows."""
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if len(archive.infolist()) != len(infos) or set(infos) != set(KERAS_FILES):
            raise RunError(f"it contains {', '.join(infos)[:200]}, expected {', '.join(KERAS_FILES)}")
        if any(infos[name].file_size > most for name, most in KERAS_FILES.items()):
            raise RunError("it contains a file that is too large even for the largest network")
        weights = infos[WEIGHTS_FILE]
        if weights.file_size > max(FREE_BYTES, MAX_KERAS_RATIO * min(weights.compress_size, path.stat().st_size)):
            raise RunError("its weights are compressed far more than trained weights can be")
        config = parse_object(archive.read("config.json"))
    if not isinstance(config.get("class_name"), str):
        raise RunError("its config.json names no model")
    for name, module, registered in _referenced_classes(config):
        if name not in KERAS_CLASSES or module not in KERAS_MODULES or registered is not None:
            raise RunError(
                f"it contains {str(name)[:80]!r} of {str(module)[:80]!r}, which is not a layer that Digit Lab knows"
            )


def _referenced_classes(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Class, module and registered name of every object in a Keras configuration."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value["class_name"], value.get("module"), value.get("registered_name")
        for each in value.values():
            yield from _referenced_classes(each)
    elif isinstance(value, list):
        for each in value:
            yield from _referenced_classes(each)


def check_tflite(path: Path) -> None:
    """Checks the identifier of a LiteRT model; `try_model` opens it."""
    with path.open("rb") as file:
        if file.read(8)[4:] != b"TFL3":
            raise RunError("it is not a LiteRT model")
