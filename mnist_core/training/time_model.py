"""How long a training will take on this machine, told from its settings alone, once the machine has been measured.

speed = speed.read()                      # None: not measured yet, or on another machine
speed.measure()                           # twenty seconds, in a process of its own
speed.read().epoch_seconds(settings, "full")

The seconds of a step are taken for a sum: so many for each multiply-add of a convolution, for each weight that the
optimizer moves, and so on (WORK_KINDS). What one of each costs is fitted to the measured steps of a few small networks
(`speed_probes`) by least squares without negative terms.
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
from mnist_core.errors import TrainingError
from mnist_core.files import read_json, write_json
from mnist_core.handwriting.mixture import MIXTURES
from mnist_core.networks import cost
from mnist_core.networks.cost import LayerCost
from mnist_core.networks.layers import LAYERS, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Flatten
from mnist_core.processes import cpu_count, last_error_line, run_module
from mnist_core.recipes.settings import Settings

SCHEMA = 1
FILE = "speed.json"
SECONDS = 600  # after which measuring is given up; it takes twenty seconds on a quiet machine
IMAGES = {"full": 60_000, "sample": 4_000}  # training images before any validate
TESTED = {"full": 10_000, "sample": 1_000}
FORWARD = 1 / 3
"""Share of a step that it takes to read its images only: the way back computes two gradients of the same size."""
_KEPT = {"last-sixth": 5 / 6, "last-fifth": 4 / 5}  # share of them that trains; of other splits all

WORK_KINDS = (
    "step",
    "layer",
    "weight",
    "convolution",
    "convolved",
    "depthwise",
    "dense",
    "pooled",
    "normalised",
    "other",
    "pixel",
    "augmented",
)
"""What a step is made of: itself; layers; weights moved; multiply-adds and outputs of convolutions; those of depthwise
ones; multiply-adds of dense layers; inputs of poolings; outputs of normalisations; those of all else; pixels fed in, as
they are and augmented."""

_measuring = threading.Lock()


@dataclass(frozen=True)
class TimeModel:
    """What a machine was measured to take.

    Attributes:
        seconds: kind of work -> seconds for one of it.
        spread: how far the fit is off its own measurements, as a share, in the median.
        machine: see `machine`.
        threads: cores that a training had.
        measured: when, seconds since the epoch.
    """

    seconds: Mapping[str, float]
    spread: float
    machine: str
    threads: int
    measured: float

    def step_seconds(self, settings: Settings) -> float:
        """Of one batch."""
        return sum(self.seconds[kind] * amount for kind, amount in step_work(settings).items())

    def epoch_seconds(self, settings: Settings, data: str) -> float:
        """Of all batches of an epoch, and of the validation after it. `data`: as training_images takes it."""
        batches = math.ceil(training_images(settings, data) / settings.batch_size)
        validated = validation_images(settings, data) / settings.batch_size
        return self.step_seconds(settings) * (batches + FORWARD * validated)


def training_images(settings: Settings, data: str) -> int:
    """How many images an epoch has. `data`: as data.load takes it; of a path, as of the full MNIST."""
    mixture = MIXTURES[settings.drawings]
    drawn = mixture.pen_digits + mixture.digit_forms + mixture.non_digits if mixture else 0
    return round(IMAGES.get(data, IMAGES["full"]) * _KEPT.get(settings.split, 1.0)) + drawn


def validation_images(settings: Settings, data: str) -> int:
    """How many images are read after each epoch. `data`: as training_images takes it."""
    if settings.split in _KEPT:
        return round(IMAGES.get(data, IMAGES["full"]) * (1 - _KEPT[settings.split]))
    return round(TESTED.get(data, TESTED["full"]) * (0.5 if settings.split == "half-test" else 1))


def step_work(settings: Settings) -> dict[str, float]:
    """How much of each of WORK_KINDS a step is."""
    rows = cost.layer_costs(settings.layers, settings.architecture.input_size)
    batch, pixels = settings.batch_size, settings.architecture.input_size**2
    done = dict.fromkeys(WORK_KINDS, 0.0)
    done |= {"step": 1.0, "pixel": float(batch * pixels)}
    done["augmented"] = float(batch * pixels) if settings.augmentation != "none" else 0.0
    for row in rows:
        for kind, amount in _of_layer(row, batch).items():
            done[kind] += amount
    return done


def _of_layer(row: LayerCost, batch: int) -> dict[str, float]:
    out, given = batch * math.prod(row.output_shape), batch * math.prod(row.input_shape)
    sums, own = float(batch * row.multiply_adds), {"layer": 1.0, "weight": float(row.parameters)}
    kind = LAYERS[row.layer]
    if kind is Flatten:
        return {}
    if kind is Conv2D:
        return {**own, "convolution": sums, "convolved": float(out)}
    if kind is DepthwiseConv2D:
        return {**own, "depthwise": sums}
    if kind is Dense:
        return {**own, "dense": sums}
    if "Pooling" in row.layer:
        return {**own, "pooled": float(given)}
    return {**own, "normalised" if kind is BatchNormalization else "other": float(out)}


def fit_time_model(measured: Sequence[tuple[Settings, float]], threads: int) -> TimeModel:
    """What one of each of WORK_KINDS takes.

    Args:
        measured: settings, and the seconds that a step of them took.
        threads: cores that it had.
    """
    from sklearn.linear_model import LinearRegression

    amounts = np.array([[step_work(settings)[kind] for kind in WORK_KINDS] for settings, _ in measured])  # (N, kinds)
    took = np.array([seconds for _, seconds in measured])
    largest = np.maximum(amounts.max(axis=0), 1e-30)  # counts from one to billions: brought to one scale
    shares = amounts / largest / took[:, None]  # so that a share of each step counts alike, short or long
    found = LinearRegression(positive=True, fit_intercept=False).fit(shares, np.ones(len(took))).coef_
    spread = float(np.median(np.abs(shares @ found - 1)))
    seconds = dict(zip(WORK_KINDS, (found / largest).tolist(), strict=True))
    return TimeModel(seconds, spread, machine_id(), threads, time.time())


@cache
def machine_id() -> str:
    """What decides how fast it is: processor, cores, versions."""
    try:
        tensorflow = version("tensorflow")
    except PackageNotFoundError:
        tensorflow = "none"
    processor = platform.processor() or platform.machine()
    return f"{platform.node()}, {processor}, {cpu_count()} cores, {platform.system()}, TensorFlow {tensorflow}"


def read_time_model() -> TimeModel | None:
    """What was measured on this machine; None where nothing was, or the file is of another one."""
    value: dict[str, Any] = read_json(runs_dir() / FILE)
    seconds = value.get("seconds")
    if value.get("schema") != SCHEMA or value.get("machine") != machine_id() or not isinstance(seconds, dict):
        return None
    try:
        kept = {kind: float(seconds[kind]) for kind in WORK_KINDS}
        found = TimeModel(kept, float(value["spread"]), machine_id(), int(value["threads"]), float(value["measured"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return found if all(0 <= each < math.inf for each in kept.values()) else None


def save_time_model(found: TimeModel) -> None:
    """Writes it beside the runs. Raises OSError where that cannot be done."""
    runs_dir().mkdir(parents=True, exist_ok=True)
    write_json(runs_dir() / FILE, {"schema": SCHEMA, **asdict(found)})


def measure_machine(threads: int) -> None:
    """Measures this machine in a process of its own, and keeps what was found.

    Args:
        threads: cores that it may use: as many as a training has.

    Raises:
        TrainingError: somebody else measures at this moment, or it went wrong: says why.
    """
    if not _measuring.acquire(blocking=False):
        raise TrainingError("This machine is being measured already. Wait half a minute, then look again.")
    try:
        done = run_module("mnist_core.training.time_probes", str(threads), threads=threads, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise TrainingError(f"Measuring took more than {SECONDS} seconds and was given up. Try again later.") from None
    finally:
        _measuring.release()
    if done.returncode:
        raise TrainingError(f"This machine could not be measured: {last_error_line(done)}")
