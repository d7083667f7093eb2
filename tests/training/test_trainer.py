"""The course of a training: steered within a second, taken up again as if nothing had happened, ended by its limits."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import pytest

from mnist_core import worker
from mnist_core.errors import QueueFullError, RunError
from mnist_core.jobs.lifecycle import conclude_run, resume_run
from mnist_core.jobs.worker_process import start_worker
from mnist_core.networks.layers import BatchNormalization, Dense, Dropout, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs import status as status_module
from mnist_core.runs.checkpoints import CHECKPOINT_FILE, read_checkpoint
from mnist_core.runs.control import Control
from mnist_core.runs.run import Run
from mnist_core.runs.snapshots import read_snapshot, snapshot_epochs
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run
from mnist_core.training import trainer
from mnist_core.training.model import make_model
from tests.support import wait_until

SMALL = (
    Rescaling(1 / 255),
    Flatten(),
    Dense(16, "relu", use_bias=False),
    BatchNormalization(),
    Dropout(0.3),
    Dense(10, "softmax"),
)
PER_EPOCH = 17  # batches: five sixths of 4,000 images, 200 at a time
SETTINGS = Settings(
    SMALL,
    batch_size=200,
    epochs=4,
    schedule="one-cycle",
    augmentation="hand",
    weight_averaging=0.9,
    learning_rate=0.01,
)


def new_run(**changes: Any) -> Run:
    return create_run(RunSpec("fast", replace(SETTINGS, **changes), "sample", seed=3))


def weights(run: Run) -> list[np.ndarray]:
    import keras

    return list(keras.models.load_model(run.path / "model.keras", compile=False).get_weights())


def same(first: Run, second: Run) -> bool:
    return all((a == b).all() for a, b in zip(weights(first), weights(second), strict=True))


def told(run: Run) -> list[tuple[int, float | None]]:
    """What the history says at the ends of its epochs."""
    return [(row["epoch"], row["val_loss"]) for row in run.metrics().rows if "val_loss" in row]


@contextmanager
def training(run: Run) -> Iterator[threading.Thread]:
    """The worker at work in a thread of this process."""
    thread = threading.Thread(target=worker.main, args=([str(run.path)],))
    thread.start()
    try:
        yield thread
    finally:
        run.update_control(stop=True, paused=False)
        thread.join()


@pytest.fixture(autouse=True)
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a main thread may take signals, and these workers run in another."""
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)


@pytest.fixture
def whole(keras: Any) -> Run:
    """A run that nobody touched."""
    run = new_run()
    assert worker.main([str(run.path)]) == 0, run.status().message
    return run


def stop_after(run: Run, epochs: int) -> None:
    """Ends the run some time after that many epochs."""
    with training(run):
        wait_until(lambda: run.status().epoch >= epochs, f"epoch {epochs}")


def test_resumed_run_equals_the_uninterrupted_one(whole: Run) -> None:
    run = new_run(epochs=4)
    stop_after(run, 1)
    assert run.status().state == "stopped"
    resume_run(Backend(), run)
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert run.status().state == "finished"
    assert same(run, whole)
    assert told(run) == told(whole)
    steps = [row["step"] for row in run.metrics().rows]
    assert steps == sorted(set(steps)), "each step is told once"
    assert run.card()["epochs_trained"] == 4


def test_resumed_run_has_the_snapshots_of_the_uninterrupted_one(whole: Run) -> None:
    run = new_run(epochs=4)
    stop_after(run, 1)
    resume_run(Backend(), run)
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert snapshot_epochs(run.path) == snapshot_epochs(whole.path) == [0, 1, 2, 3, 4]
    for epoch in range(5):
        pairs = zip(read_snapshot(run.path, epoch), read_snapshot(whole.path, epoch), strict=True)
        assert all((a == b).all() for a, b in pairs)


