"""How many pen digits a model reads right, in each drawing condition."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, draw_pen_digits
from mnist_core.models.classifier import Classifier

Images = NDArray[np.uint8]


def accuracy_by_condition(classifier: Classifier, digits: Sequence[PenDigit], processes: int = 1) -> dict[str, float]:
    """How many of the digits a model reads right, 0..1, in each of pen.CONDITIONS. One taken for no digit is wrong."""
    labels = np.array([digit.label for digit in digits])
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        images = dict(
            zip(
                DRAWING_CONDITIONS,
                pool.map(normalize_pen_digits, [tuple(digits)] * len(DRAWING_CONDITIONS), DRAWING_CONDITIONS),
                strict=True,
            )
        )
    return {
        condition: float((classifier.probabilities(images[condition]).argmax(axis=1) == labels).mean())
        for condition in DRAWING_CONDITIONS
    }


def normalize_pen_digits(digits: Sequence[PenDigit], condition: str) -> Images:
    """Each digit drawn as one of pen.CONDITIONS says, and normalised as the page does it: (N, 28, 28) uint8."""
    return np.stack([normalize_drawing(canvas).image for canvas in draw_pen_digits(digits, condition)])
