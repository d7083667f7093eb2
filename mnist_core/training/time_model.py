"""Predicts how long a training takes on this machine from its settings, once the machine has been measured.

    read_time_model()                             # None: not measured yet, or on another machine
    measure_machine(threads=2)                    # twenty seconds, in a process of its own
    read_time_model().epoch_seconds(settings, "full")

The time of a step is modeled as a sum: so much per multiply-add of a convolution, per weight that the optimizer
updates, and so on (WORK_KINDS). The cost of each is fitted to measured steps of a few small networks (`time_probes`) by
least squares without negative terms.
"""

from __future__ import annotations

import math
import platform
import subprocess  # noqa: S404 - starts this package's own module
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from mnist_core.config import runs_dir
from mnist_core.data.mnist import Mnist
from mnist_core.data.splits import split_mnist
from mnist_core.errors import TrainingError
from mnist_core.files.folders import make_folder
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.handwriting.mixture import MIXTURES
from mnist_core.networks import cost
from mnist_core.networks.cost import LayerCost
from mnist_core.networks.layers import LAYERS, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Flatten
from mnist_core.processes import cpu_count, last_error_line, run_module
from mnist_core.recipes.settings import Settings
from mnist_core.training.eta import FORWARD_SHARE

SCHEMA = 2
"""Version of the file's format."""
FILE = "speed.json"
"""Name of the file in RUNS_DIR."""
TIMEOUT_SECONDS = 600
"""Measuring takes twenty seconds on a quiet machine."""
IMAGE_COUNTS = {"full": (60_000, 10_000), "sample": (4_000, 1_000)}
"""Data set -> its training and test images, before any are held out for validation."""

WORK_KINDS = (
    "step",
    "layer",
    "weight",
    "convolution",
    "convolved",
    "depthwise",
    "dense",
    "pooled",
    "normalized",
    "other",
    "pixel",
    "augmented",
)
"""What the work of a step consists of: the step itself; layers; updated weights; multiply-adds and outputs of
convolutions; multiply-adds of depthwise convolutions and of dense layers; inputs of pooling layers; outputs of batch
normalizations and of all other layers; input pixels, and augmented ones. The names are part of the file's format."""

_measuring = threading.Lock()


@dataclass(frozen=True)
class TimeModel:
    """The speed of a machine. The names of the fields are part of the file's format.

    Attributes:
        seconds: kind of work -> seconds per unit.
        spread: median relative error of the fit on its own measurements.
        machine: see `machine_id`.
        threads: cores that a training had.
        measured: when, seconds since the epoch.
    """

    seconds: Mapping[str, float]
    spread: float
    machine: str
    threads: int
    measured: float

    def step_seconds(self, settings: Settings) -> float:
        """Predicts the seconds of one step."""
        return sum(self.seconds[kind] * amount for kind, amount in step_work(settings).items())

    def epoch_seconds(self, settings: Settings, data: str) -> float:
        """Predicts the seconds of an epoch with its validation.

        Args:
            settings: of the training.
            data: `full`, `sample` or a path, which counts as the full MNIST.
        """
        batches = math.ceil(training_images(settings, data) / settings.batch_size)
        validation_batches = validation_images(settings, data) / settings.batch_size
        return self.step_seconds(settings) * (batches + FORWARD_SHARE * validation_batches)


@cache
def _split_sizes(split: str, data: str) -> tuple[int, int]:
    """Numbers of MNIST's training and validation images in a split."""
    train, test = (np.broadcast_to(np.uint8(0), count) for count in IMAGE_COUNTS.get(data, IMAGE_COUNTS["full"]))
    parts = split_mnist(Mnist(train, train, test, test, data, data), split)  # only the lengths matter
    return len(parts.y_train), len(parts.y_validation)


def training_images(settings: Settings, data: str) -> int:
    """Number of training images per epoch. `data`: as `TimeModel.epoch_seconds` takes it."""
    return _split_sizes(settings.split, data)[0] + drawn_images(settings)


def drawn_images(settings: Settings) -> int:
    """Number of generated drawings among the training images."""
    mixture = MIXTURES[settings.drawings]
    return mixture.pen_digits + mixture.digit_forms + mixture.non_digits if mixture else 0


def validation_images(settings: Settings, data: str) -> int:
    """Number of validation images. `data`: as `TimeModel.epoch_seconds` takes it."""
    return _split_sizes(settings.split, data)[1]


