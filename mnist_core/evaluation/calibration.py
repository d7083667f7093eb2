"""Whether a model is as sure as it is right: probabilities and labels in, figures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9999)
"""Confidences below which an answer may be left to a person: closer together where most answers lie."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence lies in one stretch. Its mean confidence and accuracy, 0..1; None where it is empty.

    Attributes:
        low, high: of the confidence, 0..1.
        count: images in it.
        confidence: their mean confidence.
        accuracy: how many of them are read right.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(probabilities: Probabilities, labels: Labels, bins: int = 15) -> list[ReliabilityBin]:
    """The bars of a reliability diagram, after Guo et al. (2017), from the least to the most confident.

    The same bins as of evaluation.calibration_error, which is their gaps' mean, weighted by `count`.

    Args:
        probabilities: (N, C), 0..1.
        labels: (N,) 0..9.
        bins: of equal width, 1 or more.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    hits = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return [_bin(number / bins, (number + 1) / bins, confidence, hits, bin_of == number) for number in range(bins)]


def _bin(
    low: float, high: float, confidence: NDArray[np.float64], hits: NDArray[np.bool_], of: NDArray[Any]
) -> ReliabilityBin:
    count = int(of.sum())
    if not count:
        return ReliabilityBin(low, high, 0, None, None)
    return ReliabilityBin(low, high, count, float(confidence[of].mean()), float(hits[of].mean()))


@dataclass(frozen=True)
class Coverage:
    """What comes of believing only answers at least so sure.

    Attributes:
        threshold: the confidence asked for, 0..1.
        answered: the share of the images that are answered, 0..1.
        accuracy: of those, 0..1; None where none is answered.
        wrong: how many of the answers are wrong all the same.
    """

    threshold: float
    answered: float
    accuracy: float | None
    wrong: int


def coverage_at_thresholds(
    probabilities: Probabilities, labels: Labels, thresholds: Sequence[float] = THRESHOLDS
) -> list[Coverage]:
    """Accuracy against the share that is answered, by threshold of confidence: a model with the right to be silent.

    Args:
        probabilities: (N, C), 0..1, N of 1 or more.
        labels: (N,) 0..9.
        thresholds: confidences, 0..1; an answer as sure as the threshold is believed.
    """
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return [_coverage(threshold, hits[confidence >= threshold], len(labels)) for threshold in thresholds]


def _coverage(threshold: float, hits: NDArray[np.bool_], of: int) -> Coverage:
    accuracy = float(hits.mean()) if len(hits) else None
    return Coverage(threshold, len(hits) / of, accuracy, int((~hits).sum()))
