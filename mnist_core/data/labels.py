"""From a model's outputs to the label it predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT


def predicted_labels(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Returns the most probable label of each image.

    Args:
        probabilities: (N, C), one row per image, with C of 10 or more.

    Returns:
        (N,) uint8: 0..9, or NOT_A_DIGIT where an output past the tenth is the largest.
    """
    return np.asarray(probabilities.argmax(axis=1).clip(0, NOT_A_DIGIT), np.uint8)
