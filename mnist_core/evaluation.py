"""How good a model is: probabilities and labels in, figures out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.architecture import NUM_CLASSES

SMALLEST_PROBABILITY = 1e-7  # Keras's epsilon: the loss of a probability of 0 stays finite


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one set of images.

    Attributes:
        accuracy: 0..1.
        loss: mean cross-entropy in nats.
        confusion: (10, 10) int64; row = true digit, column = predicted. Images that an output past the tenth takes
            are in no column.
        precision, recall, f1: (10,) float64, 0..1, by digit; 0 where a digit was never predicted or is absent.
        calibration_error: expected calibration error over 15 bins, 0..1 (Guo et al., 2017).
    """

    accuracy: float
    loss: float
    confusion: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    calibration_error: float

    @property
    def error_percent(self) -> float:
        """Wrong images in a hundred."""
        return 100 * (1 - self.accuracy)

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        by_digit = zip(range(NUM_CLASSES), self.precision, self.recall, self.f1, strict=True)
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "error_percent": self.error_percent,
            "confusion": self.confusion.tolist(),
            "classes": [
                {"digit": digit, "precision": float(precision), "recall": float(recall), "f1": float(f1)}
                for digit, precision, recall, f1 in by_digit
            ],
            "calibration_error": self.calibration_error,
        }


def evaluate(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Evaluation:
    """The figures of a model.

    Args:
        probabilities: (N, C) with C of 10 or more, 0..1. Outputs past the tenth can win and count as wrong.
        labels: (N,) 0..9.

    Raises:
        ValueError: where there are no images, or the lengths differ.
    """
    if len(labels) == 0 or len(labels) != len(probabilities):
        raise ValueError(f"Expected as many labels as probabilities; got {len(labels)} and {len(probabilities)}.")
    labels = labels.astype(np.int64)
    predicted = probabilities.argmax(axis=1)
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    digits = predicted < NUM_CLASSES
    confusion = confusion_matrix(labels[digits], predicted[digits])
    precision, recall, f1 = class_figures(confusion, np.bincount(labels, minlength=NUM_CLASSES))
    return Evaluation(
        accuracy=float((predicted == labels).mean()),
        loss=float(-np.log(np.maximum(of_truth, SMALLEST_PROBABILITY)).mean()),
        confusion=confusion,
        precision=precision,
        recall=recall,
        f1=f1,
        calibration_error=calibration_error(probabilities, labels),
    )


def confusion_matrix(labels: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """(10, 10) counts: row = true digit, column = predicted."""
    cells = NUM_CLASSES * labels.astype(np.int64) + predicted
    return np.bincount(cells, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)


def class_figures(
    confusion: NDArray[np.int64], true: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 of each digit, (10,) each, 0 where undefined. `true`: (10,) images of each digit."""
    hits = np.diag(confusion).astype(np.float64)
    predicted = confusion.sum(axis=0)
    return hits / np.maximum(predicted, 1), hits / np.maximum(true, 1), 2 * hits / np.maximum(predicted + true, 1)


def calibration_error(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], bins: int = 15
) -> float:
    """Expected calibration error: |accuracy - confidence| by bin of confidence, weighted by how many fall in it."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    hits = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, hits - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))
