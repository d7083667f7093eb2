"""Commands that train one run: train, resume; and recipes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_core.cli import train
from mnist_core.errors import RunError
from mnist_core.jobs import worker_process
from mnist_core.jobs.slots import Slots
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, list_runs
from pages.ui.shared import settings_form, state
from tests.cli.calling import call, call_error, call_json, run_process
from tests.support import ROOT, Trained, command_line, environment, hears_signals, wait_until


def test_recipes_as_json() -> None:
    rows = call_json("recipes", "--json")
    assert [row["name"] for row in rows] == list(RECIPES)
    for row in rows:
        recipe = RECIPES[row["name"]]
        assert row["parameters"] == recipe.parameters and row["epochs"] == recipe.settings.epochs
        assert row["batch_size"] == recipe.settings.batch_size
        assert row["published"] == (recipe.published.text if recipe.published else None)


def test_recipes_as_a_table() -> None:
    lines = call("recipes").stdout.splitlines()
    assert lines[0].split() == ["name", "parameters", "epochs", "batch_size", "published"]
    assert len(lines) == 1 + len(RECIPES)
    assert any(line.split()[:4] == ["fleming-cnn", "93,322", "5", "64"] for line in lines)


@pytest.mark.slow
def test_recipes_in_a_real_process(tmp_path: Path) -> None:
    done = run_process("recipes", "--json", runs=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and len(json.loads(done.stdout)) == len(RECIPES)


def test_train_ends_with_one_object(trained: Trained) -> None:
    printed, status, card = trained.printed, trained.run.status(), trained.run.card()
    assert len(trained.stdout.splitlines()) == 1
    assert (printed["run"], printed["state"]) == (trained.run.id, "finished")
    assert (printed["test_accuracy"], printed["test_loss"]) == (card["test_accuracy"], card["test_loss"])
    assert (printed["train_seconds"], printed["images_per_second"]) == (status.train_seconds, status.images_per_second)
    assert trained.run.id in trained.stderr and "Ctrl-C" in trained.stderr and "Traceback" not in trained.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to a single process")
def test_ctrl_c_stops_a_training_and_keeps_the_model(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    started = subprocess.Popen(
        command_line("train", "--recipe", "fast", "--epochs", "1000", "--dropout", "0.2", "--data", "sample"),
        cwd=ROOT,
        env=environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_signals,
    )
    try:
        (run,) = wait_until(lambda: list_runs(root), "the run", 60)
        wait_until(lambda: len(run.metrics().rows) >= 3, "three reports", 120)
        worker_id = run.status().pid
        started.send_signal(signal.SIGINT)
        stdout, stderr = started.communicate(timeout=120)
    finally:
        started.kill()
        started.wait()
    assert not psutil.pid_exists(worker_id)
    assert started.returncode == 0, stderr
    assert stdout == f"{run.id}\n"
    assert "Stopped in epoch" in stderr and "Traceback" not in stderr and "Aborted" not in stderr
    assert run.status().state == "stopped" and run.has_model
    assert run.spec().settings.dropout == 0.2 and run.spec().overrides == {"epochs": 1000, "dropout": 0.2}


@pytest.fixture
def other_training(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The worker of another process, which has the only slot of this machine."""
    monkeypatch.setenv("DIGITLAB_MAX_RUNNING", "1")
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        Slots(1).assign(create_run(make_spec("fast", {}, "sample")), process.pid)
        yield process
        process.kill()


def when_it_waits(action: Callable[[Run], object]) -> threading.Thread:
    """Does something, in a thread, once the run of a command waits for a slot."""

    def wait() -> None:
        (run,) = wait_until(
            lambda: [run for run in list_runs() if "DIGITLAB_MAX_RUNNING" in run.status().message], "it"
        )
        action(run)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_training_waits_for_those_of_other_processes(
    other_training: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def start(run: Run, threads: int) -> subprocess.Popen[bytes]:
        assert other_training.poll() is not None, "it trains still"
        run.write_status(stamp_status(Status("finished", "Finished: 97%.")))
        return subprocess.Popen([sys.executable, "-S", "-c", ""])

    def end_the_other(run: Run) -> None:
        seen.append(run.status().state)
        other_training.kill()
        other_training.wait()

    monkeypatch.setattr(worker_process, "start_worker", start)
    thread = when_it_waits(end_the_other)
    result = call("train", "--recipe", "fast", "--data", "sample")
    thread.join()
    assert result.exit_code == 0 and seen == ["queued"], result.stderr
    assert "Waiting: " in result.stderr and "which is 1. Ctrl-C cancels" in result.stderr


@pytest.mark.usefixtures("other_training")
def test_ctrl_c_ends_a_training_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "start_worker", None)
    thread = when_it_waits(lambda run: run.update_control(stop=True))
    result = call("train", "--recipe", "fast", "--data", "sample")
    thread.join()
    assert result.exit_code == 0 and "Stopped before its turn came." in result.stderr


