"""What would change a model's mind: the few pixels to rub out, or to draw on, after which it answers otherwise.

Greedy, so a small change and not surely the smallest: at every step all patches of 2×2 pixels are tried at once, and
the one that brings another answer nearest is kept. After S. Wachter, B. Mittelstadt and C. Russell, Counterfactual
Explanations, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT, NUM_CLASSES
from mnist_core.models.classifier import Classifier, Prediction

MAX_PATCHES = 12  # at most, of 2×2 pixels of 28: more would be another drawing
INK = 255
PATCH_VALUES = {"rub out": 0, "draw": INK}


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A change of an image.

    Attributes:
        way: one of WAYS.
        patches: (row, column) of each patch among 14 × 14, in the order they were chosen.
        before, after: (size, size) uint8.
        answers: before and after: 0..9, or NOT_A_DIGIT.
        found: whether the answer is another one; else this is as far as PATCHES patches came.
    """

    way: str
    patches: tuple[tuple[int, int], ...]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    answers: tuple[int, int]
    found: bool


def predicted_class(reading: Prediction) -> int:
    """0..9, or NOT_A_DIGIT."""
    return NOT_A_DIGIT if reading.rejected else reading.digit


def find_counterfactual(classifier: Classifier, image: NDArray[np.uint8], most: int = MAX_PATCHES) -> Counterfactual:
    """The change of fewest patches: some rubbed out, or some drawn on to the ink that there is.

    Args:
        classifier: the model.
        image: (28, 28) uint8, or (size, size) as the model takes it, ink bright.
        most: patches.

    Returns:
        The change; `found` is False where so many patches change nothing.

    Raises:
        ModelError: for an image of another shape.
    """
    rubbed = search_one_way(classifier, image, "rub out", most)
    enough = len(rubbed.patches) - 1 if rubbed.found else most  # drawing has to do with fewer
    drawn = search_one_way(classifier, image, "draw", enough)
    return drawn if drawn.found else rubbed


def search_one_way(
    classifier: Classifier, image: NDArray[np.uint8], way: str, most: int = MAX_PATCHES
) -> Counterfactual:
    """One way only, as `smallest`. `way`: one of WAYS."""
    first = predicted_class(classifier.predict(image))
    now, found, patches = image, first, list[tuple[int, int]]()
    while found == first and len(patches) < most:
        candidates = _candidates(now, way)
        if not candidates:
            break
        images = np.stack([_painted(now, place, PATCH_VALUES[way]) for place in candidates])
        best = int(_leads(classifier.probabilities(images), first).argmin())
        now = images[best]
        patches.append(candidates[best])
        found = predicted_class(classifier.predict(now))
    return Counterfactual(way, tuple(patches), image, now, (first, found), found != first)


def _leads(outputs: NDArray[np.float32], first: int) -> NDArray[np.float64]:
    """(N,): by how much, as a logarithm, the first answer is ahead of the next one."""
    wide = outputs.astype(np.float64)
    shares = np.column_stack([wide[:, :NUM_CLASSES], wide[:, NUM_CLASSES:].sum(axis=1)]) + 1e-12
    others = np.delete(shares, first, axis=1)
    return np.asarray(np.log(shares[:, first]) - np.log(others.max(axis=1)))


def _candidates(image: NDArray[np.uint8], way: str) -> list[tuple[int, int]]:
    """Patches that would change: those with ink, or those that touch some and are not full of it."""
    side = len(image) // 14
    blocks = image.reshape(14, side, 14, side)
    inked = blocks.max(axis=(1, 3)) > 64  # less is the edge of a stroke
    if way == "draw":
        near = cv2.dilate(inked.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        inked = near & (blocks.mean(axis=(1, 3)) < 128)
    return [(int(row), int(column)) for row, column in np.argwhere(inked)]


def _painted(image: NDArray[np.uint8], place: tuple[int, int], value: int) -> NDArray[np.uint8]:
    side = len(image) // 14
    changed = image.copy()
    changed[side * place[0] : side * (place[0] + 1), side * place[1] : side * (place[1] + 1)] = value
    return changed
