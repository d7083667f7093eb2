"""The example runs: complete, small, readable, and copied as runs of their owner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mnist_core.errors import RunError
from mnist_core.export import validate
from mnist_core.models.classifier import Classifier
from mnist_core.owners import Visitor, new_token, read_owner
from mnist_core.runs.examples import EXAMPLES, NAME, copy_examples
from mnist_core.runs.history import history_row
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs


def test_copies_are_complete_runs_of_their_owner(tmp_path: Path) -> None:
    owner = Visitor(new_token()).owner
    copies = copy_examples(owner, tmp_path)
    assert {run.id for run in copies} == {run.id for run in list_runs(tmp_path)}
    rows = [history_row(run) for run in copies]
    assert [row["state"] for row in rows] == ["finished", "finished"] and all(run.has_model for run in copies)
    assert all(row["owner"] == owner == read_owner(tmp_path / row["run"]) for row in rows)
    assert all(row["name"].startswith(NAME) for row in rows)
    slow, fast = (run.spec().settings for run in copies)
    assert slow.architecture == fast.architecture and slow.learning_rate < fast.learning_rate
    assert rows[0]["val_accuracy"] < 0.9 < 0.98 < rows[1]["val_accuracy"]


def test_models_read_digits(sample: object) -> None:
    accuracies = []
    for folder in sorted(EXAMPLES.iterdir()):
        read = Classifier(Run(folder).model).probabilities(sample.x_test).argmax(axis=1)  # type: ignore[attr-defined]
        accuracies.append(float((read == sample.y_test).mean()))  # type: ignore[attr-defined]
    assert accuracies == pytest.approx([0.86, 0.985], abs=0.03)


def test_examples_are_small_and_pass_the_checks_of_an_import() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000
    for folder in EXAMPLES.iterdir():
        for name, check in validate.CHECKS.items():
            if name.endswith(".json") and (folder / name).exists():
                check(folder / name)
        assert not re.search(r"/(home|work|root|tmp)/", (folder / "card.json").read_text(encoding="utf-8"))


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in its place")
    with pytest.raises(RunError, match="runs"):
        copy_examples(root=tmp_path / "runs")
