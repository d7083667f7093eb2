"""Marks imported runs: RUN_DIR/import.json. Until a run is evaluated here, its scores are those of its zip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mnist_core.fields import is_number
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json

IMPORT_FILE = "import.json"
MAX_TEXT = 200
"""Characters of `run` and `data`."""


@dataclass(frozen=True)
class ImportMark:
    """The origin of an imported run, and its scores on this machine.

    Attributes:
        run: its id in the zip. For display only: a run always gets a new id when it is imported.
        imported: when, in seconds since the epoch.
        data: what the zip names as the training data, if that is not MNIST or the offline sample. For display only.
        measured: `val_accuracy`, `val_loss`, `test_accuracy` and `test_loss` on this machine's `data` ("full" or
            "sample"); empty until somebody has evaluated the run here.
    """

    run: str = ""
    imported: float = 0.0
    data: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)


def read_import(folder: Path) -> ImportMark | None:
    """Returns the mark of a run's folder; None if the run was made here. Invalid entries count as missing."""
    path = folder / IMPORT_FILE
    if not path.exists():
        return None
    value = read_json(path)
    measured = value.get("measured")
    return ImportMark(
        _text(value.get("run")),
        value["imported"] if is_number(value.get("imported")) else 0.0,
        _text(value.get("data")),
        _scores(measured) if isinstance(measured, dict) else {},
    )


def write_import(folder: Path, mark: ImportMark) -> None:
    """Marks a run's folder. Raises OSError if that cannot be written."""
    write_json(folder / IMPORT_FILE, asdict(mark))


def _text(value: object) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _scores(value: dict[str, Any]) -> dict[str, Any]:
    """The measured scores; empty unless all of them are there."""
    names = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
    complete = all(is_number(value.get(name)) and 0 <= value[name] <= 1e12 for name in names)
    return value if complete and isinstance(value.get("data"), str) else {}
