"""Bins and thresholds by hand and against scikit-learn's calibration curve."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from mnist_core.evaluation.calibration import (
    THRESHOLDS,
    Coverage,
    ReliabilityBin,
    calibration_error,
    coverage_at_thresholds,
    reliability_bins,
)


def answered(confidence: list[float], hits: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 10) of answers 3 that are so sure, and labels that make them right or wrong."""
    probabilities = np.zeros((len(hits), 10))
    probabilities[:, 3] = confidence
    return probabilities, np.where(hits, 3, 4)


def test_bins_by_hand() -> None:
    """Of four bins: two answers in 0.25..0.5, one right; three in 0.75..1, all right. 1.0 belongs to the last."""
    bins = reliability_bins(*answered([0.3, 0.4, 0.8, 0.9, 1.0], [True, False, True, True, True]), bins=4)
    assert bins[0] == ReliabilityBin(0.0, 0.25, 0, None, None) and bins[2] == ReliabilityBin(0.5, 0.75, 0, None, None)
    assert (bins[1].count, bins[1].confidence, bins[1].accuracy) == (2, pytest.approx(0.35), 0.5)
    assert (bins[3].count, bins[3].confidence, bins[3].accuracy) == (3, pytest.approx(0.9), 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_bins_are_scikit_learns_and_add_up_to_the_calibration_error(seed: int) -> None:
    """Random ones, never on an edge between two bins, which scikit-learn counts to the lower one."""
    generator = np.random.default_rng(seed)
    probabilities, labels = generator.dirichlet(np.full(10, 0.3), 60), generator.integers(0, 10, 60)
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    filled = [each for each in reliability_bins(probabilities, labels, 10) if each.count]
    accuracy, mean = calibration_curve(hits, confidence, n_bins=10)
    assert sum(each.count for each in filled) == 60
    np.testing.assert_allclose([each.accuracy for each in filled], accuracy)
    np.testing.assert_allclose([each.confidence for each in filled], mean)
    gap = sum(each.count * abs(each.accuracy - each.confidence) for each in filled) / 60
    assert calibration_error(probabilities, labels, 10) == pytest.approx(gap)


def test_coverage_by_hand() -> None:
    rows = coverage_at_thresholds(
        *answered([0.5, 0.6, 0.8, 0.9], [False, True, False, True]), thresholds=(0.0, 0.6, 0.85, 0.95)
    )
    assert rows == [
        Coverage(0.0, 1.0, 0.5, 2),
        Coverage(0.6, 0.75, 2 / 3, 1),
        Coverage(0.85, 0.25, 1.0, 0),
        Coverage(0.95, 0.0, None, 0),
    ]


def test_higher_thresholds_accept_fewer_predictions() -> None:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.full(10, 0.2), 500)
    rows = coverage_at_thresholds(scores, generator.integers(0, 10, 500))
    assert [row.threshold for row in rows] == sorted(THRESHOLDS)
    shares = [row.answered for row in rows]
    assert shares[0] == 1 and shares == sorted(shares, reverse=True)
    for row in rows:
        if row.accuracy is not None:
            assert row.wrong == round((1 - row.accuracy) * row.answered * 500)
