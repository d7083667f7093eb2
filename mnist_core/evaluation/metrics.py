"""Metrics of a model: probabilities and labels in, accuracy, loss, confusion matrix and more out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.labels import correct_mask, predicted_labels
from mnist_core.evaluation.calibration import calibration_error

SMALLEST_PROBABILITY = 1e-7
"""Keras's epsilon: it keeps the loss of a probability of 0 finite."""
Z_95 = 1.959963984540054
"""95% of a normal distribution lie within this many standard deviations of its mean."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model on one set of images.

    Attributes:
        accuracy: share of correct predictions, 0..1.
        loss: mean cross-entropy in nats.
        confusion: (10, 10) int64 counts; row = true digit, column = prediction. Rejected images are in no column.
        precision: (10,) float64, 0..1, of each digit; 0 if it was never predicted.
        recall: (10,) float64, 0..1, of each digit; 0 if no image shows it.
        f1: (10,) float64, 0..1, of each digit; 0 if precision and recall are.
        calibration_error: expected calibration error over 15 bins, 0..1 (Guo et al., 2017).
        support: (10,) int64, images of each digit.
        top2_accuracy: share of images whose digit is among the two most probable, 0..1.
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
        """Number of images."""
        return int(self.support.sum())

    @property
    def interval(self) -> tuple[float, float]:
        """95% confidence interval of the accuracy, each end 0..1."""
        return wilson_interval(round(self.accuracy * self.images), self.images)

    @property
    def error_percent(self) -> float:
        """Share of wrong predictions in percent."""
        return 100 * (1 - self.accuracy)

    def test_scores(self) -> dict[str, Any]:
        """What a model card says if these are the test images."""
        return {"test_accuracy": self.accuracy, "test_loss": self.loss, "test": self.to_json()}

    def to_json(self) -> dict[str, Any]:
        """Returns the metrics as JSON values."""
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
    """Computes all metrics of a model.

    Args:
        probabilities: (N, C), 0..1, C of 10 or more. An image for which an output past the tenth is the largest is
            rejected, which counts as wrong.
        labels: (N,) 0..9.

    Raises:
        ValueError: there are no images, or the lengths differ.
    """
    if len(labels) == 0 or len(labels) != len(probabilities):
        raise ValueError(f"Expected as many labels as probabilities; got {len(labels)} and {len(probabilities)}.")
    labels = labels.astype(np.int64)
    true_probabilities = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    confusion = confusion_matrix(probabilities, labels)[:, :NUM_CLASSES]
    support = np.bincount(labels, minlength=NUM_CLASSES)
    precision, recall, f1 = per_digit_scores(confusion, support)
    return Evaluation(
        accuracy=float(correct_mask(probabilities, labels).mean()),
        loss=float(-np.log(np.maximum(true_probabilities, SMALLEST_PROBABILITY)).mean()),
        confusion=confusion,
        precision=precision,
        recall=recall,
        f1=f1,
        calibration_error=calibration_error(probabilities, labels),
        support=support,
        top2_accuracy=top_k_accuracy(probabilities, labels, 2),
    )


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """95% confidence interval of an accuracy (Wilson, 1927).

    Unlike the normal approximation it stays within 0..1, and it is not empty if all predictions are correct.

    Args:
        correct: number of correct predictions, 0..images.
        images: number of images, 1 or more.

    Raises:
        ValueError: the counts are out of range.
    """
    if not 0 <= correct <= images or images < 1:
        raise ValueError(f"Expected 0 <= correct <= images and 1 or more images; got {correct} of {images}.")
    share, spread = correct / images, Z_95**2 / images
    middle = share + spread / 2
    half = Z_95 * math.sqrt(share * (1 - share) / images + spread / (4 * images))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return (0.0 if correct == 0 else low), (1.0 if correct == images else high)  # exact despite rounding


def top_k_accuracy(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], count: int) -> float:
    """Share of images whose digit is among the `count` most probable, 0..1. Of equal ones the lower digit comes first.

    Args:
        probabilities: (N, C).
        labels: (N,) 0..9.
        count: 1 or more.
    """
    outputs, rows = np.arange(probabilities.shape[1]), np.arange(len(labels))
    true_probabilities = probabilities[rows, labels][:, None]
    ties = (probabilities == true_probabilities) & (outputs < labels[:, None])
    before = (probabilities > true_probabilities) | ties
    return float((before.sum(axis=1) < count).mean())


def confusion_matrix(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Counts predictions, with a last column for "not a digit".

    Args:
        probabilities: (N, C), C of 10 or more.
        labels: (N,) 0..9.

    Returns:
        (10, 11) int64 counts, row = true digit, column = prediction.
    """
    cells = (NUM_CLASSES + 1) * labels.astype(np.int64) + predicted_labels(probabilities)
    return np.bincount(cells, minlength=NUM_CLASSES * (NUM_CLASSES + 1)).reshape(NUM_CLASSES, NUM_CLASSES + 1)


def per_digit_scores(
    confusion: NDArray[np.int64], support: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Computes precision, recall and F1 of each digit, 0 where undefined.

    Args:
        confusion: (10, 10) counts.
        support: (10,) images of each digit, rejected ones included.

    Returns:
        Precision, recall and F1, each (10,) float64, 0..1.
    """
    hits = np.diag(confusion).astype(np.float64)
    predicted = confusion.sum(axis=0)
    return hits / np.maximum(predicted, 1), hits / np.maximum(support, 1), 2 * hits / np.maximum(predicted + support, 1)
