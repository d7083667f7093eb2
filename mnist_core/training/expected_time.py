"""Estimates how long a whole training takes on this machine, measured or not.

A measured machine has a time model (`time_model`). Otherwise the recipe says how long an epoch takes on two cores, and
the latest longer run of this machine says how much faster or slower this machine is.
"""

from __future__ import annotations

import heapq
import socket
from collections.abc import Sequence
from itertools import islice

from mnist_core.errors import RunError
from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import list_runs
from mnist_core.training.fine_tune import FINE_TUNE_IMAGES
from mnist_core.training.time_model import drawn_images, read_time_model, training_images

RECENT_RUNS = 20
"""How many of the latest runs are searched for one to compare this machine with."""
MIN_TRAIN_SECONDS = 3.0
"""A shorter training says little about the speed of a machine."""


def expected_seconds(recipe: str, settings: Settings, data: str, slowness: float | None = None) -> float | None:
    """Estimates the seconds of a whole training.

    Args:
        recipe: whose settings these are, perhaps with changes.
        settings: of the training.
        data: `full`, `sample` or a path, which counts as the full MNIST.
        slowness: of this machine, from `measure_slowness`; measured now if not given.

    Returns:
        The seconds; None for a recipe that no longer exists.
    """
    model = read_time_model()
    if model is not None:
        return settings.epochs * model.epoch_seconds(settings, data)
    reference = _reference_seconds(recipe, settings, data)
    return None if reference is None else reference * (measure_slowness() if slowness is None else slowness)


def _reference_seconds(recipe: str, settings: Settings, data: str) -> float | None:
    """Seconds of a training on two cores; None for an unknown recipe."""
    if recipe not in RECIPES:
        return None
    own = RECIPES[recipe]
    share = training_images(settings, data) / training_images(own.settings, "full")
    return settings.epochs * own.epoch_seconds * share


def measure_slowness() -> float:
    """How many times as long as the recipe says the latest longer run of this machine took; 1 without such a run."""
    for run in islice(list_runs(), RECENT_RUNS):
        if found := _slowness_of(run):
            return found
    return 1.0


def expected_wait(ahead: Sequence[Run], slots: int, slowness: float | None = None) -> float | None:
    """Estimates the seconds until a queued run starts.

    Args:
        ahead: the runs that it waits for, in the order in which they start.
        slots: how many runs train at the same time.
        slowness: as `expected_seconds` takes it.

    Returns:
        The seconds; None if it cannot be estimated, for example because a run is paused.
    """
    free = [0.0] * slots  # when each slot has trained what it was given so far
    for run in ahead:
        left = _seconds_left(run, slowness)
        if left is None:
            return None
        heapq.heapreplace(free, free[0] + left)
    return free[0]


def _seconds_left(run: Run, slowness: float | None) -> float | None:
    """Estimates how long a run still takes; None if it is paused or cannot be read."""
    status = run.status()
    if status.state == "paused":
        return None
    if status.seconds_left is not None or status.final:
        return status.seconds_left or 0.0
    try:
        spec = run.spec()
    except RunError:
        return None
    whole = expected_seconds(spec.recipe, spec.settings, spec.data, slowness)
    if whole is not None and spec.base:
        whole *= (FINE_TUNE_IMAGES + drawn_images(spec.settings)) / training_images(spec.settings, spec.data)
    if whole is not None and spec.settings.time_budget:
        whole = min(whole, spec.settings.time_budget)
    return None if whole is None else whole * (1 - status.progress if status.step else 1)


def _slowness_of(run: Run) -> float | None:
    """How many times as long as its recipe says a run took; None if it is not comparable."""
    status = run.status()
    if status.state != "finished" or status.host != socket.gethostname() or status.train_seconds < MIN_TRAIN_SECONDS:
        return None
    try:
        spec: RunSpec = run.spec()
    except RunError:
        return None
    reference = _reference_seconds(spec.recipe, spec.settings, spec.data)
    if not reference or spec.base or LAYERS_KEY in spec.overrides or not status.epochs_trained:
        return None
    return status.train_seconds * spec.settings.epochs / (reference * status.epochs_trained)
