"""Checks every file of an imported run. Nothing is executed, and no pickle is read.

The app never loads a `.keras` file in the web process, and a worker loads only the weights from one. Still, a file with
a layer that Digit Lab does not know, such as a Lambda, which contains code, is refused here.
"""

from __future__ import annotations

import json
import math
import re
import subprocess  # noqa: S404 - starts this package's own module
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from mnist_core.errors import RunError
from mnist_core.fields import is_number
from mnist_core.files import parse_lines
from mnist_core.networks.layers import LAYERS
from mnist_core.processes import run_module
from mnist_core.recipes.overrides import is_valid_override
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.run import TEST_SCORES, Run
from mnist_core.runs.spec import RunSpec

RECIPE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_TEXT_LENGTH = 1000
"""Characters of `data` and `base` in a run spec."""

MAX_TIMESTAMP = 4e9
"""Seconds since 1970, in the year 2096. A run cannot have been made later."""

MAX_ARRAYS = 5000
"""Arrays in an .npz file."""

REPORT_NUMBERS = (
    "step",
    "epoch",
    "loss",
    "accuracy",
    "learning_rate",
    "images",
    "seconds",
    "val_loss",
    "val_accuracy",
    "val_seconds",
    "images_per_second",
    "elapsed",
)
"""Keys of a report whose values must be numbers."""

KERAS_FILES = {"config.json": 5_000_000, "metadata.json": 100_000, "model.weights.h5": 120_000_000}
"""File in a .keras archive -> its maximum size in bytes."""

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
TRY_MODEL_SECONDS = 120

_PARSER_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)


def validate_run(run: Run) -> None:
    """Checks every file of a run that has just been unpacked.

    Raises:
        RunError: names the first file that is invalid, and says why.
    """
    for name, check in CHECKS.items():
        if (run.path / name).exists():
            try:
                check(run.path / name)
            except RunError as error:
                raise RunError(f"The run's {name} cannot be imported: {error}. Export the run again.") from None
            except _PARSER_ERRORS as error:
                why = " ".join(str(error).split())[:200] or type(error).__name__
                raise RunError(f"The run's {name} cannot be imported: {why}. Export the run again.") from None


def _check_spec(path: Path) -> None:
    _parse_spec(_read_object(path))


def _parse_spec(value: Any) -> RunSpec:
    spec = RunSpec.from_json(value)
    if not RECIPE.fullmatch(spec.recipe):
        raise RunError(f"its recipe is {spec.recipe[:80]!r}, expected lower-case letters, digits and hyphens")
    if max(len(spec.data), len(spec.base)) > MAX_TEXT_LENGTH or not (spec.data + spec.base).isprintable():
        raise RunError(f"its data or base is not a printable text of at most {MAX_TEXT_LENGTH} characters")
    if not 0 <= spec.created < MAX_TIMESTAMP:
        raise RunError(f"it was made at {spec.created:g}, which is not a valid time")
    for name, given in spec.overrides.items():
        if not is_valid_override(name, given):
            raise RunError(f"it overrides {str(name)[:80]!r} with {str(given)[:80]!r}")
    return spec


def _read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object whose numbers are all finite."""
    return _parse_object(path.read_bytes())


def _check_json(path: Path) -> None:
    _read_object(path)


def _parse_object(content: bytes) -> dict[str, Any]:
    value = json.loads(content.decode("utf-8"))
    if not isinstance(value, dict):
        raise RunError("it is not a JSON object")
    if any(isinstance(each, float) and not math.isfinite(each) for each in _leaves(value)):
        raise RunError("it contains a number that is not finite")
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield value


def _check_metrics(path: Path) -> None:
    """Checks that reports contain numbers. The last line may be incomplete: a crash leaves it so."""
    rows, _, broken = parse_lines(path.read_bytes())
    if broken:
        raise RunError(f"{broken} of its lines are not JSON objects")
    for row in rows:
        for name in REPORT_NUMBERS:
            if name in row and not is_number(row[name]):
                raise RunError(f"a report says that {name} is {str(row[name])[:80]!r}, expected a number")
        changed = row.get("changed", {})
        if "step" not in row or not isinstance(changed, dict) or not all(map(is_number, changed.values())):
            raise RunError("a report has no step, or changes that are not numbers")


def _check_card(path: Path) -> None:
    """Checks that the card has the settings of the run, because fine-tuning starts from the card."""
    card, spec = _read_object(path), _parse_spec(_read_object(path.with_name("spec.json")))
    asked = card.get("data")
    if not isinstance(asked, dict) or not all(isinstance(asked.get(name), str) for name in ("asked", "name", "source")):
        raise RunError("it does not say what the run was trained on")
    if _parse_spec({**card, "data": asked["asked"]}).settings != spec.settings:
        raise RunError("it belongs to another run: its settings are not those of spec.json")
    if not card.keys() & set(TEST_SCORES):
        return  # of a sweep's trial, which is not tested
    for name in ("test_accuracy", "test_loss"):
        if not is_number(card.get(name)):
            raise RunError(f"its {name} is {str(card.get(name))[:80]!r}, expected a number")
    counts = np.array(card["test"]["confusion"])
    if counts.shape != (10, 10) or counts.dtype.kind != "i" or counts.min() < 0:
        raise RunError("its confusion matrix is not a 10×10 array of counts")


def _npz_check(limit: int) -> Callable[[Path], None]:
    """Returns a check for .npz files: arrays of numbers, complete, of at most `limit` bytes together."""

    def check(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_ARRAYS or sum(info.file_size for info in infos) > limit:
                raise RunError(f"it contains {len(infos)} arrays, or larger ones than a run has")
            if len({info.filename for info in infos}) != len(infos):
                raise RunError("it contains an array twice")
            for info in infos:
                with archive.open(info) as file:
                    _check_array(file, info.file_size)

    return check


def _check_array(file: IO[bytes], size: int) -> None:
    version = np.lib.format.read_magic(file)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = reader[version](file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise RunError(f"it contains {dtype}; only numbers are accepted, never a pickle")
    if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise RunError(f"its header says {shape} {dtype}, but {size - file.tell():,} bytes follow")


def _check_keras(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if len(archive.infolist()) != len(sizes) or set(sizes) != set(KERAS_FILES):
            raise RunError(f"it contains {', '.join(sizes)[:200]}, expected {', '.join(KERAS_FILES)}")
        if any(sizes[name] > most for name, most in KERAS_FILES.items()):
            raise RunError("it contains a file that is larger than that of the largest network")
        config = _parse_object(archive.read("config.json"))
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


def _check_tflite(path: Path) -> None:
    """Tests the model in a separate process, because a broken one can crash it."""
    with path.open("rb") as file:
        if file.read(8)[4:] != b"TFL3":
            raise RunError("it is not a LiteRT model")
    try:
        done = run_module("mnist_core.export.try_model", str(path.resolve()), threads=1, timeout=TRY_MODEL_SECONDS)
    except subprocess.TimeoutExpired:
        raise RunError("it takes too long to classify an image") from None
    if done.returncode:
        raise RunError("it is broken, or does not classify images of digits")


CHECKS: dict[str, Callable[[Path], None]] = {
    "spec.json": _check_spec,
    "status.json": _check_json,
    "control.json": _check_json,
    "label.json": _check_json,
    "probes.json": _check_json,
    "metrics.jsonl": _check_metrics,
    "card.json": _check_card,
    "wall.npz": _npz_check(1_000_000),
    str(CHECKPOINT_FILE): _npz_check(800_000_000),
    "model.keras": _check_keras,
    "model.tflite": _check_tflite,
}
"""File of a run -> what checks it."""
