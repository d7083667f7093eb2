"""How good a model is: probabilities and labels in, figures out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES

SMALLEST_PROBABILITY = 1e-7  # Keras's epsilon: the loss of a probability of 0 stays finite
Z_95 = 1.959963984540054  # standard deviations either side of a normal distribution's middle that hold 95 % of it


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
        support: (10,) int64, images of each digit.
        top2_accuracy: 0..1, how often the truth is among the two likeliest answers.
    """

    accuracy: float
    loss: float
    confusion: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    calibration_error: float
    support: NDArray[np.int64]
    top2_accuracy: float

    @property
    def images(self) -> int:
        """How many were read."""
        return int(self.support.sum())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson_interval(round(self.accuracy * self.images), self.images)

    @property
    def error_percent(self) -> float:
        """Wrong images in a hundred."""
        return 100 * (1 - self.accuracy)

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        by_digit = zip(range(NUM_CLASSES), self.precision, self.recall, self.f1, self.support, strict=True)
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "error_percent": self.error_percent,
            "confusion": self.confusion.tolist(),
            "classes": [
                {
                    "digit": digit,
                    "precision": float(precision),
                    "recall": float(recall),
                    "f1": float(f1),
                    "support": int(support),
                }
                for digit, precision, recall, f1, support in by_digit
            ],
            "calibration_error": self.calibration_error,
            "interval": list(self.interval),
            "top2_accuracy": self.top2_accuracy,
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
    support = np.bincount(labels, minlength=NUM_CLASSES)
    precision, recall, f1 = per_digit_scores(confusion, support)
    return Evaluation(
        accuracy=float((predicted == labels).mean()),
        loss=float(-np.log(np.maximum(of_truth, SMALLEST_PROBABILITY)).mean()),
        confusion=confusion,
        precision=precision,
        recall=recall,
        f1=f1,
        calibration_error=calibration_error(probabilities, labels),
        support=support,
        top2_accuracy=top_k_accuracy(probabilities, labels, 2),
    )


def wilson_interval(right: int, of: int) -> tuple[float, float]:
    """Where the accuracy on endlessly many images of this kind lies, 95 times in 100 (Wilson, 1927).

    Unlike the textbook's plus or minus it stays within 0..1, and is not empty where all are right.

    Args:
        right: how many were read right, 0..`of`.
        of: how many were read, 1 or more.

    Raises:
        ValueError: for other counts.
    """
    if not 0 <= right <= of or of < 1:
        raise ValueError(f"Expected from 0 to as many right as there are images, of 1 or more; got {right} of {of}.")
    share, spread = right / of, Z_95**2 / of
    middle = share + spread / 2
    half = Z_95 * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return (0.0 if right == 0 else low), (1.0 if right == of else high)  # exactly, where rounding would miss them


def top_k_accuracy(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], count: int) -> float:
    """How often the truth is among the `count` likeliest answers, 0..1. Of equals the lower number counts as likelier.

    Args:
        probabilities: (N, C).
        labels: (N,) 0..9.
        count: 1 or more.
    """
    outputs, rows = np.arange(probabilities.shape[1]), np.arange(len(labels))
    of_truth = probabilities[rows, labels][:, None]
    before = (probabilities > of_truth) | ((probabilities == of_truth) & (outputs < labels[:, None]))
    return float((before.sum(axis=1) < count).mean())


def confusion_matrix(labels: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """(10, 10) counts: row = true digit, column = predicted."""
    cells = NUM_CLASSES * labels.astype(np.int64) + predicted
    return np.bincount(cells, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)


def per_digit_scores(
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
