"""The history: one row for each run, with what it trained and how well it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError
from mnist_core.fields import Number, accepted
from mnist_core.runs import index
from mnist_core.runs.card import trained_on
from mnist_core.runs.comparison import describe_changes, live_changes
from mnist_core.runs.imports import read_import
from mnist_core.runs.labels import MAX_NAME, read_label, run_title
from mnist_core.runs.reports import Report, kept_report
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import list_runs

COLUMNS = (
    "run",
    "name",
    "starred",
    "note",
    "recipe",
    "changed",
    "data",
    "epochs",
    "val_accuracy",
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
    "imported",
)
"""Keys of a row of the history."""
CLAIMED, MEASURED = "claimed", "measured"
"""Whose scores an imported run has: those of its zip, or those of this machine."""
MAX_NUMBER = 1e12
"""Larger numbers in a run's files are taken for a mistake."""

_ROW_VERSION = f"6 {' '.join(COLUMNS)}"
"""Version of the rows in the index. Raise the number when a column changes its meaning."""


def history_row(run: Run) -> dict[str, Any]:
    """Returns the row of a run. What is unknown or cannot be read is None.

    Returns:
        The keys of COLUMNS: `run` is the id; `name`, `starred` and `note` are the label; `changed` says what differs
        from the recipe, and what was changed during the training; `data` is what the run was tested on, or is to be
        trained on; `val_accuracy` and `test_accuracy` are 0..1, and a sweep's trial has no test scores;
        `created` is in seconds since the epoch; `owner` is as in `owners`; `taught` is whether the run fine-tunes
        another model; `sweep` names the sweep and the trial that it belongs to; `imported` is None for a run that was
        made here, CLAIMED if its scores are what its zip says, MEASURED if they were measured here.
    """
    status, card, label = run.status(), run.card(), read_label(run)
    try:
        spec: RunSpec | None = run.spec()
    except RunError:
        spec = None
    reports, mark = _reports(run), read_import(run.path)
    measured = mark.measured if mark else {}
    return {
        "run": run.id,
        **asdict(label),
        "name": run_title(run, label),
        "recipe": spec.kind if spec else None,
        "changed": describe_changes(spec, live_changes(reports)) if spec else None,
        "data": measured.get("data") or trained_on(card)[:MAX_NAME] or (spec.data if spec else None),
        "epochs": status.epoch if status.final else status.epochs,
        "val_accuracy": measured.get("val_accuracy", _validation_accuracy(card, reports, spec)),
        "test_accuracy": _number_or_none({**card, **measured}.get("test_accuracy"), 1.0),
        "test_loss": _number_or_none({**card, **measured}.get("test_loss")),
        "parameters": spec.settings.architecture.parameters if spec else None,
        "train_seconds": _number_or_none(status.train_seconds) or None,
        "images_per_second": _number_or_none(status.images_per_second) or None,
        "state": status.state,
        "created": _number_or_none(spec.created) if spec else None,
        "owner": owners.read_owner(run.path),
        "taught": bool(spec and spec.base),
        "sweep": _describe_trial(run),
        "imported": None if mark is None else MEASURED if measured else CLAIMED,
    }


def history_rows(root: Path | None = None) -> list[dict[str, Any]]:
    """Returns `history_row` of every run, newest first. Runs that have ended come from the index."""
    root = root or runs_dir()
    return index.indexed_rows(root, list_runs(root), history_row, _ROW_VERSION)


def _describe_trial(run: Run) -> str | None:
    """`NAME trial 3` for a trial of a sweep; the best trial, retrained, has `, winner` added."""
    mark = sweep_mark(run)
    if not mark:
        return None
    return f"{mark['sweep'][:MAX_NAME]} trial {mark['trial']}" + (", winner" if mark["part"] else "")


def _reports(run: Run) -> Sequence[Report]:
    try:
        return run.sampled_metrics().rows
    except RunError:  # a folder or a pipe has taken the file's place
        return ()


def _validation_accuracy(card: Mapping[str, Any], reports: Sequence[Report], spec: RunSpec | None) -> float | None:
    """That of the model; without a model, or if an earlier version has written its card, that of the last epochs."""
    kept = kept_report(reports, spec.settings.patience if spec else 0) or {}
    return _number_or_none(card.get("val_accuracy", kept.get("val_accuracy")), 1.0)


def _number_or_none(value: Any, limit: float = MAX_NUMBER) -> float | None:
    """The value if it is a number in 0..limit."""
    number: float | None = accepted(Number(0, limit), value)
    return number
