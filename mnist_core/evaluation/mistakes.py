"""Wrong predictions: which images, which digits are confused, and how confident the model was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.labels import predicted_labels

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def prediction_label(prediction: int) -> str:
    """Names a prediction, 0..9 or NOT_A_DIGIT, for people."""
    return "not a digit" if prediction == NOT_A_DIGIT else str(prediction)


def worst_mistakes(probabilities: Probabilities, labels: Labels) -> NDArray[np.int64]:
    """Finds the wrong predictions, the most confident first; of equally confident ones the earlier image.

    Args:
        probabilities: (N, C), 0..1.
        labels: (N,) 0..9.

    Returns:
        Indices of images, int64.
    """
    wrong = np.flatnonzero(predicted_labels(probabilities) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def cell_indices(probabilities: Probabilities, labels: Labels, true: int, predicted: int) -> NDArray[np.int64]:
    """Finds the images in one cell of the confusion matrix, the most confident prediction first.

    Args:
        probabilities: (N, C), 0..1.
        labels: (N,) 0..9.
        true: digit of the images, 0..9.
        predicted: their prediction, 0..9 or NOT_A_DIGIT.

    Returns:
        Indices of images, int64.
    """
    indices = np.flatnonzero((labels == true) & (predicted_labels(probabilities) == predicted))
    return indices[np.argsort(-probabilities[indices].max(axis=1), kind="stable")]


def prediction_from_label(label: str) -> int:
    """The inverse of `prediction_label`."""
    return int(label) if label.isdigit() else NOT_A_DIGIT
