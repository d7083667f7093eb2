"""Finding a learning rate: the range test of L. N. Smith (2017). From new weights it trains batch after batch with a
rate that rises exponentially, until the loss explodes; a good rate lies where it still falls.

A test is a folder like that of a run, in RUNS_DIR/TESTS_FOLDER where no list of runs looks, with the same spec, status,
control and metrics, and the same worker makes it:

test = jobs.start(backend, spec, owner, rate_finder.folder())
points = rate_finder.points(test)       # so far
rate_finder.suggest(points)             # Suggestion(rate=0.002, ...), or None
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.config import runs_dir
from mnist_core.data.mnist import Mnist, load_mnist
from mnist_core.data.splits import Split, split_mnist, uncenter_split
from mnist_core.errors import TrainingError
from mnist_core.recipes.settings import Settings
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import list_runs
from mnist_core.training import loop
from mnist_core.training.batches import check_batch_size, steps_per_epoch
from mnist_core.training.loop import LiveControls
from mnist_core.training.model import make_model

TESTS_FOLDER = ".rates"
LOWEST_RATE, HIGHEST_RATE = 1e-6, 10.0
STEPS = 140
"""Twenty for each power of ten."""

SMOOTHING = 0.8
"""Weight of what came before in the smoothed loss: it looks back over five batches, a quarter of a power of ten."""
EXPLODED = 4.0
"""Times the lowest smoothed loss so far, as fast.ai has it."""
FELL = 0.9
"""Of the loss at the beginning: one that never fell below that has learned nothing."""
SAFETY = 10.0
"""The suggestion is so many times below the rate where the loss was lowest."""
MOST_SECONDS = 90.0
KEPT = 20  # tests that stay in TESTS_FOLDER
VALIDATED = 20  # images at an epoch's end: nobody asks for the score


@dataclass(frozen=True)
class Point:
    """What one batch told.

    Attributes:
        step: batches trained.
        rate: its learning rate.
        loss: its mean loss, before its step was taken.
        smoothed: the moving average of the losses so far, less its bias towards 0.
    """

    step: int
    rate: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class Suggestion:
    """What a test comes to.

    Attributes:
        rate: SAFETY times below `lowest`, in two figures: the one to use.
        lowest: the rate at which the smoothed loss was lowest.
    """

    rate: float
    lowest: float


def tests_folder() -> Path:
    """Where tests lie."""
    return runs_dir() / TESTS_FOLDER


def is_range_test(run: Run) -> bool:
    """Whether a run's folder is that of a test."""
    return run.path.parent.name == TESTS_FOLDER


def delete_old_tests() -> None:
    """Deletes all tests that have ended but the last KEPT."""
    for old in list_runs(tests_folder())[KEPT:]:
        if old.status().final:
            shutil.rmtree(old.path, ignore_errors=True)


def read_points(run: Run) -> list[Point]:
    """What a test has told so far; what cannot be read is left out."""
    names = [described.name for described in fields(Point)]
    whole = [row for row in run.metrics().rows if all(isinstance(row.get(name), int | float) for name in names)]
    return [Point(int(row["step"]), float(row["rate"]), float(row["loss"]), float(row["smoothed"])) for row in whole]


def learning_rate_ramp(steps: int = STEPS) -> NDArray[np.float32]:
    """(steps,) float32: LOWEST_RATE to HIGHEST_RATE, each the same multiple of the one before."""
    return np.geomspace(LOWEST_RATE, HIGHEST_RATE, steps).astype(np.float32)


class Ramp(LiveControls):
    """Steers a training along `ramp`, and reports every batch by itself."""

    def __init__(self, epochs: int) -> None:
        super().__init__(HIGHEST_RATE, epochs, batches=1)

    def rates(self, settings: Settings, per_epoch: int) -> NDArray[np.float32]:
        rising = learning_rate_ramp()
        return np.pad(rising, (0, max(0, per_epoch * self.epochs - len(rising))), mode="edge")


