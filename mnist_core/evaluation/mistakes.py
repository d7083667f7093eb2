"""Which images a model reads wrong, and which of them weigh most. An answer past the tenth output is no digit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT, NUM_CLASSES
from mnist_core.data.labels import predicted_labels

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def prediction_label(answer: int) -> str:
    """An answer for people."""
    return "no digit" if answer == NOT_A_DIGIT else str(answer)


def worst_mistakes(probabilities: Probabilities, labels: Labels) -> NDArray[np.int64]:
    """Indices of the images read wrong, the surest mistake first; of equals the earlier image.

    Args:
        probabilities: (N, C), 0..1.
        labels: (N,) 0..9.
    """
    wrong = np.flatnonzero(predicted_labels(probabilities) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def cell_indices(probabilities: Probabilities, labels: Labels, true: int, read: int) -> NDArray[np.int64]:
    """Indices of the images of one digit that are read as `read`, 0..9 or NOT_A_DIGIT; the surest first."""
    found = np.flatnonzero((labels == true) & (predicted_labels(probabilities) == read))
    return found[np.argsort(-probabilities[found].max(axis=1), kind="stable")]


def confusion_with_rejections(probabilities: Probabilities, labels: Labels) -> NDArray[np.int64]:
    """The confusion matrix with a column for "no digit" at its end, (10, 11) counts: row = true digit."""
    cells = (NUM_CLASSES + 1) * labels.astype(np.int64) + predicted_labels(probabilities)
    return np.bincount(cells, minlength=NUM_CLASSES * (NUM_CLASSES + 1)).reshape(NUM_CLASSES, NUM_CLASSES + 1)


def top_predictions(probabilities: NDArray[np.floating[Any]], count: int = 3) -> list[tuple[str, float]]:
    """The likeliest answers to one image, each (name, probability), the likeliest first. All past the tenth are one.

    Args:
        probabilities: (C,), 0..1.
        count: at most so many.
    """
    folded = np.append(probabilities[:NUM_CLASSES], probabilities[NUM_CLASSES:].sum())
    order = np.argsort(-folded, kind="stable")[:count]
    return [(prediction_label(int(answer)), float(folded[answer])) for answer in order]


def prediction_from_label(called: str) -> int:
    """An answer from what `name` calls it."""
    return int(called) if called.isdigit() else NOT_A_DIGIT
