"""The learning rate of each step of a training: the schedules by their formulas, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnist_core.recipes.settings import Settings

ONE_CYCLE_WARM_UP = (
    0.2  # share of all steps in which the rate of a one-cycle schedule rises, where the settings name none
)
WARM_UP_START = 0.04  # of the peak: where every rise begins

Places = NDArray[np.float64]
"""Of steps in the whole training, 0..1."""


def learning_rates(settings: Settings, steps: int) -> NDArray[np.float32]:
    """The learning rate of each step of the whole training.

    Args:
        settings: with the peak, the schedule and what belongs to it; their epochs are those of all the steps.
        steps: in all.

    Returns:
        (steps,) float32.
    """
    place, rising = np.arange(steps) / max(steps, 1), warm_up_share(settings)
    rise = WARM_UP_START + (1 - WARM_UP_START) * place / (rising or 1.0)
    shape = np.where(place < rising, rise, SHAPES[settings.schedule](settings, place, rising))
    return (settings.learning_rate * shape).astype(np.float32)


def warm_up_share(settings: Settings) -> float:
    """The share of all steps, 0..1, in which the rate rises."""
    return settings.warm_up or (ONE_CYCLE_WARM_UP if settings.schedule == "one-cycle" else 0.0)


def _constant(settings: Settings, place: Places, rising: float) -> Places:
    return np.ones_like(place)


def _cosine(settings: Settings, place: Places, rising: float) -> Places:
    """Half a wave from 1 to 0: Loshchilov and Hutter, 2017; behind a rise it is Smith's one-cycle, 2018."""
    return np.asarray((1 + np.cos(np.pi * (place - rising) / (1 - rising))) / 2)


def _exponential(settings: Settings, place: Places, rising: float) -> Places:
    return np.asarray(settings.decay_factor ** _periods(settings, place, rising))


def _step(settings: Settings, place: Places, rising: float) -> Places:
    # A step that begins an epoch must not miss it by a rounding.
    return np.asarray(settings.decay_factor ** np.floor(_periods(settings, place, rising) + 1e-9))


def _periods(settings: Settings, place: Places, rising: float) -> Places:
    """How often `decay_epochs` have passed since the rise was over."""
    return np.asarray(np.maximum(place - rising, 0) * settings.epochs / settings.decay_epochs)


SHAPES: dict[str, Callable[[Settings, Places, float], Places]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "one-cycle": _cosine,
}
"""Schedule -> what it makes of (N,) places behind a rise over a share of them: (N,) float64, 0..1 of the peak."""
