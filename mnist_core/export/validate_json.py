"""Checks the JSON files of an imported run: which values they have, and that numbers are finite and in range."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.errors import RunError
from mnist_core.fields import is_number
from mnist_core.files.json_reader import parse_json
from mnist_core.recipes.overrides import is_valid_override
from mnist_core.runs.reports import ESTIMATED, REPORT_RULES
from mnist_core.runs.run import TEST_SCORES
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import STATES
from mnist_core.runs.store import is_run_id

RECIPE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_TEXT_LENGTH = 1000
"""Characters of `data`."""
MAX_STATUS_TEXT = 10_000
"""Characters of each text in a status, as in `Status`."""
MAX_TIMESTAMP = 4e9
"""Seconds since 1970, in the year 2096. A run cannot have been made later."""
MAX_NUMBER = 1e12
"""Of a status or a card: more seconds, images or steps than any training has."""
MAX_INTEGER = 2**53
"""Larger whole numbers are not exact in JavaScript, and no file of a run has one."""

MAX_REPORTS = 200_000
"""Lines of metrics.jsonl: a training of a day writes two a second."""
MAX_REPORT_BYTES = 4_000
"""One report is 1,000 bytes long at most: sixteen numbers, sixty digits and six probes."""

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
ESTIMATES = (*ESTIMATED.values(), "estimate_seconds")
"""Keys of a report whose values must keep their rule in REPORT_RULES."""


def check_json(path: Path) -> None:
    """Checks a file of which only the form matters."""
    _read_object(path)


def _read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object whose numbers are all finite."""
    return parse_object(path.read_bytes())


def parse_object(content: bytes) -> dict[str, Any]:
    """Parses a JSON object whose numbers are all finite. Raises ValueError or RunError."""
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


def check_spec(path: Path) -> None:
    """Checks that a spec describes a run that this version can train."""
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
        raise RunError(f"its creation time is {spec.created:g}, which is not a valid time")
    for name, given in spec.overrides.items():
        if not is_valid_override(name, given):
            raise RunError(f"it sets {str(name)[:80]!r} to {str(given)[:80]!r}, which is not a valid setting")
    return spec


def check_status(path: Path) -> None:
    """Checks the types and ranges of a status, with or without the fields that older versions did not have."""
    value = _read_object(path)
    if value.get("state") not in STATES:
        raise RunError(f"its state is {str(value.get('state'))[:80]!r}, expected one of {', '.join(STATES)}")
    for name, each in value.items():
        if isinstance(each, str):
            if len(each) > MAX_STATUS_TEXT:
                raise RunError(f"its {name[:80]} has more than {MAX_STATUS_TEXT:,} characters")
        elif each is not None and not _is_between(each, 0, MAX_NUMBER):
            raise RunError(f"its {name[:80]} is {str(each)[:80]!r}, expected a number from 0 to {MAX_NUMBER:g}")


def _is_between(value: object, low: float, high: float) -> bool:
    return is_number(value) and low <= value <= high


def check_metrics(path: Path) -> None:
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
        return parse_object(line)
    except (ValueError, RecursionError, RunError):
        raise RunError(f"its line {number:,} is not a JSON object with finite numbers") from None


def _check_report(row: dict[str, Any]) -> None:
    for name in REPORT_NUMBERS:
        if name in row and not is_number(row[name]):
            raise RunError(f"a report says that {name} is {str(row[name])[:80]!r}, expected a number")
    for name in ESTIMATES:
        if name in row and not REPORT_RULES[name].accepts(row[name]):
            raise RunError(f"a report says that {name} is {str(row[name])[:80]!r}, expected {REPORT_RULES[name]}")
    changed = row.get("changed", {})
    if "step" not in row or not isinstance(changed, dict) or not all(map(is_number, changed.values())):
        raise RunError("a report has no step, or changes that are not numbers")


def check_card(path: Path) -> None:
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
    """Checks the gains and losses of fine-tuning, which the page of the run shows."""
    if not isinstance(taught, dict):
        raise RunError(f"its taught is {str(taught)[:80]!r}, expected an object")
    _check_numbers(taught, ("right_before", "right_after", "drawings"), MAX_NUMBER, required=True)
    _check_numbers(taught, ("test_accuracy_before",), 1, required=True)


def _check_numbers(value: Any, names: tuple[str, ...], high: float, required: bool = False) -> None:
    for name in names:
        if (required or name in value) and not _is_between(value.get(name), 0, high):
            raise RunError(f"its {name} is {str(value.get(name))[:80]!r}, expected a number from 0 to {high:g}")
