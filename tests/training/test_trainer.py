"""Training one run: control.json takes effect within a second, resuming is exact, and early stopping ends it."""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from mnist_core import worker
from mnist_core.browser.weights_file import read_header
from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import split_mnist
from mnist_core.errors import QueueFullError, RunError, TrainingError
from mnist_core.jobs.lifecycle import conclude_run, resume_run
from mnist_core.jobs.persistent_worker import PersistentWorker
from mnist_core.jobs.worker_process import start_worker
from mnist_core.networks.layers import BatchNormalization, Dense, Dropout, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs.checkpoints import CHECKPOINT_FILE, TrainingProgress, Variables, read_checkpoint
from mnist_core.runs.control import Control
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.history import history_row
from mnist_core.runs.run import Run
from mnist_core.runs.snapshots import read_snapshot, snapshot_moments
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run
from mnist_core.training import clock, dataset, estimate, live_snapshot, loop, trainer
from mnist_core.training.control_handler import ControlHandler
from mnist_core.training.model import make_model
from mnist_core.training.trainer import Trainer
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


class Backend:
    """Accepts a run without training it, or has no room."""

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def submit(self, run: Run) -> None:
        if self.full:
            raise QueueFullError("full")


def new_run(root: Path | None = None, **changes: Any) -> Run:
    return create_run(RunSpec("fast", replace(SETTINGS, **changes), "sample", seed=3), root)


def weights(run: Run) -> list[np.ndarray]:
    import keras

    return list(keras.models.load_model(run.path / "model.keras", compile=False).get_weights())


def numbers(browser_model: bytes) -> np.ndarray:
    """All weights of a model.bin."""
    start, found = 16 + int.from_bytes(browser_model[8:12], "little"), []
    for place in (layer[name] for layer in read_header(browser_model)["layers"] for name in layer):
        if isinstance(place, dict):
            kind = {"float16": "<f2", "float32": "<f4"}[place["type"]]
            found.append(np.frombuffer(browser_model, kind, place["length"], start + place["offset"]))
    return np.concatenate(found, dtype=np.float32)


def same_weights(first: Run, second: Run) -> bool:
    return all((a == b).all() for a, b in zip(weights(first), weights(second), strict=True))


def validation_losses(run: Run) -> list[tuple[int, float]]:
    return [(row["epoch"], row["val_loss"]) for row in run.metrics().rows if "val_loss" in row]


def finish(run: Run) -> str:
    """Trains the run to its end in this process. Returns the message of its status."""
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert run.status().state == "finished"
    return run.status().message


@contextmanager
def training(run: Run) -> Iterator[threading.Thread]:
    """Runs the worker in a thread of this process."""
    thread = threading.Thread(target=worker.main, args=([str(run.path)],))
    thread.start()
    try:
        yield thread
    finally:
        run.update_control(stop=True, paused=False)
        thread.join()


def wait_for_pause(run: Run, epoch: int) -> None:
    wait_until(
        lambda: run.status().state == "paused" and run.status().epoch == epoch, f"the pause after epoch {epoch}", 180
    )


