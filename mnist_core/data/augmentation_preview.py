"""Shows what each augmentation does to one digit.

It runs the code that augments digits in training, at chosen points of each range instead of random ones.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.augmentation import Augmentation, augment

PREVIEW_POSITIONS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Points of a range: its ends, halfway to them, and the middle, where nothing changes."""

PREVIEW_LIMITS = {
    "rotation": 60.0,
    "slant": 0.6,
    "scale": 0.5,
    "stretch": 0.5,
    "shift": 8.0,
    "wobble": 2.0,
    "thickness": 1.0,
}
"""The largest value of each range that can be previewed; training uses far smaller ones."""

AUGMENTATION_UNITS = {
    "rotation": "°",
    "slant": " px per px",
    "scale": "",
    "stretch": "",
    "shift": " px",
    "wobble": " px",
    "thickness": "",
}
"""The unit of each range, as it follows the number."""

AUGMENTATION_NAMES = tuple(field.name for field in fields(Augmentation))
"""The fields of Augmentation, in order."""


class _FixedPoint(np.random.Generator):
    """Draws every uniform number from one point of its range. Normal numbers, for the wobble, stay random."""

    def __init__(self, position: float, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self._share = (position + 1) / 2  # 0..1

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Returns `low` at position -1 and `high` at position 1."""
        return np.full(size, low + self._share * (high - low))


def preview_one(image: NDArray[np.uint8], name: str, amount: float) -> NDArray[np.uint8]:
    """Changes one property of a digit, at each of PREVIEW_POSITIONS.

    Args:
        image: (28, 28) uint8.
        name: a field of Augmentation.
        amount: the value of the field, in its unit.

    Returns:
        (5, 28, 28) uint8. A wobble has no direction, so its five images go from no wobble to the full amount.
    """
    if name == "wobble":
        steps = len(PREVIEW_POSITIONS) - 1
        ranges = [Augmentation(wobble=amount * step / steps) for step in range(steps + 1)]
        return np.concatenate([augment(image[None], each, np.random.default_rng(0)) for each in ranges])
    one = Augmentation(**{name: amount})
    return np.concatenate([augment(image[None], one, _FixedPoint(position, 0)) for position in PREVIEW_POSITIONS])


def preview_all(image: NDArray[np.uint8], ranges: Augmentation, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Returns (count, 28, 28) uint8: random changes of all properties at once, as in training."""
    return augment(np.repeat(image[None], count, axis=0), ranges, np.random.default_rng(seed))