def prepare_settings(settings: Settings) -> Settings:
    """What of the settings is tested: no drawings, which take longer to draw than the test, and no averaged weights."""
    return replace(settings, drawings="none", weight_averaging=0.0)


def run_range_test(model: Any, settings: Settings, split: Split, seed: int) -> Iterator[Point]:
    """Trains with a rising rate; ends when the loss has exploded, or with HIGHEST_RATE.

    Args:
        model: what training.make_model made of `settings`, untrained.
        settings: as `prepared` has them.
        split: the images, (N, size, size) uint8.
        seed: of the order of the images and their augmentation.

    Raises:
        SettingError: a batch is larger than the training images.
    """
    few = replace(split, x_validation=split.x_validation[:VALIDATED], y_validation=split.y_validation[:VALIDATED])
    epochs = math.ceil(STEPS / steps_per_epoch(len(split.x_train), settings))
    total, weight, lowest = 0.0, 0.0, math.inf
    try:
        for report in loop.train(model, settings, few, seed, Ramp(epochs)):
            total = SMOOTHING * total + (1 - SMOOTHING) * report.loss
            weight = SMOOTHING * weight + (1 - SMOOTHING)
            smoothed = total / weight
            yield Point(report.step, report.learning_rate, report.loss, smoothed)
            lowest = min(lowest, smoothed)
            if smoothed > EXPLODED * lowest or report.step >= STEPS:
                return
    except TrainingError:  # the loss is no number any more: it has exploded at once
        return


def suggest_rate(told: Sequence[Point]) -> Suggestion | None:
    """The rate to use; None where the loss has not fallen, or not yet."""
    if len(told) < 2:
        return None
    losses = np.array([point.smoothed for point in told])
    lowest = int(losses.argmin())
    if losses[lowest] > FELL * losses[0]:
        return None
    return Suggestion(_two_figures(told[lowest].rate / SAFETY), told[lowest].rate)


def _two_figures(value: float) -> float:
    return float(f"{value:.1e}")


def run_in_worker(run: Run, heart: Heartbeat, stop: Callable[[], bool]) -> None:
    """In the worker: makes the test, and reports every batch.

    Raises:
        DataError, SettingError: as data.load and `search`.
    """
    heart.update(state="running", message="Reading the images.", steps=STEPS)
    spec = run.spec()
    settings = prepare_settings(spec.settings)
    mnist, split = _images(spec, settings)
    check_batch_size(settings, len(split.x_train))
    heart.update(data=mnist.notice or mnist.source, message="Starting TensorFlow.")
    model = make_model(settings, spec.seed)
    began, told = time.time(), list[Point]()
    heart.update(message="Preparing the first batch.", started=began)
    for point in run_range_test(model, settings, split, spec.seed):
        told.append(point)
        run.append_metrics(asdict(point))
        seconds = time.time() - began
        heart.update(message=f"Learning rate {point.rate:.1e}.", step=point.step, train_seconds=seconds)
        if stop():
            return heart.update(state="stopped", message=f"Stopped at a learning rate of {point.rate:.1e}.")
        if seconds > MOST_SECONDS:
            break
    heart.update(state="finished", message=describe_result(told))


def _images(spec: RunSpec, settings: Settings) -> tuple[Mnist, Split]:
    mnist = load_mnist(spec.data)
    split = split_mnist(mnist, settings.split)
    return mnist, uncenter_split(split) if settings.uncentered else split


def describe_result(told: Sequence[Point]) -> str:
    """What a test that has ended comes to, for people."""
    found = suggest_rate(told)
    if found is None:
        return (
            "At no learning rate did the loss fall clearly: no suggestion. Try larger batches, another optimizer, or a "
            "smaller network."
        )
    return (
        f"The loss is lowest at a learning rate of {found.lowest:.2g}; beyond that it grows. "
        f"Suggested is a tenth of that: {found.rate:g}."
    )
