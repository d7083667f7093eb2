"""The results file: what was appended is read back, whatever a crash or another version has left in it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mnist_core.errors import RunError
from mnist_core.reproduction.results import SCHEMA, Training, append_training, prepare_file, read_trainings

FIRST = Training("fleming-cnn", "digitlab", 0, 2, "full", 41.5, 0.9892, (0.97, 0.9874))
SECOND = replace(FIRST, trainer="keras", seed=1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "results.jsonl"
    assert read_trainings(path) == []
    prepare_file(path)
    return path


def line(**changes: Any) -> str:
    return json.dumps({"schema": SCHEMA, **asdict(FIRST), **changes}) + "\n"


def test_what_was_appended_is_read_back_once(path: Path) -> None:
    for training in (FIRST, SECOND, replace(FIRST, test_accuracy=0.5)):
        append_training(path, training)
    prepare_file(path)  # of the next process
    assert read_trainings(path) == [FIRST, SECOND]


def test_a_training_of_a_thousand_epochs_is_read_back(path: Path) -> None:
    curve = tuple(0.123456789 + step / 12_000 for step in range(1000))
    append_training(path, replace(FIRST, val_accuracy=curve))
    assert read_trainings(path)[0].val_accuracy == pytest.approx(curve, abs=1e-6)


def test_a_line_that_a_crash_cut_short_costs_only_its_own_training(path: Path) -> None:
    append_training(path, FIRST)
    path.write_text(path.read_text() + line(seed=7)[:60])
    assert read_trainings(path) == [FIRST]
    append_training(path, SECOND)
    assert read_trainings(path) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# Results\n", "not a results file"),
        (line(schema=2), "another version of Digit Lab: it has a line with schema 2, expected 1"),
        ("{}\n", "schema None"),
        (line(accuracy=1), "'accuracy' is not one"),
        (line(trainer="torch"), "trainer is 'torch', expected one of digitlab, keras"),
        (line(seed=-1), "seed is -1"),
        (line(val_accuracy=[]), "val_accuracy is []"),
        (line(val_accuracy=[0.9, None]), "val_accuracy is [0.9, None]"),
        (line(test_accuracy=98.9), "test_accuracy is 98.9, expected a number from 0 to 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(path: Path, content: str, words: str) -> None:
    path.write_text(content)
    with pytest.raises(RunError) as error:
        read_trainings(path)
    assert str(path) in str(error.value) and words in str(error.value)


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--results"):
        prepare_file(tmp_path / "file" / "results.jsonl")
    with pytest.raises(RunError, match="a folder, expected a file"):
        read_trainings(tmp_path)
