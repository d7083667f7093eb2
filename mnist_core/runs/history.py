"""The runs that were made: what each came to, what people call it, and the bin that deleted ones lie in for a day."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError, RunNotFoundError
from mnist_core.files import read_json, write_json
from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.networks.layers import format_shape
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs import index
from mnist_core.runs.run import Run, RunSpec, find_run, list_runs, sweep_mark

MAX_NAME, MAX_NOTE = 80, 2000  # characters
BIN = ".bin"
KEPT_SECONDS = 24 * 3600
"""How long a deleted run can be had back."""
CLOCK_SECONDS = 60
"""Machines that share a folder differ by less."""

_IN_BIN = re.compile(r"([0-9]{1,12})-(.+)")


@dataclass(frozen=True)
class Label:
    """What people say of a run: a name of their own, a star, a note."""

    name: str = ""
    starred: bool = False
    note: str = ""


def label(run: Run) -> Label:
    """What was said of it; nothing where the file is missing or nonsense."""
    value = read_json(run.path / "label.json")
    name, note = value.get("name"), value.get("note")
    return Label(
        _line(name, MAX_NAME) if isinstance(name, str) else "",
        value.get("starred") is True,
        note[:MAX_NOTE] if isinstance(note, str) else "",
    )


def relabel(run: Run, **changes: Any) -> Label:
    """Changes the name, the star or the note. Raises RunError where one is too long, or cannot be written."""
    wanted = replace(label(run), **changes)
    for what, text, most in (("name", wanted.name, MAX_NAME), ("note", wanted.note, MAX_NOTE)):
        if len(text.strip()) > most:
            raise RunError(f"The {what} has {len(text.strip()):,} characters, and {most:,} fit. Shorten it.")
    wanted = replace(wanted, name=_line(wanted.name, MAX_NAME), note=wanted.note.strip())
    try:
        write_json(run.path / "label.json", asdict(wanted))
    except OSError as error:
        raise RunError(f"The label of {run.id} cannot be written: {error}.") from None
    return wanted


def _line(text: str, most: int) -> str:
    """One line without what cannot be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]


def title(run: Run, said: Label | None = None) -> str:
    """The name people gave it, or its recipe and when it was made. `said`: its label, where it was read already."""
    recipe, time_of_day = run.id[16:].rsplit("-", 1)[0], f"{run.id[9:11]}:{run.id[11:13]}:{run.id[13:15]}"
    return (said or label(run)).name or f"{recipe} {run.id[6:8]}.{run.id[4:6]}. {time_of_day}"


ROW = (
    "run",
    "name",
    "starred",
    "note",
    "recipe",
    "changed",
    "data",
    "epochs",
    "test_accuracy",
    "test_loss",
    "parameters",
    "train_seconds",
    "images_per_second",
    "state",
    "created",
    "owner",
    "taught",
    "sweep",
)
"""What a row of the history has."""
_ROWS = f"1 {' '.join(ROW)}"  # of the index; to be counted up when a row comes to mean something else


def summary(run: Run) -> dict[str, Any]:
    """One row of the history. What is not known, or cannot be read, is None.

    Returns:
        `run`, `name`, `starred`, `note`, `recipe`, `changed`, `data`, `epochs`, `test_accuracy` (0..1), `test_loss`,
        `parameters`, `train_seconds`, `images_per_second`, `state`, `created` (seconds since the epoch), `owner` (see
        `owners`), `taught` (whether it went on from another model with kept drawings), `sweep` (the sweep and the trial
        that it is of).

    """
    status, card, said = run.status(), run.card(), label(run)
    try:
        spec: RunSpec | None = run.spec()
    except RunError:
        spec = None
    return {
        "run": run.id,
        **asdict(said),
        "name": title(run, said),
        "recipe": spec.kind if spec else None,
        "changed": changed(spec) if spec else None,
        "data": _data(card) or (spec.data if spec else None),
        "epochs": status.epoch if status.final else status.epochs,
        "test_accuracy": _number(card.get("test_accuracy"), 1.0),
        "test_loss": _number(card.get("test_loss")),
        "parameters": spec.settings.architecture.parameters if spec else None,
        "train_seconds": _number(status.train_seconds) or None,
        "images_per_second": _number(status.images_per_second) or None,
        "state": status.state,
        "created": _number(spec.created) if spec else None,
        "owner": owners.read(run.path),
        "taught": bool(spec and spec.base),
        "sweep": _sweep(run),
    }


def _sweep(run: Run) -> str | None:
    mark = sweep_mark(run)
    if not mark:
        return None
    return f"{mark['sweep'][:MAX_NAME]} trial {mark['trial']}" + (", winner" if mark["part"] else "")


