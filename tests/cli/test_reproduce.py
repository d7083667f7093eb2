"""The command reproduce: a training of each recipe, or one for each seed and trainer, whatever stops it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from click.testing import Result

from mnist_core.cli import repeat
from mnist_core.cli import reproduce as cli_reproduce
from mnist_core.data.mnist import Mnist
from mnist_core.export.keras_script import SCRIPT_FILE
from mnist_core.recipes.recipes import RECIPES
from mnist_core.reproduction import plain_keras
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, list_runs
from tests.cli.calling import call, call_error, call_json
from tests.support import wait_until


@pytest.mark.usefixtures("worker_in_thread")
def test_published_and_measured_results_of_one_training() -> None:
    (row,) = call_json("reproduce", "singh-mlp", "--epochs", "1", "--data", "sample", "--json")
    (run,) = list_runs()
    assert (row["recipe"], row["run"], row["state"], row["parameters"]) == ("singh-mlp", run.id, "finished", 71_626)
    assert row["published"] == RECIPES["singh-mlp"].published.text  # type: ignore[union-attr]
    assert row["measured_on"] == "validation" and row["measured"] == run.metrics().rows[-1]["val_accuracy"]
    assert row["holds"] is False and row["test_accuracy"] == run.card()["test_accuracy"]
    assert run.spec().data == "sample" and run.spec().settings == replace(RECIPES["singh-mlp"].settings, epochs=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sing"], "'sing'"),
        (["singh-mlp", "--epochs", "0"], "epochs is 0"),
        (["singh-mlp", "--seeds", "2", "--epochs", "0"], "epochs is 0"),
        (["sing", "--seeds", "2"], "'sing'"),
        (["--seeds", "0"], "seeds is 0, expected a whole number from 1 to 100"),
        (["--seeds", "two"], "'two'"),
        (["--results", "results.jsonl"], "add --seeds"),
        (["--seeds", "2", "--results", "."], "a folder, expected a file"),
    ],
)
def test_what_is_refused_before_anything_is_trained(arguments: list[str], words: str) -> None:
    assert words in call_error("reproduce", "--data", "sample", *arguments)
    assert list_runs() == []


class Trainers:
    """Stand-ins for both trainers: the score is that of the seed. `interrupt` runs before each training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sample: Mnist) -> None:
        self.trained: list[tuple[str, int]] = []
        self.interrupt: Callable[[], object] = lambda: None
        self.state = "finished"
        self.stop_requested = False
        monkeypatch.setattr(repeat, "train_recipe", self._train_recipe)
        monkeypatch.setattr(cli_reproduce, "train_recipe", self._train_recipe)
        monkeypatch.setattr(repeat, "running_script", self._running_script)
        monkeypatch.setattr(cli_reproduce, "load_mnist", lambda _: sample)

    def _train_recipe(self, recipe: str, overrides: Mapping[str, Any], data: str, seed: int) -> Run:
        self.interrupt()
        run = create_run(make_spec(recipe, overrides, data, seed))
        for accuracy in (0.9, 0.96 + seed / 1000):
            run.append_metrics({"step": 1, "val_accuracy": accuracy})
        run.write_card({"test_accuracy": 0.95})
        run.write_status(stamp_status(Status(self.state, "Why.")))
        if self.stop_requested:
            run.update_control(stop=True)
        self.trained.append(("digitlab", seed))
        return run

    @contextmanager
    def _running_script(self, spec: RunSpec, _: object) -> Iterator[Any]:
        self.interrupt()
        self.trained.append(("keras", spec.seed))
        yield SimpleNamespace(
            is_running=lambda: False,
            status=lambda: Status(epochs=2),
            scores=lambda: ((0.9, 0.96 + (spec.seed - 1000) / 1000), 0.95),
        )


ALL = [("digitlab", 0), ("keras", 1000), ("digitlab", 1), ("keras", 1001)]


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch, sample: Mnist) -> Trainers:
    return Trainers(monkeypatch, sample)


def reproduce(*more: str) -> Result:
    return call("reproduce", "singh-mlp", "--seeds", "2", "--epochs", "2", "--data", "sample", *more)


def test_both_means_stand_next_to_the_published_number(trainers: Trainers) -> None:
    result = reproduce()
    assert result.exit_code == 0 and trainers.trained == ALL
    header, row = result.stdout.splitlines()
    assert header.split("  ")[0] == "recipe"
    assert [cell for cell in row.split("  ") if cell] == [
        "singh-mlp",
        "validation",
        " 95.74",
        "96.05 ± 0.64 (2)",
        "96.05 ± 0.64 (2)",
        "no, p = 1",
        "94.95 to 97.15",
        "within",
    ]
    assert "2 of 4: singh-mlp, plain Keras, seed 1000. About " in result.stderr
    (row,) = json.loads(reproduce("--json").stdout)
    assert row["digitlab"] == row["keras"] and row["keras"]["trainings"] == 2
    assert trainers.trained == ALL, "nothing is trained twice"


