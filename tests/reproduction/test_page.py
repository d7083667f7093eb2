"""The table of docs/reproduction.md is what its trainings show."""

from __future__ import annotations

from benchmarks.reproduction import PAGE, PLACE, RESULTS, table
from mnist_core.reproduction.results import KERAS, Training, read_trainings


def test_the_table_is_that_of_the_committed_trainings() -> None:
    found = PLACE.search(PAGE.read_text(encoding="utf-8"))
    assert found and found.group() == table(read_trainings(RESULTS)), "run benchmarks/reproduction.py"


def test_trainings_of_other_data_or_fewer_epochs_are_left_out() -> None:
    kept = Training("singh-mlp", KERAS, 1000, 10, "full", 9.0, 0.96, (0.95,) * 10)
    others = [
        Training("singh-mlp", KERAS, 1001, 2, "full", 9.0, 0.5, (0.5, 0.5)),
        Training("singh-mlp", KERAS, 1002, 10, "sample", 9.0, 0.5, (0.5,) * 10),
        Training("fast", KERAS, 1003, 1, "full", 9.0, 0.5, (0.5,)),
    ]
    assert "| singh-mlp | validation | 95.74 | - | 95.00 (1) | - | - | - |" in table([kept, *others]).splitlines()
    assert len(table([]).splitlines()) == 2 + 9
