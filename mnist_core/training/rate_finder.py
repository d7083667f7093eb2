"""Learning-rate finder: the range test of L. N. Smith (2017).

The test trains a new network batch after batch with an exponentially rising learning rate until the loss explodes. A
good learning rate lies where the loss still falls.

A test has a folder like a run's, with the same spec, status, control and metrics, in RUNS_DIR/TESTS_FOLDER where no
list of runs looks. The same worker runs it:

    test = start_run(backend, spec, owner, rate_finder.tests_folder())
    points = rate_finder.read_points(test)      # so far
    rate_finder.suggest_rate(points)            # Suggestion(rate=0.002, ...), or None
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.config import runs_dir
from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import Split, split_mnist, uncenter_split
from mnist_core.errors import TrainingError
from mnist_core.fields import MEASURED
from mnist_core.files.folders import delete_folder
from mnist_core.owners import read_owner
from mnist_core.recipes.settings import Settings
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs
from mnist_core.training import loop
from mnist_core.training.batches import check_batch_size, steps_per_epoch
from mnist_core.training.loop import LiveControls
from mnist_core.training.model import make_model

TESTS_FOLDER = ".rates"
"""Folder of the tests in RUNS_DIR."""
LOWEST_RATE, HIGHEST_RATE = 1e-6, 10.0
"""Learning rates of the first and the last batch."""
STEPS = 140
"""Batches of a test: twenty per power of ten."""
SMOOTHING = 0.8
"""Weight of the past in the smoothed loss: it averages about five batches, a quarter of a power of ten."""
EXPLODED = 4.0
"""The test ends when the smoothed loss exceeds this many times its minimum, as in fast.ai."""
FELL = 0.9
"""Without a smoothed loss below this share of the first one, nothing was learned and no rate is suggested."""
GREW = 1.1
"""If the test ends early, the smoothed loss must have risen to this many times its minimum: else it may fall on."""
SAFETY = 10.0
"""The suggested rate is the one with the lowest loss divided by this."""
MAX_SECONDS = 90.0
"""A test that takes longer ends early."""
KEPT_TESTS = 5
"""Tests of each owner that stay in TESTS_FOLDER."""
VALIDATION_IMAGES = 20
"""Validation images at the end of an epoch: nobody reads the score."""


@dataclass(frozen=True)
class Point:
    """One batch of a test, as in metrics.jsonl.

    Attributes:
        step: batches trained.
        rate: learning rate of this batch.
        loss: its mean loss, before the weights are updated.
        smoothed: moving average of the losses so far, corrected for its bias towards 0.
    """

    step: int
    rate: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class Suggestion:
    """The result of a test.

    Attributes:
        rate: the learning rate to use, rounded to two significant digits.
        lowest: the learning rate with the lowest smoothed loss, SAFETY times higher.
    """

    rate: float
    lowest: float


def tests_folder() -> Path:
    """The folder of all tests."""
    return runs_dir() / TESTS_FOLDER


def is_range_test(run: Run) -> bool:
    """True if the folder of a run belongs to a test."""
    return run.path.parent.name == TESTS_FOLDER


def delete_old_tests() -> None:
    """Deletes all tests but the newest KEPT_TESTS of each owner and those that are still running."""
    counts = Counter[str]()
    for test in list_runs(tests_folder()):
        owner = read_owner(test.path)
        counts[owner] += 1
        if counts[owner] > KEPT_TESTS and test.status().final:
            delete_folder(test.path)


def read_points(run: Run) -> list[Point]:
    """Reads the points of a test so far; broken rows are left out."""
    names = [field.name for field in fields(Point)]
    valid = [row for row in run.metrics().rows if all(MEASURED.accepts(row.get(name)) for name in names)]
    return [Point(int(row["step"]), float(row["rate"]), float(row["loss"]), float(row["smoothed"])) for row in valid]


def learning_rate_ramp(steps: int = STEPS) -> NDArray[np.float32]:
    """(steps,) float32: LOWEST_RATE to HIGHEST_RATE in equal factors."""
    return np.geomspace(LOWEST_RATE, HIGHEST_RATE, steps).astype(np.float32)


class RangeTestControls(LiveControls):
    """Makes the training loop follow `learning_rate_ramp` and report every batch.

    Args:
        epochs: enough for STEPS batches.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(HIGHEST_RATE, epochs, batches=1)

    def learning_rates(self, settings: Settings, per_epoch: int, first: int, count: int) -> NDArray[np.float32]:
        """(count,) float32: the ramp, and its last value from there on."""
        return learning_rate_ramp()[np.minimum(np.arange(first, first + count), STEPS - 1)]

    def reports_tiny_batch(self) -> bool:
        """A spike would end the test."""
        return False


