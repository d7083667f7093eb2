"""Writes the progress of a training: metrics.jsonl, TensorBoard's event files and status.json."""

from __future__ import annotations

from dataclasses import asdict

from mnist_core.data.splits import Split
from mnist_core.recipes.settings import Settings
from mnist_core.runs import probes
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.training.batches import steps_per_epoch
from mnist_core.training.clock import TrainingClock
from mnist_core.training.control_handler import ControlHandler
from mnist_core.training.eta import TimeLeftEstimator
from mnist_core.training.loop import Report
from mnist_core.training.predict import Predictor
from mnist_core.training.tensorboard import EventWriter

SPEED_SMOOTHING = 0.8
"""Weight of the past in the moving average of images per second."""


class ProgressWriter:
    """Writes each report of a training to the files of its run.

    Args:
        run: whose files are written.
        heartbeat: of its status.
        clock: of the training.
        control: for the number of epochs, and changes by the user.
        predictor: for probes and the probe grid.
        split: the images.
        settings: of the training.

    Attributes:
        elapsed: seconds at the last report, as `TrainingClock.elapsed`.
        time_limit: of these seconds, how many there can be at most; None without a limit.
    """

    def __init__(
        self,
        run: Run,
        heartbeat: Heartbeat,
        clock: TrainingClock,
        control: ControlHandler,
        predictor: Predictor,
        split: Split,
        settings: Settings,
    ) -> None:
        self._run, self._heartbeat, self._clock, self._control = run, heartbeat, clock, control
        self._events = EventWriter(run)
        shown = 0 if sweep_mark(run) else len(split.y_test)  # no run of a sweep sees the test images
        grid = probes.choose_probe_grid(split.x_test[:shown], split.y_test[:shown])
        self._probes = probes.ProbeRecorder(run, grid, predictor)
        self._per_epoch = steps_per_epoch(len(split.x_train), settings)
        self._time_left = TimeLeftEstimator(self._per_epoch, len(split.x_validation) / settings.batch_size)
        self._reports, self._images_per_second = 0, 0.0
        self.elapsed = 0.0
        self.time_limit: float | None = None

    def write(self, report: Report) -> None:
        """Writes one report."""
        elapsed, speed = self._clock.elapsed(), report.images / report.seconds
        epochs = self._control.values.epochs
        steps = self._per_epoch * epochs
        predictions = {}
        if self._reports:  # the first report counts the time that built the graph, and must not wait for predictions
            self._time_left.add_report(report.step, elapsed - self.elapsed, report.val_seconds)
            predictions = self._probes.record(with_grid=report.val_loss is not None)
        if self._reports >= 2:
            speed = SPEED_SMOOTHING * self._images_per_second + (1 - SPEED_SMOOTHING) * speed
        self._images_per_second, self.elapsed = speed, elapsed
        self._reports += 1
        self._clock.add_validation(report.val_seconds + report.estimate_seconds)

        row = {name: value for name, value in asdict(report).items() if value is not None}
        if not report.estimate_seconds:
            del row["estimate_seconds"]
        row |= {**self._control.take_changes(), **predictions}
        row |= {"images_per_second": round(speed, 1), "elapsed": elapsed}
        self._run.append_metrics(row)
        self._events.write_report(row)
        self._heartbeat.update(
            message="Training.",
            step=report.step,
            steps=steps,
            epoch=report.epoch,
            epochs=epochs,
            images_per_second=speed,
            train_seconds=self._clock.train_seconds(),
            seconds_left=self._seconds_left(steps),
        )

    def _seconds_left(self, steps: int) -> float | None:
        """Seconds until all steps are trained or the time budget is used up; None while there is no estimate."""
        left = self._time_left.seconds_left(steps)
        if left is None or self.time_limit is None:
            return left
        return max(0.0, min(left, self.time_limit - self.elapsed))
