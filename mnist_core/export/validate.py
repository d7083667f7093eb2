"""Checks every file of an imported run. Nothing is executed, and no pickle is read.

What a file declares is checked before it is read: the length of lines, the shapes of arrays, the sizes in a zip. Models
are opened in a process of their own, `try_model`, with a memory limit and a time limit.

The app never loads a `.keras` file in the web process, and a worker loads only the weights from one. Still, a file with
a layer that Digit Lab does not know, such as a Lambda, which contains code, is refused here.
"""

from __future__ import annotations

import math
import re
import subprocess  # noqa: S404 - starts this package's own module
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from mnist_core.errors import RunError
from mnist_core.export import try_model
from mnist_core.export.unzip import FREE_BYTES
from mnist_core.fields import is_number
from mnist_core.files.json_reader import parse_json
from mnist_core.models.weights import WEIGHTS_FILE
from mnist_core.networks.layers import LAYERS
from mnist_core.processes import last_error_line, run_module
from mnist_core.recipes.overrides import is_valid_override
from mnist_core.runs.run import TEST_SCORES, Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import STATES
from mnist_core.runs.store import is_run_id

RECIPE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_TEXT_LENGTH = 1000
"""Characters of `data` and of each text in a status."""

MAX_TIMESTAMP = 4e9
"""Seconds since 1970, in the year 2096. A run cannot have been made later."""
MAX_NUMBER = 1e12
"""Of a status or a card: more seconds, images or steps than any training has."""
MAX_INTEGER = 2**53
"""Larger whole numbers are not exact in JavaScript, and no file of a run has one."""

MAX_REPORTS = 200_000
"""Lines of metrics.jsonl: a training of a day writes two a second."""
MAX_REPORT_BYTES = 4_000
"""One report is 900 bytes long at most: thirteen numbers, sixty digits and six probes."""
MAX_ARRAYS = 16
"""Arrays in wall.npz, which has two."""
MAX_WALL_BYTES = 1_000_000

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
    SyntaxError,  # NumPy parses the header of an array as Python
    tokenize.TokenError,
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
    _try_models(run)


def _check_spec(path: Path) -> None:
    _parse_spec(_read_object(path))


def _parse_spec(value: Any) -> RunSpec:
    spec = RunSpec.from_json(value)
    if not RECIPE.fullmatch(spec.recipe):
        raise RunError(f"its recipe is {spec.recipe[:80]!r}, expected lower-case letters, digits and hyphens")
    if len(spec.data) > MAX_TEXT_LENGTH or not spec.data.isprintable():
        raise RunError(f"its data is not a printable text of at most {MAX_TEXT_LENGTH} characters")
    if spec.base and not is_run_id(spec.base):
        raise RunError(f"its base is {spec.base[:80]!r}, expected the id of a run")
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
    value = parse_json(content)
    if not isinstance(value, dict):
        raise RunError("it is not a JSON object")
    for each in _leaves(value):
        if isinstance(each, float) and not math.isfinite(each) or isinstance(each, int) and abs(each) > MAX_INTEGER:
            raise RunError("it contains a number that is not finite, or too large")
    return value