def step_work(settings: Settings) -> dict[str, float]:
    """Counts the work of one step. Returns kind of work -> amount."""
    batch, size = settings.batch_size, settings.architecture.input_size
    pixels = float(batch * size**2)
    work = dict.fromkeys(WORK_KINDS, 0.0)
    work |= {"step": 1.0, "pixel": pixels, "augmented": pixels if settings.augmentation != "none" else 0.0}
    for layer in cost.layer_costs(settings.layers, size):
        for kind, amount in _layer_work(layer, batch).items():
            work[kind] += amount
    return work


def _layer_work(layer: LayerCost, batch: int) -> dict[str, float]:
    outputs, inputs = float(batch * math.prod(layer.output_shape)), float(batch * math.prod(layer.input_shape))
    multiply_adds = float(batch * layer.multiply_adds)
    kind = LAYERS[layer.layer]
    if kind is Flatten:
        return {}
    work = {"layer": 1.0, "weight": float(layer.parameters)}
    if kind is Conv2D:
        return {**work, "convolution": multiply_adds, "convolved": outputs}
    if kind is DepthwiseConv2D:
        return {**work, "depthwise": multiply_adds}
    if kind is Dense:
        return {**work, "dense": multiply_adds}
    if "Pooling" in layer.layer:
        return {**work, "pooled": inputs}
    return {**work, "normalized" if kind is BatchNormalization else "other": outputs}


def fit_time_model(measured: Sequence[tuple[Settings, float]], threads: int) -> TimeModel:
    """Fits the seconds per unit of each kind of work.

    Args:
        measured: settings, and the measured seconds of a step with them.
        threads: cores that it had.
    """
    from sklearn.linear_model import LinearRegression

    amounts = np.array([[step_work(settings)[kind] for kind in WORK_KINDS] for settings, _ in measured])  # (N, kinds)
    seconds = np.array([seconds for _, seconds in measured])
    largest = np.maximum(amounts.max(axis=0), 1e-30)  # amounts range from one to billions: bring them to one scale
    shares = amounts / largest / seconds[:, None]  # minimize the relative error, so that short steps count as much
    fitted = LinearRegression(positive=True, fit_intercept=False).fit(shares, np.ones(len(seconds))).coef_
    spread = float(np.median(np.abs(shares @ fitted - 1)))
    costs = dict(zip(WORK_KINDS, (fitted / largest).tolist(), strict=True))
    return TimeModel(costs, spread, machine_id(), threads, time.time())


@cache
def machine_id() -> str:
    """Describes what decides the speed: host, processor, cores, system and TensorFlow's version."""
    try:
        tensorflow = version("tensorflow")
    except PackageNotFoundError:
        tensorflow = "none"
    processor = platform.processor() or platform.machine()
    return f"{platform.node()}, {processor}, {cpu_count()} cores, {platform.system()}, TensorFlow {tensorflow}"


def read_time_model() -> TimeModel | None:
    """Reads the time model of this machine; None if there is none, or the file is broken or from another machine."""
    content: dict[str, Any] = read_json(runs_dir() / FILE)
    seconds = content.get("seconds")
    if content.get("schema") != SCHEMA or content.get("machine") != machine_id() or not isinstance(seconds, dict):
        return None
    try:
        costs = {kind: float(seconds[kind]) for kind in WORK_KINDS}
        spread, measured, threads = float(content["spread"]), float(content["measured"]), int(content["threads"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not all(0 <= cost < math.inf for cost in costs.values()):
        return None
    return TimeModel(costs, spread, machine_id(), threads, measured)


def save_time_model(model: TimeModel) -> None:
    """Writes a time model to RUNS_DIR. Raises OSError if that fails."""
    make_folder(runs_dir())
    write_json(runs_dir() / FILE, {"schema": SCHEMA, **asdict(model)})


def measure_machine(threads: int) -> None:
    """Measures this machine in a process of its own, which saves the time model.

    Args:
        threads: cores that it may use: as many as a training has.

    Raises:
        TrainingError: another measurement is running, or this one failed or took too long.
    """
    if not _measuring.acquire(blocking=False):
        raise TrainingError("This machine is already being measured. Try again in half a minute.")
    try:
        done = run_module("mnist_core.training.time_probes", str(threads), threads=threads, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise TrainingError(f"Measuring took more than {TIMEOUT_SECONDS} seconds. Try again later.") from None
    finally:
        _measuring.release()
    if done.returncode:
        raise TrainingError(f"This machine could not be measured: {last_error_line(done)}")
