"""From a model's outputs to the label it predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT


def predicted_labels(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Returns the label of each image's largest output.

    Evaluations count by it. `classifier.Prediction` has another rule: it rejects an image if the outputs past the tenth
    sum to more than REJECT_ABOVE, whichever output is the largest.

    Args:
        probabilities: (N, C), one row per image, with C of 10 or more.

    Returns:
        (N,) uint8: 0..9, or NOT_A_DIGIT where an output past the tenth is the largest.
    """
    return np.asarray(probabilities.argmax(axis=1).clip(0, NOT_A_DIGIT), np.uint8)


def correct_mask(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Returns which predictions are correct; a rejected image is not.

    Args:
        probabilities: (N, C), with C of 10 or more.
        labels: (N,) 0..9.

    Returns:
        (N,) bool.
    """
    return np.asarray(predicted_labels(probabilities) == labels)
