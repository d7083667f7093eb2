"""The command line: what it prints where, its exit status, and Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from click.testing import CliRunner, Result

from mnist_core import __main__ as cli
from mnist_core import worker
from mnist_core.cli import train
from mnist_core.cli.progress import on_signals
from mnist_core.errors import RunError
from mnist_core.models.classifier import Classifier
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.runs.trash import trashed_runs
from pages.ui.shared import settings_form, state
from tests.support import ROOT, Trained, command_line, environment, hears_signals, wait_until

COMMANDS = (
    "recipes",
    "train",
    "resume",
    "runs",
    "show",
    "compare",
    "export",
    "import",
    "delete",
    "restore",
    "classify",
    "evaluate",
    "reproduce",
    "rate",
    "sweep",
)


def call(*arguments: str | Path, runs: Path | None = None) -> Result:
    """The command line in this process."""
    return CliRunner().invoke(
        cli.main, [str(one) for one in arguments], env={"DIGITLAB_RUNS": str(runs)} if runs else None
    )


def shown(*arguments: str | Path, runs: Path | None = None) -> Any:
    """What it prints on standard output, as JSON."""
    result = call(*arguments, runs=runs)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments: str | Path, runs: Path | None = None) -> str:
    """What it prints on standard error, after exit status 2 and nothing on standard output."""
    result = call(*arguments, runs=runs)
    assert result.exit_code == 2 and result.stdout == "" and isinstance(result.exception, SystemExit | None), (
        result.output
    )
    assert "Traceback" not in result.stderr
    return result.stderr


def process(*arguments: str, runs: Path, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    return subprocess.run(
        command_line(*arguments), cwd=ROOT, env=environment(runs), capture_output=True, text=True, timeout=seconds
    )


def test_every_command_has_help() -> None:
    listed = call("--help").stdout
    for command in COMMANDS:
        result = call(command, "--help")
        assert result.exit_code == 0 and result.stdout.startswith("Usage:") and command in result.stdout
        assert command in listed


# recipes


def test_recipes_as_json() -> None:
    rows = shown("recipes", "--json")
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
    done = process("recipes", "--json", runs=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and len(json.loads(done.stdout)) == len(RECIPES)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a broken pipe is a matter of POSIX")
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    started = subprocess.Popen(
        command_line("recipes"), cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert started.stdout is not None and started.stderr is not None
    started.stdout.close()
    with started.stderr:
        assert b"Traceback" not in started.stderr.read()
    assert started.wait(30) == 1


# train


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
def test_every_signal_that_ends_a_program_stops_the_training_instead(tmp_path: Path) -> None:
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


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to a single process")
def test_every_signal_that_ends_a_program_calls_the_action_instead() -> None:
    calls: list[str] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        with on_signals(lambda: calls.append("asked")):
            for number in numbers:
                os.kill(os.getpid(), number)
        assert calls == ["asked"] * 3
        assert [signal.getsignal(number) for number in numbers] == [signal.default_int_handler] * 3
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        with on_signals(lambda: calls.append("asked")):
            os.kill(os.getpid(), signal.SIGHUP)
        assert len(calls) == 3
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@pytest.mark.slow
def test_a_failed_training_is_told_on_both_outputs(tmp_path: Path) -> None:
    (tmp_path / "wrong.npz").write_text("no archive")
    done = process("train", "--recipe", "fast", "--data", str(tmp_path / "wrong.npz"), "--json", runs=tmp_path / "runs")
    assert done.returncode == 2
    assert json.loads(done.stdout)["state"] == "failed" and json.loads(done.stdout)["test_accuracy"] is None
    assert f"{tmp_path / 'wrong.npz'} " in done.stderr and "cannot be used as MNIST" in done.stderr
    assert "Traceback" not in done.stderr


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


def test_every_control_of_the_page_has_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[RunSpec] = []

    def listening(spec: RunSpec) -> Any:
        made.append(spec)
        raise RunError("far enough")

    monkeypatch.setattr(train, "create_run", listening)
    for options, (name, value) in OPTIONS.items():
        assert "far enough" in refused("train", "--recipe", "canvas", "--seed", "7", "--data", "sample", *options)
        spec = made.pop()
        assert (spec.seed, spec.data, dict(spec.overrides)) == (7, "sample", {name: value})
        assert getattr(spec.settings, name) == value


def test_no_control_of_the_page_was_forgotten() -> None:
    names = {name for name, _ in OPTIONS.values()} | {"recipe", "seed", "data"}
    assert names >= {*settings_form.BASIC_KEYS, state.AUGMENTATION, state.RECIPE, state.SEED, state.DATA}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "fasst"], "Error: There is no recipe 'fasst'. Known: canvas"),
        (["--recipe", "fast", "--epochs", "0"], "Error: epochs is 0, expected a whole number from 1"),
        (["--recipe", "fast", "--epochs", "two"], "'two' is not a valid integer"),
        (["--recipe", "fast", "--batch-size", "-3"], "Error: batch_size is -3"),
        (["--recipe", "fast", "--learning-rate", "nan"], "Error: learning_rate is nan"),
        (["--recipe", "fast", "--learning-rate", "-1"], "Error: learning_rate is -1.0"),
        (["--recipe", "fast", "--seed", "-1"], "Error: seed is -1"),
        (["--recipe", "fast", "--set", "optimizer"], "Error: Expected KEY=VALUE"),
        (["--recipe", "fast", "--set", "optimizer=sgd"], "Error: optimizer is 'sgd'"),
        (["--network", "nowhere.json"], "Error: The network nowhere.json cannot be read"),
        (["--network", "deep"], "Error: No saved network is called 'deep'. Saved: none yet"),
        (["--fast"], "No such option"),
    ],
)
def test_train_refuses_before_it_starts(arguments: list[str], words: str, runs_root: Path) -> None:
    assert words in refused("train", "--data", "sample", *arguments)
    assert list_runs() == [] and not runs_root.exists()


def test_runs_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "set DIGITLAB_RUNS" in refused("train", "--recipe", "fast", "--data", "sample", runs=tmp_path / "file")


# runs and show


def test_runs_newest_first(trained: Trained, runs_root: Path) -> None:
    assert shown("runs", "--json") == [] and call("runs").exit_code == 0
    older = create_run(replace(make_spec("fast"), created=1.6e9), runs_root)
    newer = create_run(make_spec("best"), runs_root)
    newer.write_status(replace(newer.status(), state="failed", message="why"))
    rows = shown("runs", "--json")
    assert [(row["run"], row["state"]) for row in rows] == [(newer.id, "failed"), (older.id, "queued")]
    lines = call("runs").stdout.splitlines()
    assert lines[0].split() == ["run", "state", "test_accuracy", "test_loss", "train_seconds"]
    assert [line.split()[:3] for line in lines[1:]] == [[newer.id, "failed", "-"], [older.id, "queued", "-"]]
    (row,) = shown("runs", "--json", runs=trained.run.path.parent)
    assert row["test_accuracy"] == trained.run.card()["test_accuracy"]


def test_runs_survive_broken_neighbours(runs_root: Path) -> None:
    for content in ("", "[]", "{", '{"state": 3}'):
        (create_run(make_spec("fast")).path / "status.json").write_text(content)
    (create_run(make_spec("fast")).path / "spec.json").write_text("{")
    assert len(shown("runs", "--json")) == 5


def test_show(trained: Trained) -> None:
    root = trained.run.path.parent
    value = shown("show", trained.run.id, "--json", runs=root)
    assert value["run"] == trained.run.id and value["reports"] == len(trained.run.metrics().rows)
    assert value["spec"]["recipe"] == "fast" and value["card"] == trained.run.card()
    assert Status(**value["status"]) == trained.run.status()
    text = call("show", trained.run.id, runs=root).stdout
    assert f"{trained.run.id}: finished" in text and "'epochs': 2" in text and "seed 1" in text
    assert f"test accuracy {trained.run.card()['test_accuracy']:.4f}" in text and "24 × 24 × 24" in text


@pytest.mark.parametrize("command", [("show",), ("evaluate", "--data", "sample", "--model")])
@pytest.mark.parametrize("run_id", ["../secret", "no-such-run", "UPPER", "x" * 200])
def test_runs_that_are_not_there(command: tuple[str, ...], run_id: str) -> None:
    assert "run" in refused(*command, run_id)


def test_show_of_a_broken_spec_says_which_file() -> None:
    run = create_run(make_spec("fast"))
    (run.path / "spec.json").write_text("{")
    assert "spec.json cannot be read" in refused("show", run.id)


# evaluate


def test_evaluate_a_run(trained: Trained) -> None:
    value = shown("evaluate", "--model", trained.run.id, "--data", "sample", "--json", runs=trained.run.path.parent)
    card = trained.run.card()
    assert (value["accuracy"], value["confusion"]) == (card["test_accuracy"], card["test"]["confusion"])
    assert value["loss"] == pytest.approx(card["test_loss"], rel=1e-4)
    assert np.array(value["confusion"]).shape == (10, 10) and value["images"] == 1000
    assert {"classes", "calibration_error", "data", "model"} <= set(value)


def test_evaluate_as_text(trained: Trained) -> None:
    result = call("evaluate", "--model", trained.run.id, "--data", "sample", runs=trained.run.path.parent)
    assert f"accuracy {trained.run.card()['test_accuracy']:.4f}" in result.stdout
    assert result.stdout.splitlines()[2].split() == [str(count) for count in trained.run.card()["test"]["confusion"][0]]


@pytest.mark.usefixtures("keras", "signals")
def test_evaluate_places_and_splits_the_digits_as_the_run_did() -> None:
    layers = (Rescaling(1 / 255), Flatten(), Dense(32, "relu"), Dense(10, "softmax"))
    settings = Settings(layers, 500, 2, learning_rate=0.01, uncentered=True, split="half-test")
    run = create_run(RunSpec("lesson08-uncentered-mlp", settings, "sample"))
    assert worker.main([str(run.path)]) == 0
    value = shown("evaluate", "--model", run.id, "--data", "sample", "--json")
    assert (value["images"], value["confusion"]) == (500, run.card()["test"]["confusion"])


def test_evaluate_the_shipped_model() -> None:
    value = shown("evaluate", "--data", "sample", "--json")
    assert value["accuracy"] > 0.99 and value["model"] == "default" and value["images"] == 1000


def test_evaluate_refuses(tmp_path: Path) -> None:
    run = create_run(make_spec("fast"))
    assert "There is no model at" in refused("evaluate", "--model", run.id, "--data", "sample")
    assert "cannot be used as MNIST" in refused("evaluate", "--data", tmp_path / "nothing.npz")


# classify


@pytest.fixture(scope="session")
def pages(sample: Any) -> tuple[np.ndarray, np.ndarray]:
    """(20, 280, 280) uint8: test digits drawn large in black on white, and which they are."""
    large = [cv2.resize(image, (280, 280), interpolation=cv2.INTER_CUBIC) for image in sample.x_test[:20]]
    return 255 - np.stack(large), sample.y_test[:20]


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def assert_whole(row: dict[str, Any]) -> None:
    assert set(row) == {"source", "index", "digit", "confidence", "probabilities", "rejected", "reason"}
    assert len(row["probabilities"]) == 10 and 0.5 <= sum(row["probabilities"]) <= 1 + 1e-4
    assert row["digit"] == int(np.argmax(row["probabilities"])) and row["confidence"] == max(row["probabilities"])
    assert row["rejected"] is False and row["reason"] is None


@pytest.mark.parametrize("ending", ["png", "jpg", "JPEG", "PNG"])
def test_classify_pictures(pages: tuple[np.ndarray, np.ndarray], tmp_path: Path, ending: str) -> None:
    files = [tmp_path / f"digit {number}.{ending}" for number in range(20)]
    for file, page in zip(files, pages[0], strict=True):
        file.write_bytes(cv2.imencode(f".{ending.lower()}", page)[1].tobytes())
    rows = lines(call("classify", *files))
    assert [(row["source"], row["index"]) for row in rows] == [(str(file), 0) for file in files]
    for row in rows:
        assert_whole(row)
    assert np.mean([row["digit"] == label for row, label in zip(rows, pages[1], strict=True)]) >= 0.95


@pytest.mark.parametrize("channels", [0, 3, 4])
def test_classify_an_archive(pages: tuple[np.ndarray, np.ndarray], tmp_path: Path, channels: int) -> None:
    images = pages[0]
    if channels:
        opaque = np.full((*images.shape, channels), 255, np.uint8)
        opaque[..., :3] = images[..., None]
        images = opaque
    np.savez(tmp_path / "digits.npz", images=images)
    rows = lines(call("classify", tmp_path / "digits.npz"))
    assert [row["index"] for row in rows] == list(range(20))
    for row in rows:
        assert_whole(row)
    assert np.mean([row["digit"] == label for row, label in zip(rows, pages[1], strict=True)]) >= 0.95


def test_classify_with_a_run_and_plainly(
    pages: tuple[np.ndarray, np.ndarray], tmp_path: Path, trained: Trained
) -> None:
    """Plainly resized, these pages are the test digits again: the run answers as it does for those."""
    np.savez(tmp_path / "digits.npz", images=pages[0])
    root = trained.run.path.parent
    rows = lines(call("classify", "--plain", "--model", trained.run.id, tmp_path / "digits.npz", runs=root))
    small = np.stack([255 - cv2.resize(page, (28, 28), interpolation=cv2.INTER_AREA) for page in pages[0]])
    expected = Classifier(trained.run.model).digit_probabilities(small)
    assert np.mean([row["digit"] for row in rows] == expected.argmax(1)) >= 0.95
    other = lines(call("classify", "--model", trained.run.id, tmp_path / "digits.npz", runs=root))
    assert [row["probabilities"] for row in other] != [row["probabilities"] for row in rows]


def test_classify_an_empty_page(tmp_path: Path) -> None:
    np.savez(tmp_path / "blank.npz", images=np.full((1, 100, 100), 255, np.uint8))
    (row,) = lines(call("classify", tmp_path / "blank.npz"))
    assert (row["digit"], row["confidence"], row["rejected"]) == (None, 0, True) and row["reason"]


def lying_archive(path: Path) -> None:
    """Its header announces more than there is memory for."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (100000000, 100000, 10), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def plain_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((1, 28, 28), np.uint8))


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("a.png", lambda path: path.write_text("no picture"), ""),
        ("a.jpg", lambda path: path.write_bytes(b"\xff\xd8\xff\xe0cut short"), ""),
        ("empty.png", lambda path: path.write_bytes(b""), ""),
        ("a.npz", lambda path: path.write_text("no archive"), "not an .npz"),
        ("a.npz", lambda path: path.write_bytes(b"PK\x03\x04 cut short"), "not an .npz"),
        ("a.npz", lambda path: np.savez(path, digits=np.zeros((1, 28, 28), np.uint8)), "'images'"),
        ("a.npz", lambda path: np.savez(path, images=np.array([{}], object)), "not an .npz"),
        ("a.npz", lambda path: np.savez(path, images=np.zeros((1, 28, 28))), r"(1, 28, 28) float64, expected uint8"),
        ("a.npz", lambda path: np.savez(path, images=np.zeros((28, 28), np.uint8)), "(28, 28) uint8, expected"),
        (
            "a.npz",
            lambda path: np.savez(path, images=np.zeros((1, 28, 28, 2), np.uint8)),
            "(1, 28, 28, 2) uint8, expected",
        ),
        ("a.npz", plain_npy, "not an .npz"),
        ("a.npz", lying_archive, "not an .npz"),
    ],
    ids=[
        "text",
        "cut-jpeg",
        "empty",
        "text-npz",
        "cut-npz",
        "no-images",
        "pickle",
        "floats",
        "flat",
        "two-channels",
        "npy",
        "lying",
    ],
)
def test_classify_refuses_by_name(tmp_path: Path, name: str, write: Callable[[Path], object], words: str) -> None:
    write(tmp_path / name)
    message = refused("classify", tmp_path / name)
    assert str(tmp_path / name) in message and words in message


