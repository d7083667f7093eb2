"""The name, star and note that people give a run, stored in its label.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from mnist_core.errors import RunError
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.locks import locked
from mnist_core.runs.names import memorable_name
from mnist_core.runs.run import Run

MAX_NAME = 80
"""Longest name of a run, in characters."""
MAX_NOTE = 2000
"""Longest note on a run, in characters."""


@dataclass(frozen=True)
class Label:
    """What people say about a run.

    Attributes:
        name: one line; empty if nobody named it.
        starred: whether it is a favorite.
        note: free text.
    """

    name: str = ""
    starred: bool = False
    note: str = ""


def read_label(run: Run) -> Label:
    """Returns the label of a run. Missing or broken parts are empty."""
    value = read_json(run.path / "label.json")
    name, note = value.get("name"), value.get("note")
    return Label(
        name=_to_one_line(name) if isinstance(name, str) else "",
        starred=value.get("starred") is True,
        note=note[:MAX_NOTE] if isinstance(note, str) else "",
    )


def update_label(run: Run, **changes: Any) -> Label:
    """Changes parts of a label.

    Args:
        run: whose label.
        changes: fields of Label.

    Raises:
        RunError: the name or the note is too long, or the file cannot be written.
    """
    try:
        with locked(run.path.parent):
            return _change_label(run, changes)
    except OSError as error:
        raise RunError(f"The label of {run.id} cannot be written. {explain_write_error(error, run.path)}") from None


def _change_label(run: Run, changes: dict[str, Any]) -> Label:
    label = replace(read_label(run), **changes)
    for part, text, limit in (("name", label.name, MAX_NAME), ("note", label.note, MAX_NOTE)):
        if len(text.strip()) > limit:
            raise RunError(
                f"The {part} has {len(text.strip()):,} characters; at most {limit:,} are allowed. Shorten it."
            )
    label = replace(label, name=_to_one_line(label.name), note=label.note.strip())
    write_json(run.path / "label.json", asdict(label))
    return label


def run_title(run: Run, label: Label | None = None) -> str:
    """The name that people gave a run, or else a generated one: `calm-otter-47`.

    Args:
        run: to name.
        label: of the run, if it has been read already.
    """
    return (label or read_label(run)).name or memorable_name(run.id)


def _to_one_line(name: str) -> str:
    """Drops what is not printable, joins the words with single spaces, and cuts at MAX_NAME."""
    return " ".join("".join(char if char.isprintable() else " " for char in name).split())[:MAX_NAME]
