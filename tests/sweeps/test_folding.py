"""A sweep in the lists of runs and models: one row, and one model, however many trials it has."""

from __future__ import annotations

from typing import Any

from mnist_core.runs import history
from mnist_core.sweeps.folding import SweepHead, fold_sweeps, split_trials

SWEEP, OTHER = "20260101-000000-00000000", "20260102-000000-00000000"
HEADS = {
    SWEEP: SweepHead("fast: learning rate", "finished", "t2", "learning rate 0.01"),
    OTHER: SweepHead("fast: epochs", "running"),
}


def row(run: str, sweep: str = "", **values: Any) -> dict[str, Any]:
    mark = {"sweep": f"{sweep} trial 1, winner" if sweep else None}
    known = {"run": run, "starred": False, "recipe": "fast", "owner": "me", "created": 9.0, "train_seconds": 2.0}
    return {**dict.fromkeys(history.COLUMNS), **known, **mark, **values}


ROWS = [
    row("mine"),
    row("t3", SWEEP, val_accuracy=0.5, created=7.0),
    row("o1", OTHER, val_accuracy=0.6),
    row("older"),
    row("t2", SWEEP, val_accuracy=0.9, starred=True, created=6.0),
    row("t1", SWEEP, val_accuracy=0.8, created=5.0),
    row("gone", "20250101-000000-00000000"),
]


def test_a_sweep_becomes_one_row_with_the_result_of_its_best_run() -> None:
    folded = fold_sweeps(ROWS, HEADS)
    assert [each["run"] for each in folded] == ["mine", SWEEP, OTHER, "older", "20250101-000000-00000000"]
    sweep = folded[1]
    assert (sweep["name"], sweep["state"], sweep["owner"]) == ("fast: learning rate", "finished", "me")
    assert (sweep["val_accuracy"], sweep["changed"]) == (0.9, "learning rate 0.01")
    assert (sweep["train_seconds"], sweep["created"], sweep["starred"]) == (6.0, 5.0, True)
    assert [each["run"] for each in sweep["runs"]] == ["t3", "t2", "t1"]
    assert folded[2]["val_accuracy"] is None, "no trial has finished"
    assert set(history.COLUMNS) <= set(sweep)


def test_a_menu_gets_own_runs_and_only_the_best_of_a_sweep() -> None:
    single, bests = split_trials(ROWS, HEADS)
    assert [each["run"] for each in single] == ["mine", "older"] and [each["run"] for each in bests] == ["t2"]
