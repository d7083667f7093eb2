"""Accuracy of a model on pen digits in each drawing condition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.labels import correct_mask
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, draw_pen_digits
from mnist_core.models.classifier import Classifier
from mnist_core.processes import spawned_pool

Images = NDArray[np.uint8]


def accuracy_by_condition(classifier: Classifier, digits: Sequence[PenDigit], processes: int = 1) -> dict[str, float]:
    """Computes the accuracy of a model on pen digits in each drawing condition; a rejected digit counts as wrong.

    Args:
        classifier: the model.
        digits: one or more.
        processes: how many draw at once.

    Returns:
        Name of the condition, as in DRAWING_CONDITIONS -> accuracy, 0..1.
    """
    labels = np.array([digit.label for digit in digits])
    with spawned_pool(processes) as pool:
        images = dict(
            zip(
                DRAWING_CONDITIONS,
                pool.map(normalize_pen_digits, [tuple(digits)] * len(DRAWING_CONDITIONS), DRAWING_CONDITIONS),
                strict=True,
            )
        )
    return {
        condition: float(correct_mask(classifier.probabilities(images[condition]), labels).mean())
        for condition in DRAWING_CONDITIONS
    }


def normalize_pen_digits(digits: Sequence[PenDigit], condition: str) -> Images:
    """Draws each digit in one of DRAWING_CONDITIONS and normalizes it like a drawing on the page.

    Returns:
        (N, 28, 28) uint8, ink bright.
    """
    return np.stack([normalize_drawing(canvas).image for canvas in draw_pen_digits(digits, condition)])
