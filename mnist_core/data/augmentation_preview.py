"""What each augmentation does to one digit: the same code that changes digits in a training, at chosen places of its
range instead of random ones."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.augmentation import Augmentation, augment

PREVIEW_POSITIONS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of the range: its ends, half of the way, and the middle, where nothing is changed."""

PREVIEW_LIMITS = {
    "rotation": 60.0,
    "slant": 0.6,
    "scale": 0.5,
    "stretch": 0.5,
    "shift": 8.0,
    "wobble": 2.0,
    "thickness": 1.0,
}
"""How far each may be turned up to be looked at; trainings stay far below."""

AUGMENTATION_UNITS = {
    "rotation": "°",
    "slant": " px a px",
    "scale": "",
    "stretch": "",
    "shift": " px",
    "wobble": " px",
    "thickness": "",
}

AUGMENTATION_NAMES = tuple(field.name for field in fields(Augmentation))


class _At(np.random.Generator):
    """Draws every uniform number from the same place of its range. Normal ones, of the wobble, stay random."""

    def __init__(self, place: float, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self._share = (place + 1) / 2  # 0..1

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """`low` at place -1, `high` at place 1."""
        return np.full(size, low + self._share * (high - low))


def preview_one(image: NDArray[np.uint8], name: str, amount: float) -> NDArray[np.uint8]:
    """One change and no other, at each of PLACES.

    Args:
        image: (28, 28) uint8.
        name: a field of Augmentation.
        amount: its value, in its unit.

    Returns:
        (5, 28, 28) uint8. A wobble has no direction: its five grow from none to the whole amount.
    """
    if name == "wobble":
        how = [
            Augmentation(wobble=amount * step / (len(PREVIEW_POSITIONS) - 1)) for step in range(len(PREVIEW_POSITIONS))
        ]
        return np.concatenate([augment(image[None], each, np.random.default_rng(0)) for each in how])
    return np.concatenate(
        [augment(image[None], Augmentation(**{name: amount}), _At(place, 0)) for place in PREVIEW_POSITIONS]
    )


def preview_all(image: NDArray[np.uint8], how: Augmentation, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """(count, 28, 28) uint8: random draws of all changes at once, as a training makes them."""
    return augment(np.repeat(image[None], count, axis=0), how, np.random.default_rng(seed))
