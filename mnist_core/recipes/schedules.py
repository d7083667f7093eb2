"""Learning-rate schedules, without TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnist_core.recipes.settings import Settings

ONE_CYCLE_WARM_UP = 0.2
"""Share of all steps in which a one-cycle schedule rises, unless the settings say otherwise."""
WARM_UP_START = 0.04
"""Learning rate at the start of a warm-up, as a share of the peak."""

Positions = NDArray[np.float64]
"""(N,) float64: positions of steps in the training, 0..1."""


def learning_rates(settings: Settings, steps: int, first: int = 0, count: int | None = None) -> NDArray[np.float32]:
    """Computes the learning rate of each step of a training.

    Args:
        settings: with the peak rate, the schedule and the number of epochs.
        steps: number of steps in all epochs.
        first: the first step wanted, from 0.
        count: how many are wanted; all that follow by default.

    Returns:
        (count,) float32.
    """
    end = steps if count is None else first + count
    position, warm_up = np.arange(first, end) / max(steps, 1), warm_up_share(settings)
    rise = WARM_UP_START + (1 - WARM_UP_START) * position / (warm_up or 1.0)
    shape = np.where(position < warm_up, rise, SHAPES[settings.schedule](settings, position, warm_up))
    return (settings.learning_rate * shape).astype(np.float32)


def warm_up_share(settings: Settings) -> float:
    """Returns the share of all steps, 0..1, in which the rate rises."""
    return settings.warm_up or (ONE_CYCLE_WARM_UP if settings.schedule == "one-cycle" else 0.0)


def rate_extremes(settings: Settings, steps: int) -> tuple[float, float, float]:
    """Computes the learning rates of the first step, at the peak and of the last step, and no others.

    Args:
        settings: as `learning_rates` takes them.
        steps: number of steps in all epochs, at least 1.
    """
    after_rise = min(math.ceil(warm_up_share(settings) * steps), steps - 1)
    before = max(after_rise - 1, 0)
    peak = learning_rates(settings, steps, before, after_rise - before + 1).max()
    first, last = learning_rates(settings, steps, 0, 1)[0], learning_rates(settings, steps, steps - 1, 1)[0]
    return float(first), float(peak), float(last)


def _constant(settings: Settings, position: Positions, warm_up: float) -> Positions:
    return np.ones_like(position)


def _cosine(settings: Settings, position: Positions, warm_up: float) -> Positions:
    """Cosine decay from 1 to 0 (Loshchilov and Hutter, 2017); after a warm-up, Smith's one-cycle (2018)."""
    return np.asarray((1 + np.cos(np.pi * (position - warm_up) / (1 - warm_up))) / 2)


def _exponential(settings: Settings, position: Positions, warm_up: float) -> Positions:
    return np.asarray(settings.decay_factor ** _periods(settings, position, warm_up))


def _step(settings: Settings, position: Positions, warm_up: float) -> Positions:
    # The tolerance keeps rounding from delaying a decay at the first step of an epoch.
    return np.asarray(settings.decay_factor ** np.floor(_periods(settings, position, warm_up) + 1e-9))


def _periods(settings: Settings, position: Positions, warm_up: float) -> Positions:
    """Counts periods of `decay_epochs` since the end of the warm-up."""
    return np.asarray(np.maximum(position - warm_up, 0) * settings.epochs / settings.decay_epochs)


SHAPES: dict[str, Callable[[Settings, Positions, float], Positions]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "one-cycle": _cosine,
}
"""Schedules by name. They map positions (N,) after a warm-up share to (N,) float64 shares of the peak rate."""