def prepare_settings(settings: Settings) -> Settings:
    """Returns the settings to test: without generated drawings, which take longer than the test, and without EMA."""
    return replace(settings, drawings="none", weight_averaging=0.0)


def run_range_test(model: Any, settings: Settings, split: Split, seed: int) -> Iterator[Point]:
    """Trains with a rising learning rate until the loss explodes or HIGHEST_RATE is reached.

    Args:
        model: made from `settings`, untrained.
        settings: from `prepare_settings`.
        split: the images, (N, size, size) uint8.
        seed: of the order of the images and of augmentation.

    Raises:
        SettingError: the batch size exceeds the number of training images.
    """
    split = replace(
        split,
        x_validation=split.x_validation[:VALIDATION_IMAGES],
        y_validation=split.y_validation[:VALIDATION_IMAGES],
    )
    epochs = math.ceil(STEPS / steps_per_epoch(len(split.x_train), settings))
    average, weight, lowest = 0.0, 0.0, math.inf
    try:
        for report in loop.train(model, settings, split, seed, RangeTestControls(epochs)):
            average = SMOOTHING * average + (1 - SMOOTHING) * report.loss
            weight = SMOOTHING * weight + (1 - SMOOTHING)
            smoothed = average / weight
            yield Point(report.step, report.learning_rate, report.loss, smoothed)
            lowest = min(lowest, smoothed)
            if smoothed > EXPLODED * lowest or report.step >= STEPS:
                return
    except TrainingError:  # the loss is NaN: it exploded within one batch
        return


def suggest_rate(points: Sequence[Point]) -> Suggestion | None:
    """Suggests a learning rate; None if the loss has not fallen, or the test ended before it clearly grew again."""
    lowest = _lowest(points)
    if lowest is None or lowest == len(points) - 1:
        return None
    if points[-1].step < STEPS and points[-1].smoothed < GREW * points[lowest].smoothed:
        return None
    two_digits = float(f"{points[lowest].rate / SAFETY:.1e}")
    return Suggestion(two_digits, points[lowest].rate)


def _lowest(points: Sequence[Point]) -> int | None:
    """The index of the lowest smoothed loss; None if the loss has not fallen."""
    losses = [point.smoothed for point in points]
    return losses.index(min(losses)) if losses and min(losses) <= FELL * losses[0] else None


def run_in_worker(run: Run, heartbeat: Heartbeat, stop_requested: Callable[[], bool]) -> None:
    """Runs a test in the worker and writes a report for every batch.

    Args:
        run: the folder of the test.
        heartbeat: of its status.
        stop_requested: True once the test should end.

    Raises:
        DataError: the data cannot be used.
        SettingError: the batch size exceeds the number of training images.
    """
    heartbeat.update(state="running", message="Reading the images.", steps=STEPS)
    spec = run.spec()
    settings = prepare_settings(spec.settings)
    mnist = load_mnist(spec.data)
    split = split_mnist(mnist, settings.split)
    if settings.uncentered:
        split = uncenter_split(split)
    check_batch_size(settings, len(split.x_train))
    heartbeat.update(data=mnist.notice or mnist.source, message="Starting TensorFlow.")
    model = make_model(settings, spec.seed)
    began, points = time.time(), list[Point]()
    heartbeat.update(message="Preparing the first batch.", started=began)
    for point in run_range_test(model, settings, split, spec.seed):
        points.append(point)
        run.append_metrics(asdict(point))
        seconds = time.time() - began
        heartbeat.update(message=f"Learning rate {point.rate:.1e}.", step=point.step, train_seconds=seconds)
        if stop_requested():
            heartbeat.update(state="stopped", message=f"Stopped at a learning rate of {point.rate:.1e}.")
            return
        if seconds > MAX_SECONDS:
            break
    heartbeat.update(state="finished", message=describe_result(points))


def describe_result(points: Sequence[Point]) -> str:
    """Says what a finished test suggests, for people."""
    suggestion = suggest_rate(points)
    if suggestion is None and _lowest(points) is not None:
        return (
            f"The test ended at a learning rate of {points[-1].rate:.1e}, before the loss had clearly grown, so there "
            "is no suggestion. Try a smaller network or smaller batches, and let the test run to its end."
        )
    if suggestion is None:
        return (
            "The loss did not fall clearly at any learning rate, so there is no suggestion. Try larger batches, "
            "another optimizer, or a smaller network."
        )
    return (
        f"The loss is lowest at a learning rate of {suggestion.lowest:.2g} and grows above it. "
        f"The suggested learning rate is a tenth of that: {suggestion.rate:g}."
    )
