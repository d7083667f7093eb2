"""Folds the runs of each sweep into one row of the history: twenty trials would bury what people train themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_core.errors import SweepError
from mnist_core.sweeps.objective import best_unless_retrained
from mnist_core.sweeps.plan import plan_title
from mnist_core.sweeps.search_space import settings_text
from mnist_core.sweeps.store import Sweep, list_sweeps

Row = dict[str, Any]
"""As `history.history_row` returns it."""


@dataclass(frozen=True)
class SweepHead:
    """What stands for a sweep in lists of runs and models.

    Attributes:
        title: what it searches.
        state: of the sweep.
        best: id of the best retrained run, or of the best trial if it is another; empty if no trial has finished.
        settings: of the best trial, `batch size 64, learning rate 0.003`.
    """

    title: str
    state: str
    best: str = ""
    settings: str = ""


def sweep_heads(root: Path) -> dict[str, SweepHead]:
    """Sweep id -> its head, of every sweep that can be read, newest first. `root`: the folder of all runs."""
    heads = {}
    for sweep in list_sweeps(root):
        try:
            heads[sweep.id] = _head(sweep)
        except SweepError:  # its page says why
            continue
    return heads


def _head(sweep: Sweep) -> SweepHead:
    plan, retrained = sweep.plan(), sweep.retrained_best()
    best = best_unless_retrained(sweep.trials(), plan, retrained) or (retrained if retrained.get("run") else None)
    head = SweepHead(plan_title(plan), sweep.status().state)
    return replace(head, best=best["run"], settings=settings_text(best["settings"])) if best else head


def sweep_of(row: Row) -> str:
    """The id of the sweep that a row's run belongs to; empty if none."""
    return str(row["sweep"] or "").partition(" ")[0]


def fold_sweeps(rows: Iterable[Row], heads: Mapping[str, SweepHead]) -> list[Row]:
    """Replaces the runs of each sweep by one row, in the place of the first of them.

    Args:
        rows: of the history.
        heads: from `sweep_heads`. A sweep that is missing there has been deleted or cannot be read.

    Returns:
        The rows. That of a sweep has its id as `run`, its title as `name`, the results of its best run, the best
        settings as `changed`, the training time of all runs, and their rows as `runs`.
    """
    runs: dict[str, list[Row]] = {}
    folded: list[Row] = []
    for row in rows:
        sweep = sweep_of(row)
        if not sweep:
            folded.append(row)
        elif sweep in runs:
            runs[sweep].append(row)
        else:
            runs[sweep] = [row]
            folded.append({"run": sweep})
    return [_sweep_row(row["run"], runs[row["run"]], heads) if row["run"] in runs else row for row in folded]


def _sweep_row(sweep: str, runs: list[Row], heads: Mapping[str, SweepHead]) -> Row:
    head = heads.get(sweep, SweepHead("Sweep that was deleted", "finished"))
    best = next((row for row in runs if row["run"] == head.best), dict.fromkeys(runs[0]))
    seconds = [row["train_seconds"] for row in runs if row["train_seconds"]]
    return {
        **best,
        "run": sweep,
        "name": head.title,
        "starred": any(row["starred"] for row in runs),
        "note": "",
        "changed": head.settings,
        "recipe": runs[0]["recipe"],
        "data": runs[0]["data"],
        "state": head.state,
        "owner": runs[0]["owner"],
        "taught": False,
        "created": min((row["created"] for row in runs if row["created"]), default=None),
        "train_seconds": sum(seconds) or None,
        "sweep": sweep,
        "runs": runs,
    }


def split_trials(rows: Iterable[Row], heads: Mapping[str, SweepHead]) -> tuple[list[Row], list[Row]]:
    """Returns the runs that belong to no sweep, and of each sweep the best run. The other trials are left out."""
    best = {head.best for head in heads.values()}
    rows = list(rows)
    return [row for row in rows if not row["sweep"]], [row for row in rows if row["sweep"] and row["run"] in best]