def test_classify_reads_the_other_files_all_the_same(pages: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    cv2.imwrite(str(tmp_path / "good.png"), pages[0][0])
    result = call("classify", tmp_path / "broken.png", tmp_path / "good.png")
    assert result.exit_code == 2 and str(tmp_path / "broken.png") in result.stderr
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [str(tmp_path / "good.png")]


def test_classify_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refused("classify", tmp_path / "nothing.png")
    assert "Missing argument" in refused("classify")


# reproduce


@pytest.mark.slow
def test_reproduce_prints_published_beside_measured(tmp_path: Path) -> None:
    done = process("reproduce", "singh-mlp", "--epochs", "1", "--data", "sample", "--json", runs=tmp_path / "runs")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    (row,) = json.loads(done.stdout)
    (run,) = list_runs(tmp_path / "runs")
    assert (row["recipe"], row["run"], row["state"], row["parameters"]) == ("singh-mlp", run.id, "finished", 71_626)
    assert row["published"] == RECIPES["singh-mlp"].published.text  # type: ignore[union-attr]
    assert row["measured_on"] == "validation" and row["measured"] == run.metrics().rows[-1]["val_accuracy"]
    assert row["holds"] is False and row["test_accuracy"] == run.card()["test_accuracy"]
    assert run.spec().data == "sample" and run.spec().settings == replace(RECIPES["singh-mlp"].settings, epochs=1)


def test_reproduce_refuses() -> None:
    assert "no recipe 'sing'" in refused("reproduce", "sing")
    assert "epochs is 0" in refused("reproduce", "singh-mlp", "--epochs", "0", "--data", "sample")
    assert list_runs() == []


@pytest.mark.slow
def test_without_a_command_it_says_what_there_is(tmp_path: Path) -> None:
    done = process(runs=tmp_path)
    assert done.returncode == 2 and all(command in done.stderr + done.stdout for command in COMMANDS)
    assert subprocess.run([sys.executable, "-c", "import mnist_core.__main__"], cwd=ROOT, timeout=60).returncode == 0


# what is taken home, brought in, compared and deleted


@pytest.fixture
def mine(trained: Trained, runs_root: Path) -> Run:
    """The finished run, in a folder that may be changed."""
    return Run(shutil.copytree(trained.run.path, runs_root / trained.run.id))


@pytest.mark.parametrize(
    ("name", "suffix"), [("keras", "keras"), ("csv", "csv"), ("script", "py"), ("svg", "svg"), ("zip", "zip")]
)
def test_export_names_the_file_after_the_run(
    mine: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = call("export", mine.id, "--format", name).stdout.splitlines()
    assert printed == [f"{mine.id}.{suffix}", *["mnist.npz"] * (name == "script")]
    assert all((tmp_path / each).stat().st_size > 200 for each in printed)
    assert "exists already" in refused("export", mine.id, "--format", name)
    assert shown("export", mine.id, "--format", name, "--force", "--json") == {
        "run": mine.id,
        "format": name,
        "files": printed,
    }


def test_export_to_a_path_and_import_elsewhere(mine: Run, tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    assert call("export", mine.id, "--format", "zip", "--output", target).stdout == f"{target}\n"
    brought = shown("import", target, "--json", runs=tmp_path / "elsewhere")
    assert brought == {"run": mine.id, "state": "finished"}
    found = shown("show", mine.id, "--json", runs=tmp_path / "elsewhere")
    assert found["card"] == mine.card() and found["reports"] == len(mine.metrics().rows)
    other = call("import", target).stdout.strip()
    assert other != mine.id and {run.id for run in list_runs()} == {mine.id, other}


def test_import_refuses_in_one_line(tmp_path: Path, runs_root: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    assert refused("import", tmp_path / "x.zip").count("\n") == 1
    assert not any(runs_root.iterdir())


@pytest.mark.parametrize("arguments", [("--format", "h5"), (), ("--format", "csv", "--output", "/nowhere/at/all.csv")])
def test_export_refuses(mine: Run, arguments: tuple[str, ...]) -> None:
    refused("export", mine.id, *arguments)


def test_compare_says_only_what_differs(mine: Run, runs_root: Path) -> None:
    other = create_run(make_spec("fast", {"epochs": 3, "dropout": 0.25}, "sample", 1))
    rows = shown("compare", mine.id, other.id, "--json")
    assert [row["run"] for row in rows] == [mine.id, other.id]
    assert rows[0]["settings"].keys() == rows[1]["settings"].keys() == {"epochs", "dropout", "network"}
    assert [row["settings"]["epochs"] for row in rows] == ["2", "3"]
    assert rows[0]["test_accuracy"] == mine.card()["test_accuracy"] and rows[1]["test_accuracy"] is None
    assert {"name", "state", "test_loss", "parameters", "train_seconds", "images_per_second"} < rows[0].keys()
    lines = {line.split()[0]: line.split()[1:] for line in call("compare", mine.id, other.id).stdout.splitlines()}
    assert lines["run"] == [mine.id, other.id] and lines["dropout"] == ["0", "0.25"] and "seed" not in lines


def test_compare_refuses(mine: Run) -> None:
    assert "1 run was given" in refused("compare", mine.id, mine.id)
    assert "There is no run" in refused("compare", mine.id, "20260101-000000-fast-0000")


def test_delete_and_restore(mine: Run) -> None:
    assert shown("delete", mine.id, "--yes", "--json") == [{"run": mine.id}]
    assert list_runs() == [] and list(trashed_runs()) == [mine.id]
    assert call("restore", mine.id).stdout == f"{mine.id}\n"
    assert [run.id for run in list_runs()] == [mine.id] and mine.has_model
    assert mine.id in refused("restore", mine.id)


def test_delete_asks_first_and_takes_all_or_none(mine: Run) -> None:
    answered = CliRunner().invoke(cli.main, ["delete", mine.id], input="n\n")
    assert answered.exit_code == 1 and mine.path.exists()
    waiting = create_run(make_spec("fast"))
    assert "Stop it before you delete it" in refused("delete", mine.id, waiting.id, "--yes")
    assert mine.path.exists()


# rate


@pytest.mark.slow
def test_rate_prints_a_learning_rate_and_leaves_nothing(tmp_path: Path) -> None:
    arguments = ("--recipe", "fast", "--batch-size", "64", "--set", "warm_up=0.1", "--data", "sample", "--json")
    done = process("rate", *arguments, runs=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert (value["recipe"], value["state"]) == ("fast", "finished")
    rates = [point["rate"] for point in value["points"]]
    assert len(rates) > 50 and rates == sorted(rates)
    lowest = min(value["points"], key=lambda point: point["smoothed"])
    assert value["lowest"] == lowest["rate"] and value["suggestion"] == pytest.approx(lowest["rate"] / 10, rel=0.06)
    assert f"a tenth of that: {value['suggestion']:g}." in done.stderr
    assert list_runs(tmp_path / "runs") == [] and list((tmp_path / "runs" / ".rates").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "fasst"), "no recipe 'fasst'"),
        (("--set", "momentum=2"), "momentum is '2'"),
        (("--recipe", "fast", "--data", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_rate_refuses(arguments: tuple[str, ...], words: str) -> None:
    assert words in refused("rate", *arguments)