@pytest.mark.parametrize("trained_before", range(4))
def test_a_killed_command_continues_with_the_training_that_it_lost(trainers: Trainers, trained_before: int) -> None:
    def kill() -> None:
        if len(trainers.trained) == trained_before:
            raise SystemExit(137)

    trainers.interrupt = kill
    assert reproduce().exit_code == 137
    assert trainers.trained == ALL[:trained_before]
    trainers.interrupt = lambda: None
    result = reproduce()
    assert trainers.trained == ALL and "(2)  96.05 ± 0.64 (2)" in result.stdout
    assert f"{trained_before} of 4 trainings are in " in result.stderr


def test_a_stopped_run_ends_the_command_with_what_is_there(trainers: Trainers) -> None:
    def stop() -> None:
        trainers.state = "stopped" if trainers.trained else "finished"

    trainers.interrupt = stop
    result = reproduce()
    assert result.exit_code == 0
    assert "96.00 (1)" in result.stdout and "Stopped. The same command continues" in result.stderr
    assert len(trainers.trained) == 3, "the stopped run is the last one"


@pytest.mark.parametrize("seeds", [(), ("--seeds", "2")])
def test_a_stop_while_the_model_is_saved_ends_the_command(trainers: Trainers, seeds: tuple[str, ...]) -> None:
    trainers.stop_requested = True
    result = call("reproduce", "singh-mlp", "fast", "--data", "sample", *seeds)
    assert result.exit_code == 0 and trainers.trained == ALL[:1]
    assert "96.00 (1)" in result.stdout if seeds else "0.9600" in result.stdout


def test_a_failed_training_is_named_after_the_table(trainers: Trainers) -> None:
    trainers.state = "failed"
    result = call("reproduce", "singh-mlp", "fast", "--data", "sample")
    assert result.exit_code == 2 and [line.split()[0] for line in result.stdout.splitlines()] == [
        "recipe",
        "singh-mlp",
        "fast",
    ]
    assert all(f"{run.id} failed: Why." in result.stderr for run in list_runs())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to a single process")
def test_ctrl_c_ends_a_running_script_and_the_command(
    trainers: Trainers, monkeypatch: pytest.MonkeyPatch, runs_root: Path
) -> None:
    monkeypatch.setattr(repeat, "running_script", plain_keras.running_script)
    monkeypatch.setattr(plain_keras, "script_files", lambda _: {SCRIPT_FILE: b"import time\ntime.sleep(100)"})
    scripts: list[psutil.Process] = []
    before = set(psutil.Process().children())  # of other tests

    def interrupt() -> None:
        scripts.extend(wait_until(lambda: set(psutil.Process().children()) - before, "the script", 30))
        os.kill(os.getpid(), signal.SIGINT)

    thread, began = threading.Thread(target=interrupt), time.monotonic()
    thread.start()
    result = reproduce()
    assert time.monotonic() - began < 90, "it does not wait for the script"
    thread.join()
    assert result.exit_code == 0, result.output
    assert "96.00 (1)  -  " in result.stdout and "Stopped. The same command continues" in result.stderr
    assert trainers.trained == ALL[:1] and not any(script.is_running() for script in scripts)
    assert [path.name for path in runs_root.iterdir() if "keras-script" in path.name] == []


def test_a_failed_run_is_an_error_and_the_others_are_kept(trainers: Trainers, runs_root: Path) -> None:
    def fail() -> None:
        trainers.state = "failed" if trainers.trained else "finished"

    trainers.interrupt = fail
    result = reproduce()
    assert result.exit_code == 2 and "failed: Why." in result.stderr
    assert len((runs_root / "reproduction.jsonl").read_text().splitlines()) == 2


def test_results_of_other_settings_are_not_mixed(trainers: Trainers, tmp_path: Path) -> None:
    file = str(tmp_path / "results.jsonl")
    reproduce("--results", file)
    call("reproduce", "singh-mlp", "--seeds", "2", "--epochs", "1", "--data", "sample", "--results", file)
    call(
        "reproduce", "singh-mlp", "--seeds", "1", "--seed", "1", "--epochs", "2", "--data", "sample", "--results", file
    )
    assert trainers.trained == ALL + ALL