TRAIN_WITH_FAKE_WORKER = """
import socket, subprocess, sys
from mnist_core import __main__ as cli
from mnist_core.jobs import worker_process
FAKE = '''
import json, os, socket, sys, time
folder, host = sys.argv[1:]
def write(state):
    with open(folder + "/.new", "w") as file:
        json.dump({"state": state, "pid": os.getpid(), "host": host, "heartbeat": time.time()}, file)
    os.replace(folder + "/.new", folder + "/status.json")
write("running")
for _ in range(6000):  # one minute
    time.sleep(0.01)
    if os.path.exists(folder + "/control.json") and json.load(open(folder + "/control.json")).get("stop"):
        write("stopped")
        break
'''
def start_fake(run, threads):
    command = [sys.executable, "-S", "-c", FAKE, str(run.path), socket.gethostname()]
    return subprocess.Popen(command, start_new_session=True)
worker_process.start_worker = start_fake
cli.main(["train", "--recipe", "fast", "--data", "sample"])
"""
"""The command `train` with a worker that trains nothing and stops when control.json requests it."""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to a single process")
def test_every_signal_that_ends_a_program_stops_the_training(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        started = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            program = subprocess.Popen(
                [sys.executable, "-c", TRAIN_WITH_FAKE_WORKER],
                cwd=ROOT,
                env=environment(tmp_path / number.name),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=hears_signals,
            )
            started[number] = stack.enter_context(program)
            stack.callback(program.kill)
        for number, program in started.items():
            (run,) = wait_until(lambda root=tmp_path / number.name: list_runs(root), "the run")
            wait_until(lambda run=run: run.status().state == "running", "the worker")
            program.send_signal(number)
            stdout, stderr = program.communicate(timeout=60)
            assert (program.returncode, stdout) == (0, f"{run.id}\n"), (number, stderr)
            assert run.status().state == "stopped" and "Traceback" not in stderr and "Aborted" not in stderr


@pytest.mark.slow
def test_a_failed_training_is_reported_on_both_outputs(tmp_path: Path) -> None:
    (tmp_path / "wrong.npz").write_text("no archive")
    done = run_process(
        "train", "--recipe", "fast", "--data", str(tmp_path / "wrong.npz"), "--json", runs=tmp_path / "runs"
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["state"] == "failed" and json.loads(done.stdout)["test_accuracy"] is None
    assert f"{tmp_path / 'wrong.npz'} " in done.stderr and "Traceback" not in done.stderr


OPTIONS = {
    ("--epochs", "3"): ("epochs", 3),
    ("--batch-size", "64"): ("batch_size", 64),
    ("--learning-rate", "0.02"): ("learning_rate", 0.02),
    ("--optimizer", "SGD"): ("optimizer", "SGD"),
    ("--dropout", "0.3"): ("dropout", 0.3),
    ("--augmentation",): ("augmentation", "hand"),
    ("--no-augmentation",): ("augmentation", "none"),
    ("--patience", "2"): ("patience", 2),
    ("--time-budget", "90"): ("time_budget", 90.0),
    ("--target-accuracy", "0.97"): ("target_accuracy", 0.97),
    ("--set", "beta_1=0.8"): ("beta_1", 0.8),
}


def test_every_setting_of_the_train_page_has_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[RunSpec] = []

    def record_spec(spec: RunSpec) -> Any:
        specs.append(spec)
        raise RunError("nothing is trained here")

    monkeypatch.setattr(train, "create_run", record_spec)
    for options, (name, value) in OPTIONS.items():
        assert "nothing is trained here" in call_error(
            "train", "--recipe", "canvas", "--seed", "7", "--data", "sample", *options
        )
        spec = specs.pop()
        assert (spec.seed, spec.data, dict(spec.overrides)) == (7, "sample", {name: value})
        assert getattr(spec.settings, name) == value


@pytest.mark.parametrize(("given", "stored"), [("sample", "sample"), ("a.npz", "{}/a.npz"), ("../b", "{}/../b")])
def test_a_run_stores_the_absolute_path_of_its_data(
    given: str, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "train_in_foreground", lambda _: None)
    call("train", "--recipe", "fast", "--data", given)
    (run,) = list_runs()
    assert run.spec().data == stored.format(tmp_path)


def test_no_setting_of_the_train_page_lacks_an_option() -> None:
    names = {name for name, _ in OPTIONS.values()} | {"recipe", "seed", "data"}
    assert names >= {*settings_form.BASIC_KEYS, state.AUGMENTATION, state.RECIPE, state.SEED, state.DATA}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "fasst"], "'fasst'"),
        (["--recipe", "fast", "--epochs", "0"], "epochs is 0,"),
        (["--recipe", "fast", "--epochs", "two"], "'two'"),
        (["--recipe", "fast", "--batch-size", "-3"], "batch_size is -3"),
        (["--recipe", "fast", "--learning-rate", "nan"], "learning_rate is nan"),
        (["--recipe", "fast", "--learning-rate", "-1"], "learning_rate is -1.0"),
        (["--recipe", "fast", "--seed", "-1"], "seed is -1"),
        (["--recipe", "fast", "--set", "optimizer"], "KEY=VALUE"),
        (["--recipe", "fast", "--set", "optimizer=sgd"], "optimizer is 'sgd'"),
        (["--epochs", "3", "--set", "epochs=4"], "epochs is given twice: 3 and 4"),
        (["--set", "beta_1=0.8", "--set", "beta_1=0.7"], "beta_1 is given twice: 0.8 and 0.7"),
        (["--augmentation", "--set", "augmentation=none"], "augmentation is given twice: hand and none"),
        (["--network", "nowhere.json"], "nowhere.json"),
        (["--network", "deep"], "'deep'. Saved: none yet"),
        (["--fast"], "--fast"),
    ],
)
def test_train_refuses_before_it_starts(arguments: list[str], words: str, runs_root: Path) -> None:
    error = call_error("train", "--data", "sample", *arguments)
    assert "Error: " in error and words in error
    assert list_runs() == [] and not runs_root.exists()


def test_a_folder_that_cannot_hold_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "DIGITLAB_RUNS" in call_error("train", "--recipe", "fast", "--data", "sample", runs=tmp_path / "file")