def test_training_is_the_same_to_the_last_bit_without_snapshots(whole: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for want of them, nor on a disk that takes no more of them."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "write_snapshot", refuse)
    run = new_run()
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert run.status().state == "finished" and not snapshot_epochs(run.path)
    assert same(run, whole) and told(run) == told(whole)


@pytest.mark.usefixtures("keras")
def test_killed_worker_is_interrupted_and_resumed(whole: Run) -> None:
    run = new_run(epochs=4)
    run.update_control(paused=True, whole_epochs=1)
    process = start_worker(run, 1)
    wait_until(lambda: run.status().state == "paused" and run.status().epoch == 1, "the end of the first epoch")
    run.update_control(batches=3)
    wait_until(lambda: run.status().step == PER_EPOCH + 3, "the middle of the second epoch")
    process.kill()
    process.wait()
    conclude_run(run, process.returncode)
    assert run.status().state == "interrupted"
    resume_run(Backend(), run)
    again = start_worker(run, 1)
    assert again.wait() == 0, run.log.read_text()
    other = new_run(epochs=4)
    assert start_worker(other, 1).wait() == 0
    assert same(run, other)


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the size of files by prlimit")
@pytest.mark.parametrize("limit", [20_000, 0])
@pytest.mark.usefixtures("keras")
def test_full_disk_interrupts_and_loses_no_finished_epoch(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`limit`: bytes that a file may still have: too few for a checkpoint, or none at all."""
    import resource

    run = new_run(epochs=3)
    run.update_control(paused=True, whole_epochs=1)
    process = start_worker(run, 1)
    wait_until(lambda: run.status().state == "paused" and run.status().epoch == 1, "the end of the first epoch")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    run.update_control(paused=False)
    # 120: Python could not even write its last output.
    assert process.wait(120) in (1, 120), run.log.read_text()
    monkeypatch.setattr(status_module, "STALE_SECONDS", -1.0)  # ten seconds later
    status = run.status()
    assert status.state == "interrupted"
    assert ("The disk is full" if limit else "Its process is gone after 1 of 3 epochs") in status.message
    assert run.metrics().broken == 0 and not list(run.path.rglob(".*-*")), "nothing half-written"
    resume_run(Backend(), run)
    again = start_worker(run, 1)
    assert again.wait(120) == 0, run.log.read_text()
    assert [epoch for epoch, _ in told(run)] == [1, 2, 3]


class Backend:
    """Takes a run and does nothing with it, or has no room."""

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def submit(self, run: Run) -> None:
        if self.full:
            raise QueueFullError("full")


def test_resume_asks_for_what_it_needs(whole: Run) -> None:
    with pytest.raises(RunError, match="need not be resumed"):
        resume_run(Backend(), new_run())
    shutil.rmtree(whole.path / "checkpoint")
    with pytest.raises(RunError, match="first epoch"):
        resume_run(Backend(), whole)


def test_full_queue_leaves_the_run_as_it_was(whole: Run) -> None:
    before = whole.status(), whole.control()
    with pytest.raises(QueueFullError):
        resume_run(Backend(full=True), whole, epochs=9)
    assert whole.status() == before[0]
    assert Control.from_json(whole.control()) == Control.from_json(before[1])


def test_finished_run_is_extended(whole: Run) -> None:
    resume_run(Backend(), whole, epochs=6)
    assert worker.main([str(whole.path)]) == 0
    assert (whole.status().state, whole.status().epoch, whole.status().epochs) == ("finished", 6, 6)
    assert [epoch for epoch, _ in told(whole)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("keras")
def test_pause_step_and_go_on() -> None:
    run = new_run(epochs=3)
    run.update_control(paused=True)
    with training(run) as thread:
        wait_until(lambda: run.status().state == "paused", "the pause before the first batch")
        for count in (1, 2):
            run.update_control(batches=count)
            wait_until(lambda count=count: run.status().step == count, f"batch {count}", seconds=20)
        time.sleep(0.3)
        assert (run.status().step, run.status().state) == (2, "paused")
        run.update_control(whole_epochs=1)
        wait_until(lambda: run.status().epoch == 1 and run.status().state == "paused", "the end of the epoch")
        assert run.status().step == PER_EPOCH
        run.update_control(paused=False)
        thread.join(60)
    assert (run.status().state, run.status().step) == ("finished", 3 * PER_EPOCH)


@pytest.mark.parametrize("wish", [{"paused": True}, {"stop": True}])
@pytest.mark.usefixtures("keras")
def test_answer_comes_within_a_second(wish: dict[str, bool]) -> None:
    run = new_run(epochs=1000)
    state = {"paused": ("paused",), "stop": ("stopping", "stopped")}[next(iter(wish))]
    with training(run):
        wait_until(lambda: run.status().step > 5, "some steps")
        run.update_control(**wish)
        wait_until(lambda: run.status().state in state, "an answer", seconds=2)


@pytest.mark.usefixtures("keras")
def test_learning_rate_changes_from_there_on_and_is_marked() -> None:
    run = new_run(epochs=3, schedule="constant")
    run.update_control(paused=True, whole_epochs=1)
    with training(run) as thread:
        wait_until(lambda: run.status().epoch == 1, "an epoch")
        run.update_control(learning_rate=0.0005, paused=False)
        thread.join(60)
    rows = run.metrics().rows
    rates = [(row["step"] > PER_EPOCH, row["learning_rate"]) for row in rows]
    assert all(rate == pytest.approx(0.0005 if later else 0.01) for later, rate in rates)
    (marked,) = [row for row in rows if "changed" in row]
    assert marked["changed"] == {"learning_rate": 0.0005} and marked["step"] > PER_EPOCH


@pytest.mark.usefixtures("keras")
def test_more_epochs_while_it_runs() -> None:
    run = new_run(epochs=2)
    run.update_control(paused=True, whole_epochs=1)
    with training(run) as thread:
        wait_until(lambda: run.status().epoch == 1, "an epoch")
        run.update_control(epochs=5, paused=False)
        thread.join(60)
    assert (run.status().epoch, run.status().steps) == (5, 5 * PER_EPOCH)
    assert run.metrics().rows[-1]["learning_rate"] < 0.001, "the schedule is stretched to the new end"


def ended(run: Run) -> str:
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert run.status().state == "finished"
    return run.status().message


@pytest.mark.usefixtures("keras")
def test_patience_restores_the_best_epoch() -> None:
    run = new_run(epochs=60, patience=2, learning_rate=0.3, schedule="constant", weight_averaging=0.0)
    message = ended(run)
    losses = [loss for _, loss in told(run)]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == best + 2 and f"weights of epoch {best} " in message
    from mnist_core.data.mnist import load_mnist
    from mnist_core.data.splits import split_mnist
    from mnist_core.models.classifier import Classifier

    parts = split_mnist(load_mnist("sample"), SETTINGS.split)
    found = Classifier(run.model).probabilities(parts.x_validation)
    right = -np.log(np.maximum(found[np.arange(len(found)), parts.y_validation], 1e-7)).mean()
    assert right == pytest.approx(min(losses), rel=1e-3)


@pytest.mark.usefixtures("keras")
def test_target_accuracy_ends_it() -> None:
    run = new_run(epochs=60, target_accuracy=0.5)
    assert "50.00 %" in ended(run)
    accuracies = [row["val_accuracy"] for row in run.metrics().rows if "val_accuracy" in row]
    assert accuracies[-1] >= 0.5 > max([0, *accuracies[:-1]])


@pytest.mark.usefixtures("keras")
def test_time_budget_ends_it() -> None:
    run = new_run(epochs=1000, time_budget=2.0)
    assert "2 seconds" in ended(run)
    assert run.metrics().rows[-1]["elapsed"] >= 2.0 > run.metrics().rows[-2]["elapsed"]


def test_time_left_is_told_from_the_tenth_report(whole: Run) -> None:
    run = new_run(epochs=1000)
    with training(run):
        wait_until(lambda: len(run.metrics().rows) > 12, "twelve reports")
        wait_until(lambda: run.status().seconds_left is not None, "the time left")


NONSENSE = {
    "paused": "yes",
    "learning_rate": -1,
    "epochs": 2.5,
    "batches": -3,
    "whole_epochs": True,
    "more": {"x": [1]},
}


@pytest.mark.parametrize("content", [json.dumps(NONSENSE), "{", "[]", '{"learning_rate": NaN}', "\0" * 50])
def test_nonsense_in_the_control_file_is_ignored(content: str, keras: Any) -> None:
    run = new_run(epochs=2)
    (run.path / "control.json").write_text(content)
    assert ended(run).startswith("Finished")
    assert run.status().step == 2 * PER_EPOCH


def test_wishes_are_read() -> None:
    control = {"paused": True, "learning_rate": 0.1, "epochs": 7, "batches": 2, "whole_epochs": 1}
    assert Control.from_json(control) == Control(False, True, 0.1, 7, 2, 1)
    assert Control.from_json(NONSENSE) == Control.from_json({}) == Control()


def change(path: Any, edit: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(path) as loaded:
        arrays = dict(loaded)
    edit(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    "edit",
    [
        lambda arrays: arrays.pop("model-0"),
        lambda arrays: arrays.update({"model-0": np.zeros((3, 3))}),
        lambda arrays: arrays.pop("place"),
        lambda arrays: arrays.update(place=np.frombuffer(b'{"epoch": 1, "wings": 2}', np.uint8)),
    ],
)
def test_checkpoint_of_something_else_is_said(whole: Run, edit: Callable[[Any], None]) -> None:
    change(whole.path / CHECKPOINT_FILE, edit)
    resume_run(Backend(), whole, epochs=6)
    assert worker.main([str(whole.path)]) == 1
    assert "Train" in whole.status().message and "Traceback" not in whole.status().message
    assert (whole.path / "model.keras").is_file()


def test_broken_checkpoint_is_said(whole: Run) -> None:
    (whole.path / CHECKPOINT_FILE).write_bytes(b"half a file")
    resume_run(Backend(), whole, epochs=6)
    assert worker.main([str(whole.path)]) == 1
    assert "cannot be read" in whole.status().message


def test_place_survives_the_file(whole: Run) -> None:

    model = make_model(whole.spec().settings, 99)
    place, best = read_checkpoint(whole.path, model)
    assert (place.epoch, place.epochs, place.step, best) == (4, 4, 4 * PER_EPOCH, [])
    assert math.isfinite(place.best_loss) and 1 <= place.best_epoch <= 4
    assert place.elapsed >= place.train_seconds > 0


def test_reader_of_a_resumed_run_begins_anew(whole: Run) -> None:
    seen = whole.metrics()
    whole.trim_metrics(40)
    whole.append_metrics({"step": 41, "loss": 1.0})
    again = whole.metrics(seen)
    assert [row["step"] for row in again.rows][-1] == 41
    assert max(row["step"] for row in again.rows[:-1]) <= 40


@pytest.mark.usefixtures("keras")
def test_worker_does_not_outlive_its_run() -> None:
    run = new_run(epochs=1000)
    process: subprocess.Popen[bytes] = start_worker(run, 1)
    wait_until(lambda: run.status().step > 5, "some steps")
    shutil.rmtree(run.path)
    wait_until(lambda: process.poll() is not None, "the end of the worker", seconds=20)
    assert not psutil.pid_exists(process.pid)
