"""Trains one run: reports, control.json, checkpoints, snapshots and early stopping."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from mnist_core.data.splits import Split
from mnist_core.errors import DataError
from mnist_core.runs.checkpoints import (
    TrainingProgress,
    Variables,
    copy_weights,
    has_checkpoint,
    read_checkpoint,
    restore_weights,
    write_checkpoint,
)
from mnist_core.runs.control import Control
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.runs.snapshots import Moment, delete_later_snapshots, first_epoch_steps, write_snapshot
from mnist_core.runs.spec import RunSpec
from mnist_core.training import loop
from mnist_core.training.batches import steps_per_epoch
from mnist_core.training.clock import TrainingClock
from mnist_core.training.control_handler import ControlHandler
from mnist_core.training.estimate import ValidationEstimator
from mnist_core.training.live_snapshot import LiveSnapshotWriter
from mnist_core.training.loop import Report
from mnist_core.training.predict import make_predictor
from mnist_core.training.progress import ProgressWriter
from mnist_core.training.weights import inference_weights
from mnist_core.wording import plural

CHECKPOINT_SECONDS = 2
"""Minimum seconds between two checkpoints; a pause and the end of a training always write one. Writing takes 0.05
seconds, up to a tenth of a short epoch. A training that is killed loses at most this time plus one epoch."""


class Ending(NamedTuple):
    """How a training ended: the state `finished` or `stopped`, and the reason as people read it."""

    state: str
    reason: str


class Trainer:
    """Trains one run from its beginning, or from its checkpoint, to its end.

    Args:
        run: whose files are written.
        heartbeat: of its status.
        stop_requested: True once the training should end.
        spec: what to train.
        model: the compiled Keras model.
        split: the images.
        non_digit_share: of the training images, 0..1.

    Raises:
        RunError: the checkpoint cannot be read.
        DataError: it is of a training on other images.
    """

    def __init__(
        self,
        run: Run,
        heartbeat: Heartbeat,
        stop_requested: Callable[[], bool],
        spec: RunSpec,
        model: Any,
        split: Split,
        non_digit_share: float = 0.0,
    ) -> None:
        self._run, self._heartbeat, self._spec, self._model, self._split = run, heartbeat, spec, model, split
        settings = spec.settings
        data = "" if spec.base else _describe_data(split)  # people may correct more digits while a fine-tuning waits
        self._checkpoint = TrainingProgress(epochs=settings.epochs, learning_rate=settings.learning_rate, data=data)
        self._best_weights: Variables = []
        self._pending: Variables = []
        """The variables of `_checkpoint` while it is not written yet."""
        self._target = settings.target_accuracy
        """Validation accuracy that ends the training; 0 if none does."""
        self._last_write = time.monotonic()
        """When the last checkpoint was written, or the training began, as `time.monotonic`."""
        if has_checkpoint(run.path):
            self._checkpoint, self._best_weights = read_checkpoint(run.path, model)
            _check_data(self._checkpoint.data, data)
            self._checkpoint = replace(self._checkpoint, data=data)
        if run.has_reports:
            run.trim_metrics(self._checkpoint.step)
        delete_later_snapshots(run.path, Moment(self._checkpoint.epoch))
        self._clock = TrainingClock(self._checkpoint.elapsed, self._checkpoint.train_seconds)
        self._control = ControlHandler(run, heartbeat, stop_requested, self._checkpoint)
        self._live = LiveSnapshotWriter(run, model, settings.architecture, non_digit_share)
        predictor = make_predictor(model)
        with self._clock.paused():  # it writes the earlier reports to TensorBoard's files again
            self._progress = ProgressWriter(run, heartbeat, self._clock, self._control, predictor, split, settings)
        self._estimator = ValidationEstimator(predictor, split, steps_per_epoch(len(split.x_train), settings))

    def train(self) -> Ending:
        """Trains to the last epoch, or until a stop is requested or an early-stopping limit is reached.

        Raises:
            TrainingError: the training diverged.
            OSError: a file cannot be written, or the run was deleted.
        """
        begin, controls = self._checkpoint, self._control.values
        self._heartbeat.update(
            steps=steps_per_epoch(len(self._split.x_train), self._spec.settings) * controls.epochs,
            epochs=controls.epochs,
            step=begin.step,
            epoch=begin.epoch,
            started=time.time(),
            train_seconds=begin.train_seconds,
        )
        if begin.step == 0:
            self._write_snapshot(Moment(0))
        if not self._apply_control():
            return self._stopped()
        self._extend()
        try:
            ending = self._train_epochs(begin.epoch)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error says what is wrong
                self._write_checkpoint()
            raise
        self._write_checkpoint()
        return ending

    def _train_epochs(self, finished_epochs: int) -> Ending:
        if finished_epochs:
            accuracy = (self._accuracies() or [0.0])[-1]
            if limit := self._reached_limit(accuracy, finished_epochs, self._checkpoint.elapsed):
                return self._ended("finished", limit)
        settings, seed, controls = self._spec.settings, self._spec.seed, self._control.values
        due = first_epoch_steps(steps_per_epoch(len(self._split.x_train), settings), settings.architecture.parameters)
        for report in loop.train(self._model, settings, self._split, seed, controls, finished_epochs, due):
            self._progress.write(self._estimator.add_to(report))
            if report.step in due:
                self._write_snapshot(Moment(0, report.step))
            if report.val_loss is not None:
                self._take_checkpoint(report)
            if limit := self._reached_limit(report.val_accuracy, report.epoch, self._progress.elapsed):
                return self._ended("finished", limit)
            if not self._apply_control() and report.epoch < controls.epochs:
                return self._stopped()
        return self._ended("finished", "Finished")

    def _extend(self) -> None:
        """Lets the early-stopping limits count from here if more epochs were requested of a training that had ended.

        A target that it has reached before does not end it again.
        """
        settings, checkpoint = self._spec.settings, self._checkpoint
        if checkpoint.epoch == Control.from_json(self._run.control()).extended_epoch:
            checkpoint = replace(checkpoint, extended_epoch=checkpoint.epoch, extended_elapsed=checkpoint.elapsed)
            self._checkpoint = checkpoint
        if settings.time_budget:
            self._progress.time_limit = checkpoint.extended_elapsed + settings.time_budget
        if checkpoint.extended_epoch:
            best_before = max(self._accuracies()[: checkpoint.extended_epoch], default=0.0)
            self._target = 0.0 if best_before >= self._target else self._target

    def _accuracies(self) -> list[float]:
        """The validation accuracy of each epoch so far."""
        return [row["val_accuracy"] for row in self._run.metrics().rows if "val_accuracy" in row]

    def _apply_control(self) -> bool:
        self._live.update(self._heartbeat.status.step)
        with self._clock.paused():
            return self._control.apply(while_paused=self._while_paused)

    def _while_paused(self) -> None:
        self._write_checkpoint()
        self._live.update(self._heartbeat.status.step, paused=True)

    def _stopped(self) -> Ending:
        return self._ended("stopped", f"Stopped in epoch {self._heartbeat.status.epoch + 1}{self._restored}")

    def _ended(self, state: str, reason: str) -> Ending:
        """Ends the training. With patience, restores the weights of the epoch with the lowest validation loss."""
        if self._best_weights:
            restore_weights(self._model, self._best_weights)
        return Ending(state, reason)

    @property
    def _restored(self) -> str:
        """The end of a reason: which weights are restored."""
        return f"; the weights of epoch {self._checkpoint.best_epoch} are restored" if self._best_weights else ""

    def _take_checkpoint(self, report: Report) -> None:
        """Takes a checkpoint and a snapshot at the end of an epoch."""
        variables, loss = copy_weights(self._model), float(report.val_loss or 0)
        checkpoint, best = self._checkpoint, self._best_weights
        if loss < checkpoint.best_loss:
            checkpoint = replace(checkpoint, best_loss=loss, best_epoch=report.epoch)
            best = variables if self._spec.settings.patience else []
        checkpoint = replace(
            checkpoint,
            epoch=report.epoch,
            epochs=self._control.values.epochs,
            step=report.step,
            asked=dict(self._control.done),
            learning_rate=self._control.values.learning_rate,
            train_seconds=self._clock.train_seconds(),
            elapsed=self._clock.elapsed(),
        )
        self._checkpoint, self._best_weights, self._pending = checkpoint, best, variables
        if time.monotonic() >= self._last_write + CHECKPOINT_SECONDS:
            self._write_checkpoint()
        self._write_snapshot(Moment(report.epoch))

    def _write_checkpoint(self) -> None:
        """Writes the last checkpoint taken, unless that is done."""
        variables, self._pending = self._pending, []
        if variables:
            write_checkpoint(self._run.path, variables, self._checkpoint, self._best_weights)
            self._last_write = time.monotonic()

    def _write_snapshot(self, moment: Moment) -> None:
        """Keeps a copy of the weights to look back on. A full disk must not end the training."""
        with contextlib.suppress(OSError):
            write_snapshot(self._run.path, moment, inference_weights(self._model))

    def _reached_limit(self, val_accuracy: float | None, epoch: int, elapsed: float) -> str:
        """Returns which early-stopping limit is reached, as people read it; empty if none.

        Args:
            val_accuracy: of the last report, if it has one.
            epoch: finished epochs.
            elapsed: seconds of training in that report, so that the curve shows why the training ended.
        """
        settings, checkpoint = self._spec.settings, self._checkpoint
        if val_accuracy is not None:
            if self._target and val_accuracy >= self._target:
                return f"Reached the target of {self._target:.2%} validation accuracy{self._restored}"
            since = max(checkpoint.best_epoch, checkpoint.extended_epoch)
            if settings.patience and epoch - since >= settings.patience:
                return f"No lower validation loss for {plural(settings.patience, 'epoch')}{self._restored}"
        if settings.time_budget and elapsed - checkpoint.extended_elapsed >= settings.time_budget:
            return f"The time budget of {settings.time_budget:g} seconds is used up{self._restored}"
        return ""


def _describe_data(split: Split) -> str:
    return f"{len(split.y_train)} images, {zlib.crc32(split.y_train.tobytes()):08x}"


def _check_data(before: str, now: str) -> None:
    """Raises DataError if a training would be resumed on other images. Either text may be empty, which fits all."""
    if before and now and before != now:
        raise DataError(
            f"This run trained on other images so far ({before}) than are here now ({now}): MNIST or the pen digits "
            "were out of reach then, or are now. Restore that data and resume the run, or train it as a new run."
        )