@pytest.fixture(autouse=True)
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the main thread may handle signals, and these workers run in another one."""
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)


@pytest.fixture(scope="module")
def untouched_run(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run that nobody interrupted. Read only: tests that change it use `finished_run`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.signal, "signal", lambda *_: None)
        run = new_run(tmp_path_factory.mktemp("untouched"))
        finish(run)
    return run


@pytest.fixture
def finished_run(untouched_run: Run, runs_root: Path) -> Run:
    """A copy of the finished run."""
    shutil.copytree(untouched_run.path, runs_root / untouched_run.id)
    return Run(runs_root / untouched_run.id)


# checkpoints


def test_resumed_run_equals_the_uninterrupted_one(untouched_run: Run) -> None:
    """Stopped three batches into its second epoch, which is then trained again. Somebody watches it meanwhile."""
    run = new_run()
    run.update_control(paused=True, whole_epochs=1)
    with training(run):
        wait_for_pause(run, epoch=1)
        run.update_control(batches=3)
        wait_until(lambda: run.status().step == PER_EPOCH + 3, "three more batches")
        live_snapshot.watch(run)
        live = wait_until(lambda: live_snapshot.read_live_snapshot(run), "a live snapshot")
    assert run.status().state == "stopped"
    kept = numbers((run.path / "model.bin").read_bytes())
    assert live.step == PER_EPOCH + 3 and len(kept) == 784 * 16 + 16 + 2 * 16 + 16 * 10 + 10
    # Keras swaps averaged weights by adding them: the last bits differ, and so float16 rounds some differently.
    np.testing.assert_allclose(numbers(live.content), kept, rtol=2**-9, atol=1e-4)
    assert live_snapshot.read_live_snapshot(run) is None, "deleted at the end"
    resume_run(Backend(), run)
    finish(run)
    assert same_weights(run, untouched_run)
    assert validation_losses(run) == validation_losses(untouched_run)
    steps = [row["step"] for row in run.metrics().rows]
    assert steps == sorted(set(steps)), "each step is reported once"
    assert run.card()["epochs_trained"] == 4
    moments = snapshot_moments(run.path)
    assert moments == snapshot_moments(untouched_run.path) and [each.epoch for each in moments][-4:] == [1, 2, 3, 4]
    for moment in moments:
        pairs = zip(read_snapshot(run.path, moment), read_snapshot(untouched_run.path, moment), strict=True)
        assert all((a == b).all() for a, b in pairs)


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the size of files by prlimit")
@pytest.mark.usefixtures("keras")
def test_run_survives_a_kill_and_a_full_disk_and_equals_the_uninterrupted_one() -> None:
    """Killed within an epoch, then on a disk with too little room for a checkpoint."""
    import resource

    run = new_run()
    run.update_control(paused=True, whole_epochs=1)
    process = start_worker(run, 1)
    wait_for_pause(run, epoch=1)
    run.update_control(batches=3)
    wait_until(lambda: run.status().step == PER_EPOCH + 3, "the middle of the second epoch")
    process.kill()
    process.wait()
    conclude_run(run, process.returncode)
    assert run.status().state == "interrupted"

    resume_run(Backend(), run)
    run.update_control(paused=True)
    process = start_worker(run, 1)
    wait_for_pause(run, epoch=1)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    run.update_control(paused=False)
    assert process.wait(300) in (1, 120), run.log.read_text()  # 120: Python could not write its last output
    status = run.status(grace=0)
    assert status.state == "interrupted" and "The disk is full" in status.message
    assert run.metrics().broken == 0 and not list(run.path.rglob(".*-*")), "nothing half-written"
    conclude_run(run, process.returncode)

    resume_run(Backend(), run)
    uninterrupted = new_run()
    worker = PersistentWorker(1)  # in a process, too: the number of threads can change bits
    for each in (run, uninterrupted):
        assignment = worker.take(each)
        wait_until(lambda: assignment.poll() is not None, "the end of the run", 300)  # noqa: B023 - at once
        assert each.status().state == "finished", each.log.read_text()
    worker.end()
    assert [epoch for epoch, _ in validation_losses(run)] == [1, 2, 3, 4]
    assert same_weights(run, uninterrupted)


def test_weights_are_the_same_if_snapshots_cannot_be_written_and_with_estimates_all_the_time(
    untouched_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "TIME_SHARE", 1e6)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "write_snapshot", refuse)
    run = new_run()
    finish(run)
    assert not snapshot_moments(run.path)
    rows = run.metrics().rows
    estimated = [row for row in rows if "estimated_val_loss" in row]
    assert estimated and not any("val_loss" in row for row in estimated)
    assert all(0 <= row["estimated_val_accuracy"] <= 1 and row["estimate_seconds"] > 0 for row in estimated)
    assert run.status().train_seconds < rows[-1]["elapsed"] - sum(row["estimate_seconds"] for row in estimated)
    assert same_weights(run, untouched_run) and validation_losses(run) == validation_losses(untouched_run)


def test_only_an_ended_run_with_a_checkpoint_can_be_resumed(finished_run: Run) -> None:
    with pytest.raises(RunError):
        resume_run(Backend(), new_run())
    shutil.rmtree(finished_run.path / "checkpoint")
    with pytest.raises(RunError):
        resume_run(Backend(), finished_run)


def test_full_queue_leaves_the_run_as_it_was(finished_run: Run) -> None:
    before = finished_run.status(), Control.from_json(finished_run.control())
    with pytest.raises(QueueFullError):
        resume_run(Backend(full=True), finished_run, epochs=9)
    assert (finished_run.status(), Control.from_json(finished_run.control())) == before


def test_finished_run_can_be_extended(finished_run: Run) -> None:
    resume_run(Backend(), finished_run, epochs=6)
    finish(finished_run)
    assert (finished_run.status().epoch, finished_run.status().epochs) == (6, 6)
    assert finished_run.card()["epochs_trained"] == 6
    assert [epoch for epoch, _ in validation_losses(finished_run)] == [1, 2, 3, 4, 5, 6]


def test_checkpoints_of_short_epochs_are_rare_but_the_last_is_never_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[int]()
    write = trainer.write_checkpoint

    def count(folder: Path, variables: Variables, progress: TrainingProgress, best: Variables) -> None:
        written.append(progress.epoch)
        write(folder, variables, progress, best)

    monkeypatch.setattr(trainer, "write_checkpoint", count)
    for seconds, expected in ((1e6, [4]), (0, [1, 2, 3, 4])):
        monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", seconds)
        written.clear()
        finish(new_run())
        assert written == expected

    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 1e6)
    written.clear()
    run = new_run()
    monkeypatch.setattr(trainer.Trainer, "_reached_limit", lambda _, __, epoch, ___: 1 / (3 - epoch) and "")
    assert worker.main([str(run.path)]) == 1
    assert written == [3], "after an error, too"


def test_a_disk_that_is_full_at_the_end_does_not_hide_why_a_training_diverged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def diverge(_: object, val_accuracy: float | None, epoch: int, elapsed: float) -> str:
        if epoch == 2:
            raise TrainingError("Training diverged")
        return ""

    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 1e6)
    monkeypatch.setattr(trainer, "write_checkpoint", refuse)
    monkeypatch.setattr(trainer.Trainer, "_reached_limit", diverge)
    run = new_run()
    assert worker.main([str(run.path)]) == 1
    assert "Training diverged" in run.status().message


def test_checkpoint_says_how_far_the_training_has_come(untouched_run: Run) -> None:
    model = make_model(untouched_run.spec().settings, 99)
    progress, best = read_checkpoint(untouched_run.path, model)
    assert (progress.epoch, progress.epochs, progress.step, best) == (4, 4, 4 * PER_EPOCH, [])
    assert math.isfinite(progress.best_loss) and 1 <= progress.best_epoch <= 4
    assert progress.elapsed >= progress.train_seconds > 0


def test_checkpoint_that_cannot_be_used_is_refused_and_the_model_stays(finished_run: Run) -> None:
    path = finished_run.path / CHECKPOINT_FILE
    whole = path.read_bytes()
    model = make_model(finished_run.spec().settings, 99)
    before = model.get_weights()
    edits = [
        lambda arrays: arrays.pop("model-0"),
        lambda arrays: arrays.update({"model-0": np.zeros((3, 3))}),
        lambda arrays: arrays.pop("place"),
        lambda arrays: arrays.update(place=np.frombuffer(b'{"epoch": 1, "wings": 2}', np.uint8)),
    ]
    for edit in edits:
        path.write_bytes(whole)
        with np.load(path) as loaded:
            arrays = dict(loaded)
        edit(arrays)
        np.savez(path, **arrays)
        with pytest.raises(RunError) as caught:
            read_checkpoint(finished_run.path, model)
        assert str(path) in str(caught.value)
    path.write_bytes(b"half a file")
    with pytest.raises(RunError) as caught:
        read_checkpoint(finished_run.path, model)
    assert str(path) in str(caught.value)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))

    resume_run(Backend(), finished_run, epochs=6)
    assert worker.main([str(finished_run.path)]) == 1
    assert str(path) in finished_run.status().message and "Traceback" not in finished_run.status().message
    assert (finished_run.path / "model.keras").is_file()


def test_reader_of_a_resumed_run_reads_its_metrics_again(finished_run: Run) -> None:
    seen = finished_run.metrics()
    finished_run.trim_metrics(40)
    finished_run.append_metrics({"step": 41, "loss": 1.0})
    again = finished_run.metrics(seen)
    assert [row["step"] for row in again.rows][-1] == 41
    assert max(row["step"] for row in again.rows[:-1]) <= 40


# control.json


@pytest.mark.usefixtures("keras")
def test_single_batches_and_epochs_while_paused_and_another_learning_rate() -> None:
    run = new_run(epochs=3, schedule="constant")
    run.update_control(paused=True)
    with training(run) as thread:
        wait_for_pause(run, epoch=0)
        for count in (1, 2):
            run.update_control(batches=count)
            wait_until(lambda count=count: run.status().step == count, f"batch {count}", seconds=20)
        time.sleep(0.3)
        assert (run.status().step, run.status().state) == (2, "paused")
        run.update_control(whole_epochs=1)
        wait_for_pause(run, epoch=1)
        assert run.status().step == PER_EPOCH
        run.update_control(learning_rate=0.0005, epochs=4, paused=False)
        thread.join(60)
    assert (run.status().state, run.status().step) == ("finished", 4 * PER_EPOCH)
    rows = run.metrics().rows
    for row in rows:
        assert row["learning_rate"] == pytest.approx(0.0005 if row["step"] > PER_EPOCH else 0.01)
    (marked,) = [row for row in rows if "changed" in row]
    assert marked["changed"] == {"learning_rate": 0.0005, "epochs": 4} and marked["step"] > PER_EPOCH


@pytest.mark.usefixtures("keras")
def test_pause_and_stop_take_effect_within_a_second_and_the_time_left_is_estimated() -> None:
    run = new_run(epochs=1000)
    with training(run):
        wait_until(lambda: len(run.metrics().rows) > 12, "twelve reports")
        wait_until(lambda: run.status().seconds_left is not None, "the time left")
        run.update_control(paused=True)
        wait_until(lambda: run.status().state == "paused", "the pause", seconds=2)
        step = run.status().step
        run.update_control(paused=False)
        wait_until(lambda: run.status().state == "running" and run.status().step > step, "more steps")
        run.update_control(stop=True)
        wait_until(lambda: run.status().state in ("stopping", "stopped"), "the stop", seconds=2)


@pytest.mark.usefixtures("keras")
def test_epochs_can_be_added_while_it_trains() -> None:
    run = new_run(epochs=2)
    run.update_control(paused=True, whole_epochs=1)
    with training(run) as thread:
        wait_until(lambda: run.status().epoch == 1, "an epoch")
        run.update_control(epochs=5, paused=False)
        thread.join(60)
    assert (run.status().epoch, run.status().steps) == (5, 5 * PER_EPOCH)
    assert run.metrics().rows[-1]["learning_rate"] < 0.001, "the schedule is stretched to the new end"


# early stopping


@pytest.mark.usefixtures("keras")
def test_patience_ends_it_and_restores_the_best_epoch(sample: Any) -> None:
    run = new_run(epochs=60, patience=2, learning_rate=0.3, schedule="constant", weight_averaging=0.0)
    message = finish(run)
    losses = [loss for _, loss in validation_losses(run)]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == best + 2 and f"epoch {best} " in message
    from mnist_core.models.classifier import Classifier

    parts = split_mnist(sample, SETTINGS.split)
    probabilities = Classifier(run.model).probabilities(parts.x_validation)
    chosen = probabilities[np.arange(len(probabilities)), parts.y_validation]
    assert -np.log(np.maximum(chosen, 1e-7)).mean() == pytest.approx(min(losses), rel=1e-3)


@pytest.mark.usefixtures("keras")
def test_target_accuracy_ends_it() -> None:
    run = new_run(epochs=60, target_accuracy=0.5)
    assert "50.00%" in finish(run)
    accuracies = [row["val_accuracy"] for row in run.metrics().rows if "val_accuracy" in row]
    assert accuracies[-1] >= 0.5 > max([0, *accuracies[:-1]])


@pytest.mark.usefixtures("keras")
def test_target_accuracy_restores_the_best_weights_if_there_is_patience(
    sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(epochs=60, patience=50, target_accuracy=0.5, weight_averaging=0.0)
    model = make_model(run.spec().settings, 3)
    bias = model.layers[-1].bias

    def train(*_: object) -> Iterator[loop.Report]:
        for epoch, loss, accuracy in ((1, 0.8, 0.4), (2, 0.9, 0.6)):
            bias.assign(np.full(10, epoch, np.float32))
            yield loop.Report(PER_EPOCH * epoch, epoch, 1.0, 0.5, 0.01, 200, 1.0, loss, accuracy)

    monkeypatch.setattr(loop, "train", train)
    ending = Trainer(run, Heartbeat(run), lambda: False, run.spec(), model, split_mnist(sample, "last-sixth")).train()
    assert ending.state == "finished" and "50.00%" in ending.reason and "epoch 1 " in ending.reason
    assert bias.numpy().tolist() == [1.0] * 10


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("patience", [0, 50])
def test_the_card_scores_the_model_of_a_training_that_is_stopped_within_an_epoch(patience: int, sample: Any) -> None:
    """With patience, a stop restores the best weights, too."""
    run = new_run(epochs=60, patience=patience, learning_rate=0.3, schedule="constant", weight_averaging=0.0)
    run.update_control(paused=True, whole_epochs=4)
    with training(run) as thread:
        wait_until(lambda: run.status().epoch == 4, "four epochs")
        run.update_control(batches=5)
        wait_until(lambda: run.status().step == 4 * PER_EPOCH + 5, "five batches more")
        run.update_control(stop=True)
        thread.join(60)
    from mnist_core.models.classifier import Classifier

    parts, card = split_mnist(sample, SETTINGS.split), run.card()
    probabilities = Classifier(run.model).probabilities(parts.x_validation)
    accuracy = (probabilities.argmax(1) == parts.y_validation).mean()
    assert card["val_accuracy"] == history_row(run)["val_accuracy"] == pytest.approx(accuracy, abs=1e-3)
    losses = validation_losses(run)
    best, least = min(losses, key=lambda each: each[1])
    restored = f"; the weights of epoch {best} are restored" if patience else ""
    assert f"Stopped in epoch 5{restored}: " in run.status().message
    if patience:
        assert card["val_loss"] == pytest.approx(least, rel=1e-3)
    else:
        assert all(abs(card["val_loss"] / loss - 1) > 1e-3 for _, loss in losses), "the model of no epoch's end"


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("limit", [{"patience": 2}, {"target_accuracy": 0.4}, {"time_budget": 2.5}])
def test_requested_epochs_are_trained_whatever_limit_was_reached(
    limit: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(epochs=30, learning_rate=0.03, schedule="constant", **limit)
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: float(len(validation_losses(run)))))
    finish(run)
    before = run.status().epoch
    assert 0 < before < 30
    resume_run(Backend(), run)
    finish(run)
    assert run.status().epoch == before, "nobody has requested epochs: the limit still holds"
    resume_run(Backend(), run, epochs=30)
    message, epochs = finish(run), run.status().epoch
    if "target_accuracy" in limit:
        assert epochs == 30 and message.startswith("Finished")
    elif "time_budget" in limit:
        assert epochs == before + 3 and "2.5 seconds" in message
    else:
        assert epochs >= before + 2


@pytest.mark.usefixtures("keras")
def test_time_budget_ends_it() -> None:
    run = new_run(epochs=1000, time_budget=2.0)
    assert "2 seconds" in finish(run)
    *before, last = (row["elapsed"] for row in run.metrics().rows)
    assert last >= 2.0 and all(elapsed < 2.0 for elapsed in before)


@pytest.mark.usefixtures("keras")
def test_time_budget_restores_the_best_weights_if_there_is_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(epochs=1000, time_budget=2.0, patience=900)
    five_epochs_later = SimpleNamespace(perf_counter=lambda: 3.0 if len(validation_losses(run)) >= 5 else 0.0)
    monkeypatch.setattr(clock, "time", five_epochs_later)
    message = finish(run)
    epoch, _ = min(validation_losses(run), key=lambda each: each[1])
    assert f"; the weights of epoch {epoch} are restored" in message


@pytest.mark.usefixtures("keras")
def test_a_limit_that_was_reached_before_an_interruption_still_ends_it() -> None:
    run = new_run(epochs=60, target_accuracy=0.5)
    finish(run)
    epochs = run.status().epoch
    run.write_status(replace(run.status(), state="interrupted"))
    resume_run(Backend(), run)
    assert "50.00%" in finish(run) and run.status().epoch == epochs
    run.write_status(replace(run.status(), state="interrupted"))
    resume_run(Backend(), run, epochs=61)
    assert finish(run).startswith("Finished")
    assert run.status().epoch == 61, "a target that was reached does not end what is added"


@pytest.mark.usefixtures("keras")
def test_the_time_left_is_within_the_time_budget() -> None:
    run, left = new_run(epochs=1000, time_budget=20.0), list[float | None]()
    with training(run) as thread:
        while thread.is_alive() and sum(seconds is not None for seconds in left) < 5:
            left.append(run.status().seconds_left)
            time.sleep(0.02)
    estimates = [seconds for seconds in left if seconds is not None]
    assert estimates and max(estimates) < 20


@pytest.mark.usefixtures("keras")
def test_a_run_is_not_resumed_on_other_images(finished_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = finished_run.metrics()
    resume_run(Backend(), finished_run, epochs=6)
    small = load_mnist("sample")
    other = replace(small, x_train=small.x_train[:3000], y_train=small.y_train[:3000])
    monkeypatch.setattr(dataset, "load_mnist", lambda *_: other)
    assert worker.main([str(finished_run.path)]) == 1
    assert "trained on other images so far (3333 images" in finished_run.status().message
    assert finished_run.metrics() == before


@pytest.mark.usefixtures("keras")
def test_a_stop_is_heard_while_images_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*arguments: Any) -> None:
        show_message = arguments[-2]
        run.update_control(stop=True)
        for share in range(100):
            show_message("Drawing digits.", share / 100)
            time.sleep(0.01)
        raise AssertionError("it was not stopped")

    run = new_run()
    monkeypatch.setattr(dataset, "_add_drawings", draw)
    assert worker.main([str(run.path)]) == 0
    assert (run.status().state, run.status().message) == ("stopped", "Stopped while the images were loaded.")


class PausedError(Exception):
    """Raised instead of waiting."""


def waits(handler: ControlHandler) -> bool:
    """Whether the training pauses now."""

    def stop_waiting() -> None:
        raise PausedError

    try:
        assert handler.apply(while_paused=stop_waiting)
    except PausedError:
        return True
    return False


@pytest.mark.parametrize("ended_by", ["resuming", "stopping"])
def test_what_was_requested_in_a_pause_ends_with_it(ended_by: str) -> None:
    """A whole epoch is requested in a pause, and within this epoch the training is resumed, or stopped and resumed."""
    run, progress = new_run(), TrainingProgress(epochs=9, learning_rate=0.1)
    heartbeat: Any = Heartbeat(run)
    handler = ControlHandler(run, heartbeat, lambda: False, progress)
    run.update_control(paused=True)
    assert waits(handler)
    run.update_control(whole_epochs=1)
    assert not waits(handler) and not waits(handler), "the epoch has not ended"
    if ended_by == "stopping":  # the checkpoint is older than the request
        handler = ControlHandler(run, heartbeat, lambda: False, progress)
    run.update_control(paused=False)
    assert not waits(handler)
    run.update_control(paused=True)
    assert waits(handler)


@pytest.mark.usefixtures("keras")
def test_worker_ends_if_its_run_is_deleted() -> None:
    run = new_run(epochs=1000)
    process = start_worker(run, 1)
    wait_until(lambda: run.status().step > 5, "some steps", 180)
    while run.path.exists():  # the worker may write while the folder is being deleted
        shutil.rmtree(run.path, ignore_errors=True)
    wait_until(lambda: process.poll() is not None, "the end of the worker", seconds=60)
    assert not psutil.pid_exists(process.pid)
