"""The command `rate`: finds a learning rate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnist_core.locks import LOCK_FILE
from mnist_core.runs.store import list_runs
from tests.cli.calling import call, call_error


@pytest.mark.usefixtures("worker_in_thread")
def test_rate_prints_a_learning_rate_and_leaves_nothing(runs_root: Path) -> None:
    arguments = ("--recipe", "fast", "--batch-size", "64", "--set", "warm_up=0.1", "--data", "sample", "--json")
    done = call("rate", *arguments)
    assert done.exit_code == 0, done.stderr
    value = json.loads(done.stdout)
    assert (value["recipe"], value["state"]) == ("fast", "finished")
    rates = [point["rate"] for point in value["points"]]
    assert len(rates) > 50 and rates == sorted(rates)
    lowest = min(value["points"], key=lambda point: point["smoothed"])
    assert value["lowest"] == lowest["rate"] and value["suggestion"] == pytest.approx(lowest["rate"] / 10, rel=0.06)
    assert f"a tenth of that: {value['suggestion']:g}." in done.stderr
    assert list_runs() == [] and [path.name for path in (runs_root / ".rates").iterdir()] == [LOCK_FILE]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "fasst"), "'fasst'"),
        (("--set", "momentum=2"), "momentum is '2'"),
        (("--recipe", "fast", "--data", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_rate_refuses_what_cannot_be_trained(arguments: tuple[str, ...], words: str) -> None:
    assert words in call_error("rate", *arguments)
