"""Counterfactuals: the few pixels to erase or to draw after which the model predicts another class.

The search is greedy, so the change is small, but not necessarily the smallest: each step tries all patches of 2×2
pixels and keeps the one that brings another class closest. After S. Wachter, B. Mittelstadt and C. Russell,
Counterfactual Explanations, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.models.classifier import Classifier

MAX_PATCHES = 12
"""Patches of 2×2 of the 28×28 pixels. With more of them it would be another drawing."""

INK = 255
PATCH_VALUES = {"erase": 0, "draw": INK}
"""Edit -> the value that it sets the pixels of a patch to."""

_SIDE = 14
"""Patches along each side of an image."""


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A changed image.

    Attributes:
        edit: one of PATCH_VALUES.
        patches: (row, column) of each changed patch, 0..13, in the order in which they were chosen.
        before: (size, size) uint8.
        after: (size, size) uint8.
        classes: predicted before and after: 0..9 or NOT_A_DIGIT.
    """

    edit: str
    patches: tuple[tuple[int, int], ...]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    classes: tuple[int, int]

    @property
    def changed_class(self) -> bool:
        """True if the model predicts another class; False if the search ran out of patches."""
        return self.classes[0] != self.classes[1]


def find_counterfactual(
    classifier: Classifier, image: NDArray[np.uint8], max_patches: int = MAX_PATCHES
) -> Counterfactual:
    """Finds a change of few patches, either by erasing ink or by drawing on to it.

    Args:
        classifier: the model.
        image: (28, 28) uint8, or (size, size) as the model takes it, ink bright.
        max_patches: how many patches may change.

    Returns:
        The smaller of both changes; `changed_class` is False if neither was enough.

    Raises:
        ModelError: the image has another shape or dtype.
    """
    erased = search_one_edit(classifier, image, "erase", max_patches)
    # Drawing is better only if it needs fewer patches.
    limit = len(erased.patches) - 1 if erased.changed_class else max_patches
    drawn = search_one_edit(classifier, image, "draw", limit)
    return drawn if drawn.changed_class else erased


def search_one_edit(
    classifier: Classifier, image: NDArray[np.uint8], edit: str, max_patches: int = MAX_PATCHES
) -> Counterfactual:
    """Like `find_counterfactual`, with one kind of edit only. `edit`: one of PATCH_VALUES."""
    original = classifier.predict(image).label
    current, predicted, patches = image, original, list[tuple[int, int]]()
    while predicted == original and len(patches) < max_patches:
        candidates = _candidate_patches(current, edit)
        if not candidates:
            break
        images = np.stack([_set_patch(current, patch, PATCH_VALUES[edit]) for patch in candidates])
        best = int(_margins(classifier.probabilities(images), original).argmin())
        current = images[best]
        patches.append(candidates[best])
        predicted = classifier.predict(current).label
    return Counterfactual(edit, tuple(patches), image, current, (original, predicted))


def _margins(probabilities: NDArray[np.float32], original: int) -> NDArray[np.float64]:
    """(N,) log probability of the original class minus that of the most probable other class."""
    wide = probabilities.astype(np.float64)
    classes = np.column_stack([wide[:, :NUM_CLASSES], wide[:, NUM_CLASSES:].sum(axis=1)]) + 1e-12
    others = np.delete(classes, original, axis=1)
    return np.asarray(np.log(classes[:, original]) - np.log(others.max(axis=1)))


def _candidate_patches(image: NDArray[np.uint8], edit: str) -> list[tuple[int, int]]:
    """Patches that an edit would change: those with ink to erase, or those next to ink that are not full of it."""
    side = len(image) // _SIDE
    blocks = image.reshape(_SIDE, side, _SIDE, side)
    candidates = blocks.max(axis=(1, 3)) > 64  # less is the blurred edge of a stroke
    if edit == "draw":
        near = cv2.dilate(candidates.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        candidates = near & (blocks.mean(axis=(1, 3)) < 128)
    return [(int(row), int(column)) for row, column in np.argwhere(candidates)]


def _set_patch(image: NDArray[np.uint8], patch: tuple[int, int], value: int) -> NDArray[np.uint8]:
    """A copy of the image in which a patch has this value."""
    side = len(image) // _SIDE
    row, column = patch
    edited = image.copy()
    edited[side * row : side * (row + 1), side * column : side * (column + 1)] = value
    return edited
