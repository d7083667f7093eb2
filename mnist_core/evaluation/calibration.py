"""Calibration: whether a model is right as often as it is confident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.labels import correct_mask

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9999)
"""Minimum confidences for accepting a prediction; closer together where most predictions are."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence falls into one interval.

    Attributes:
        low: lower end of the interval, 0..1.
        high: upper end, 0..1.
        count: number of images.
        confidence: their mean confidence, 0..1; None without images.
        accuracy: share of correct predictions, 0..1; None without images.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(probabilities: Probabilities, labels: Labels, bins: int = 15) -> list[ReliabilityBin]:
    """Computes the bars of a reliability diagram (Guo et al., 2017), from the least to the most confident.

    Args:
        probabilities: (N, C), 0..1.
        labels: (N,) 0..9.
        bins: of equal width, 1 or more.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    hits = correct_mask(probabilities, labels)
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return [_bin(number / bins, (number + 1) / bins, confidence, hits, bin_of == number) for number in range(bins)]


def _bin(
    low: float, high: float, confidence: NDArray[np.float64], hits: NDArray[np.bool_], members: NDArray[Any]
) -> ReliabilityBin:
    count = int(members.sum())
    if not count:
        return ReliabilityBin(low, high, 0, None, None)
    return ReliabilityBin(low, high, count, float(confidence[members].mean()), float(hits[members].mean()))


def calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error: the mean of |accuracy - confidence| over bins of confidence (Guo et al., 2017).

    Args:
        probabilities: (N, C), 0..1, N of 1 or more.
        labels: (N,) 0..9.
        bins: of equal width, weighted by their number of images.
    """
    gaps = [
        each.count * abs(each.accuracy - each.confidence)
        for each in reliability_bins(probabilities, labels, bins)
        if each.accuracy is not None and each.confidence is not None
    ]
    return sum(gaps) / len(labels)


@dataclass(frozen=True)
class Coverage:
    """Accuracy if only predictions above a confidence threshold are accepted.

    Attributes:
        threshold: lowest accepted confidence, 0..1.
        answered: share of images with an accepted prediction, 0..1.
        accuracy: of the accepted predictions, 0..1; None if there are none.
        wrong: number of accepted predictions that are wrong.
    """

    threshold: float
    answered: float
    accuracy: float | None
    wrong: int


def coverage_at_thresholds(
    probabilities: Probabilities, labels: Labels, thresholds: Sequence[float] = THRESHOLDS
) -> list[Coverage]:
    """Computes accuracy and share of accepted predictions for each confidence threshold.

    Args:
        probabilities: (N, C), 0..1, N of 1 or more.
        labels: (N,) 0..9.
        thresholds: lowest accepted confidences, 0..1.
    """
    confidence, hits = probabilities.max(axis=1), correct_mask(probabilities, labels)
    return [_coverage(threshold, hits[confidence >= threshold], len(labels)) for threshold in thresholds]


def _coverage(threshold: float, hits: NDArray[np.bool_], images: int) -> Coverage:
    accuracy = float(hits.mean()) if len(hits) else None
    return Coverage(threshold, len(hits) / images, accuracy, int((~hits).sum()))