def _leaves(value: Any) -> Iterator[Any]:
    """All values that are neither lists nor objects."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield value


def _check_status(path: Path) -> None:
    """Checks the types and ranges of a status, with or without the fields that older versions did not have."""
    value = _read_object(path)
    if value.get("state") not in STATES:
        raise RunError(f"its state is {str(value.get('state'))[:80]!r}, expected one of {', '.join(STATES)}")
    for name, each in value.items():
        if isinstance(each, str):
            if len(each) > MAX_TEXT_LENGTH:
                raise RunError(f"its {name[:80]} has more than {MAX_TEXT_LENGTH} characters")
        elif each is not None and not _is_between(each, 0, MAX_NUMBER):
            raise RunError(f"its {name[:80]} is {str(each)[:80]!r}, expected a number from 0 to {MAX_NUMBER:g}")


def _is_between(value: object, low: float, high: float) -> bool:
    return is_number(value) and low <= value <= high


def _check_metrics(path: Path) -> None:
    """Checks that reports contain numbers, line by line. The last may be incomplete: a crash leaves it so."""
    with path.open("rb") as file:
        for number in range(1, MAX_REPORTS + 2):
            line = file.readline(MAX_REPORT_BYTES + 1)
            if not line.endswith(b"\n") and len(line) <= MAX_REPORT_BYTES:
                return
            if number > MAX_REPORTS or len(line) > MAX_REPORT_BYTES:
                raise RunError(
                    f"it has more than {MAX_REPORTS:,} lines, or a line of more than {MAX_REPORT_BYTES:,} characters"
                )
            _check_report(_parse_report(line, number))


def _parse_report(line: bytes, number: int) -> dict[str, Any]:
    try:
        return _parse_object(line)
    except (ValueError, RecursionError, RunError):
        raise RunError(f"its line {number:,} is not a JSON object with finite numbers") from None


def _check_report(row: dict[str, Any]) -> None:
    for name in REPORT_NUMBERS:
        if name in row and not is_number(row[name]):
            raise RunError(f"a report says that {name} is {str(row[name])[:80]!r}, expected a number")
    changed = row.get("changed", {})
    if "step" not in row or not isinstance(changed, dict) or not all(map(is_number, changed.values())):
        raise RunError("a report has no step, or changes that are not numbers")


def _check_card(path: Path) -> None:
    """Checks that the card has the settings of the run, because fine-tuning starts from the card."""
    card, spec = _read_object(path), _parse_spec(_read_object(path.with_name("spec.json")))
    data = card.get("data")
    if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in ("asked", "name", "source")):
        raise RunError("it does not say what the run was trained on")
    if (
        data["name"] not in ("full", "sample", "custom")
        or max(map(len, (data["asked"], data["source"]))) > MAX_TEXT_LENGTH
    ):
        raise RunError(f"its data is {data['name'][:80]!r}, expected full, sample or custom")
    if _parse_spec({**card, "data": data["asked"]}).settings != spec.settings:
        raise RunError("it belongs to another run: its settings are not those of spec.json")
    _check_numbers(card, ("train_seconds", "images_per_second", "parameters", "val_loss"), MAX_NUMBER)
    _check_numbers(card, ("val_accuracy",), 1)
    if card.get("taught"):
        _check_fine_tuning(card["taught"])
    if not card.keys() & set(TEST_SCORES):
        return  # of a sweep's trial, which is not tested
    _check_numbers(card, ("test_accuracy",), 1, required=True)
    _check_numbers(card, ("test_loss",), MAX_NUMBER, required=True)
    counts = np.array(card["test"]["confusion"])
    if counts.shape != (10, 10) or counts.dtype.kind != "i" or counts.min() < 0 or counts.max() > MAX_NUMBER:
        raise RunError("its confusion matrix is not a 10×10 array of counts")


def _check_fine_tuning(taught: Any) -> None:
    """Checks what fine-tuning gained and lost, which the page of the run shows."""
    _check_numbers(taught, ("right_before", "right_after", "drawings"), MAX_NUMBER, required=True)
    _check_numbers(taught, ("test_accuracy_before",), 1, required=True)


def _check_numbers(value: Any, names: tuple[str, ...], high: float, required: bool = False) -> None:
    for name in names:
        if (required or name in value) and not _is_between(value.get(name), 0, high):
            raise RunError(f"its {name} is {str(value.get(name))[:80]!r}, expected a number from 0 to {high:g}")


def _check_wall(path: Path) -> None:
    """Checks that arrays contain numbers, and are complete, few and small."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_ARRAYS or sum(info.file_size for info in infos) > MAX_WALL_BYTES:
            raise RunError(f"it contains {len(infos)} arrays, or larger ones than a run has")
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


def _check_keras(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if len(archive.infolist()) != len(infos) or set(infos) != set(KERAS_FILES):
            raise RunError(f"it contains {', '.join(infos)[:200]}, expected {', '.join(KERAS_FILES)}")
        if any(infos[name].file_size > most for name, most in KERAS_FILES.items()):
            raise RunError("it contains a file that is larger than that of the largest network")
        weights = infos[WEIGHTS_FILE]
        if weights.file_size > max(FREE_BYTES, MAX_KERAS_RATIO * min(weights.compress_size, path.stat().st_size)):
            raise RunError("its weights are packed far more densely than weights can be")
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
    with path.open("rb") as file:
        if file.read(8)[4:] != b"TFL3":
            raise RunError("it is not a LiteRT model")


def _try_models(run: Run) -> None:
    """Opens the models in a separate process, because a broken one can crash it or use any amount of memory."""
    if not any((run.path / name).exists() for name in try_model.CHECKS):
        return
    folder, seconds = str(run.path.resolve()), try_model.MAX_SECONDS
    try:
        done = run_module("mnist_core.export.try_model", folder, threads=1, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RunError(f"The run's models cannot be imported: trying them takes more than {seconds} s.") from None
    if done.returncode:
        name = (done.stdout.split() or ["models"])[-1]  # it prints what it is about to open
        why = last_error_line(done)[:300] if done.returncode == 1 else "it is broken, or needs too much memory"
        raise RunError(f"The run's {name} cannot be imported: {why}. Export the run again.")


CHECKS: dict[str, Callable[[Path], None]] = {
    "spec.json": _check_spec,
    "status.json": _check_status,
    "control.json": _check_json,
    "label.json": _check_json,
    "probes.json": _check_json,
    "metrics.jsonl": _check_metrics,
    "card.json": _check_card,
    "wall.npz": _check_wall,
    "model.keras": _check_keras,
    "model.tflite": _check_tflite,
}
"""File of a run -> what checks it."""