def _number(value: Any, most: float = 1e12) -> float | None:
    """A number from 0 to `most`; None for what a hand may have put into its place."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    return value if good else None


def _data(card: dict[str, Any]) -> str | None:
    """What the run was trained and tested on, which may be another set than was asked for."""
    data = card.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return name[:MAX_NAME] if isinstance(name, str) else None


def changed(spec: RunSpec) -> str:
    """What differs from the recipe, in words: `epochs 3, dropout 0.2, seed 7`."""
    parts = overridden(spec) + ([f"seed {spec.seed}"] if spec.seed else [])
    return ", ".join(["taught"] * bool(spec.base) + parts)


def overridden(spec: RunSpec) -> list[str]:
    """What was set otherwise than in the recipe; of a network of one's own, that it is one."""
    own = [f"{len(spec.settings.layers)} layers of one's own, trained as {spec.recipe}"] * (
        LAYERS_KEY in spec.overrides
    )
    return own + [f"{name} {value}" for name, value in spec.overrides.items() if name != LAYERS_KEY]


def settings_table(specs: Sequence[RunSpec]) -> list[dict[str, Any]]:
    """Settings side by side: `setting`, `differs`, and `values` as text, one for each of the specs."""
    rows: list[tuple[str, list[str]]] = [
        ("recipe", [spec.recipe for spec in specs]),
        ("data", [spec.data for spec in specs]),
        ("seed", [str(spec.seed) for spec in specs]),
        ("base", [spec.base or "new weights" for spec in specs]),
        ("network", [network(spec) for spec in specs]),
    ]
    rows += [(name, [_text(getattr(spec.settings, name)) for spec in specs]) for name in setting_rules()]
    return [{"setting": name, "differs": len(set(values)) > 1, "values": values} for name, values in rows]


def network(spec: RunSpec) -> str:
    """The network in one line: its layers' names and output shapes."""
    rows = spec.settings.architecture.summary()
    return f"{len(rows)} layers, {spec.settings.architecture.parameters:,} parameters: " + " → ".join(
        f"{row.layer} {format_shape(row.output_shape)}" for row in rows
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def delete(run: Run) -> None:
    """Moves an ended run to the bin. Raises RunError where it still goes on, or cannot be moved."""
    status = run.status()
    if not status.final:
        raise RunError(f"The run {run.id} is {status.state}. Stop it before you delete it.")
    target = run.path.parent / BIN / f"{int(time.time())}-{run.id}"
    try:
        target.parent.mkdir(exist_ok=True)
        os.replace(run.path, target)
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be deleted: {error}.") from None


def deleted(root: Path | None = None) -> dict[str, float]:
    """Run id -> when it was deleted, seconds since the epoch, of what is in the bin; the last one first."""
    found = {match[2]: min(float(match[1]), time.time()) for match, _ in _bin(root)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def find_deleted(run_id: str, root: Path | None = None) -> Run:
    """The run as it lies in the bin. Raises RunNotFoundError where it is not there."""
    path = next((path for match, path in _bin(root) if match[2] == run_id), None)
    if path is None:
        raise RunNotFoundError(
            f"The run {run_id[:80]!r} is not in the bin. It may have been emptied: that is done daily."
        )
    return Run(path)


def restore(run_id: str, root: Path | None = None) -> Run:
    """Takes a run out of the bin. Raises RunNotFoundError where it is not there, RunError where it cannot be moved."""
    root = root or runs_dir()
    try:
        os.replace(find_deleted(run_id, root).path, root / run_id)
    except OSError as error:
        raise RunError(f"The run {run_id} cannot be restored: {error}.") from None
    return find_run(run_id, root)


def empty_bin(root: Path | None = None) -> None:
    """Deletes for good what has lain in the bin for a day."""
    now = time.time()
    for match, path in _bin(root):
        if now - float(match[1]) > KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
        elif float(match[1]) > now + CLOCK_SECONDS:  # the clock was put back: its day begins now
            with contextlib.suppress(OSError):
                os.replace(path, path.with_name(f"{int(now)}-{match[2]}"))


def _bin(root: Path | None) -> list[tuple[re.Match[str], Path]]:
    folder = (root or runs_dir()) / BIN
    paths = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    return [(match, path) for path in paths if (match := _IN_BIN.fullmatch(path.name)) and path.is_dir()]


def everything(root: Path | None = None) -> list[dict[str, Any]]:
    """`summary` of every run, newest first; of those that have ended from the index, as far as it knows them."""
    root = root or runs_dir()
    return index.rows(root, list_runs(root), summary, _ROWS)
