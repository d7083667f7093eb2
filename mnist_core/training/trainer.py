"""The course of one training: it reports, is steered by control.json, ends by itself, and leaves checkpoints.

What can be asked in control.json, each within a second: `stop` and `paused` (true or false), `learning_rate` (the new
peak), `epochs` (how many in all), and while it is paused `batches` and `whole_epochs`: how often a single batch, or an
epoch, has been asked for since the run began. Anything else there is ignored.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from mnist_core.data.splits import Split
from mnist_core.runs import probes
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
from mnist_core.runs.snapshots import write_snapshot
from mnist_core.runs.spec import RunSpec
from mnist_core.training import loop
from mnist_core.training.batches import steps_per_epoch
from mnist_core.training.eta import TimeLeftEstimator
from mnist_core.training.loop import LiveControls, Report
from mnist_core.training.predict import make_predictor
from mnist_core.training.tensorboard import EventWriter
from mnist_core.training.weights import inference_weights

POLL_SECONDS = 0.05  # while paused
RATE_MEMORY = 0.8  # how slowly images a second follow the last report


class Ending(NamedTuple):
    """How a training ended: `finished` or `stopped`, and why, in words for people."""

    state: str
    why: str


class Trainer:
    """One training from its beginning, or from its checkpoint, to its end.

    Args:
        run: whose files are written.
        heart: its status.
        stop: whether it was asked to end.
        spec: what is trained.
        model: the compiled Keras model.
        split: the images.
    """

    def __init__(
        self, run: Run, heart: Heartbeat, stop: Callable[[], bool], spec: RunSpec, model: Any, split: Split
    ) -> None:
        self._run, self._heart, self._stop, self._spec = run, heart, stop, spec
        self._model, self._split, self._settings = model, split, spec.settings
        self._per_epoch = steps_per_epoch(len(split.x_train), spec.settings)
        self.place = TrainingProgress(epochs=spec.settings.epochs, learning_rate=spec.settings.learning_rate)
        self._best: Variables = []
        if has_checkpoint(run.path):
            self.place, self._best = read_checkpoint(run.path, model)
            run.trim_metrics(self.place.step)
        self._events = EventWriter(run)
        wall = probes.choose_probe_grid(split.x_test, split.y_test)
        self._watch = probes.ProbeRecorder(run, wall, make_predictor(model))
        self._steering = LiveControls(self.place.learning_rate, self.place.epochs)
        self._asked = dict(self.place.asked)  # what was asked by counters, and is done
        self._until = 0  # while paused: finished epochs at which to pause again
        self._forecast = TimeLeftEstimator(self._per_epoch, len(split.x_validation) / spec.settings.batch_size)
        self._waited, self._evaluating, self._rate, self._told = 0.0, 0.0, 0.0, 0.0
        self._before = self.place
        self._changed: dict[str, Any] = {}  # by hand since the last report
        self._began = time.perf_counter()

    def train(self) -> Ending:
        """Trains until the last epoch, until it is asked to stop, or until a limit of its settings is reached."""
        steps = self._per_epoch * self._steering.epochs
        self._heart.update(
            steps=steps,
            epochs=self._steering.epochs,
            step=self.place.step,
            epoch=self.place.epoch,
            started=time.time(),
            train_seconds=self.place.train_seconds,
        )
        if self.place.step == 0:
            self._remember()
        if not self._may_go_on():
            return self._stopped()
        reports = loop.train(
            self._model, self._settings, self._split, self._spec.seed, self._steering, self.place.epoch
        )
        for number, report in enumerate(reports):
            self._record(report, number)
            limit = self._end_epoch(report) if report.val_loss is not None else ""
            if limit := limit or self._out_of_time():
                return Ending("finished", limit)
            if not self._may_go_on() and report.epoch < self._steering.epochs:
                return self._stopped()
        self._restore_best()
        return Ending("finished", "Finished")

    def _stopped(self) -> Ending:
        return Ending("stopped", f"Stopped in epoch {self._heart.status.epoch + 1}")

    def _record(self, report: Report, number: int) -> None:
        """Writes a report, and how far the training is. `number`: reports before it since this process began."""
        elapsed = self._elapsed()
        speed = report.images / report.seconds
        # The first report's time went into building the graph: it counts for nothing once there is a second one.
        if number:
            self._forecast.note(report.step, elapsed - self._told, report.val_seconds)
        self._rate = speed if number < 2 else RATE_MEMORY * self._rate + (1 - RATE_MEMORY) * speed
        self._evaluating += report.val_seconds
        self._told = elapsed
        steps = self._per_epoch * self._steering.epochs
        row = {name: value for name, value in asdict(report).items() if value is not None}
        # The first point comes at once: what is watched is only compiled after it.
        seen = self._watch.record(with_grid=report.val_loss is not None) if number else {}
        told = {**row, **self._changed, **seen, "images_per_second": round(self._rate, 1), "elapsed": elapsed}
        self._run.append_metrics(told)
        self._events.add(told)
        self._changed = {}
        self._heart.update(
            message="Training.",
            step=report.step,
            steps=steps,
            epoch=report.epoch,
            epochs=self._steering.epochs,
            images_per_second=self._rate,
            train_seconds=self._train_seconds(),
            seconds_left=self._forecast.left(steps),
        )

    def _elapsed(self) -> float:
        """Seconds of training so far, pauses and interruptions left out."""
        return round(self._before.elapsed + time.perf_counter() - self._began - self._waited, 3)

    def _train_seconds(self) -> float:
        """Of these, without validation."""
        return self._before.train_seconds + self._elapsed() - self._before.elapsed - self._evaluating

    def _end_epoch(self, report: Report) -> str:
        """Leaves a checkpoint. Returns why the training is to end here, if it is."""
        loss, accuracy = float(report.val_loss or 0), float(report.val_accuracy or 0)
        if loss < self.place.best_loss:
            self.place = replace(self.place, best_loss=loss, best_epoch=report.epoch)
            self._best = copy_weights(self._model) if self._settings.patience else []
        self.place = replace(
            self.place,
            epoch=report.epoch,
            epochs=self._steering.epochs,
            step=report.step,
            asked=dict(self._asked),
            learning_rate=self._steering.learning_rate,
            train_seconds=self._train_seconds(),
            elapsed=self._elapsed(),
        )
        write_checkpoint(self._run.path, self._model, self.place, self._best)
        self._remember()
        settings = self._settings
        if settings.target_accuracy and accuracy >= settings.target_accuracy:
            return f"Reached {100 * settings.target_accuracy:.2f} % of the validation images"
        if settings.patience and report.epoch - self.place.best_epoch >= settings.patience:
            self._restore_best()
            return f"No lower validation loss for {settings.patience} epochs; epoch {self.place.best_epoch} is restored"
        return ""

    def _remember(self) -> None:
        """Leaves a snapshot to look back on. A training does not end for want of one: a full disk, say."""
        with contextlib.suppress(OSError):
            write_snapshot(self._run.path, self.place.epoch, inference_weights(self._model))

    def _restore_best(self) -> None:
        """Where patience was asked for, the weights of the epoch with the lowest validation loss."""
        if self._best:
            restore_weights(self._model, self._best)

    def _out_of_time(self) -> str:
        """Goes by the time that the last report tells, so that the curve shows why it ended."""
        budget = self._settings.time_budget
        return f"Its {budget:g} seconds are spent" if budget and self._told >= budget else ""

    def _may_go_on(self) -> bool:
        """Does what control.json asks, and waits while it asks for a pause. False: the training is to end."""
        began = time.perf_counter()
        try:
            while not self._stop():
                wishes = Control.from_json(self._run.control())
                self._steer(wishes)
                if not wishes.paused or self._stepped(wishes):
                    self._heart.update(state="running") if self._heart.status.state == "paused" else None
                    return True
                if self._heart.status.state != "paused":
                    self._heart.update(state="paused", message="Paused.", seconds_left=None)
                time.sleep(POLL_SECONDS)
            return False
        finally:
            self._waited += time.perf_counter() - began

    def _steer(self, wishes: Control) -> None:
        rate, epochs = wishes.learning_rate, wishes.epochs
        if rate is not None and rate != self._steering.learning_rate:
            self._steering.learning_rate = rate
            self._changed = {"changed": {"learning_rate": rate}}
        if epochs is not None and epochs > self._heart.status.epoch:
            self._steering.epochs = epochs
        self._steering.batches = None

    def _stepped(self, wishes: Control) -> bool:
        """Whether one more step was asked for, although it is paused."""
        if self._heart.status.epoch < self._until:
            return True
        self._until = 0
        for name in ("batches", "whole_epochs"):
            if getattr(wishes, name) > self._asked.get(name, 0):
                self._asked[name] = self._asked.get(name, 0) + 1
                self._steering.batches = 1 if name == "batches" else None
                self._until = self._heart.status.epoch + 1 if name == "whole_epochs" else 0
                return True
        return False
