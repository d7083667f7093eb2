"""Figures against scikit-learn's on random predictions, and calibration by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn import metrics

from mnist_core.evaluation.calibration import calibration_error
from mnist_core.evaluation.metrics import (
    confusion_matrix,
    evaluate,
    per_digit_scores,
    top_k_accuracy,
    wilson_interval,
)

DIGITS = np.arange(10)


def random_predictions(seed: int, count: int = 500, outputs: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, C) float32 that are right about half of the time, and labels (N,) uint8."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count).astype(np.uint8)
    logits = generator.normal(0, 1.5, (count, outputs))
    logits[np.arange(count), labels] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), labels


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_scikit_learns(seed: int) -> None:
    probabilities, labels = random_predictions(seed)
    found, predicted = evaluate(probabilities, labels), probabilities.argmax(axis=1)
    assert found.accuracy == metrics.accuracy_score(labels, predicted)
    assert np.array_equal(found.confusion, metrics.confusion_matrix(labels, predicted, labels=DIGITS))
    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=DIGITS, zero_division=0)
    np.testing.assert_allclose(found.precision, expected[0])
    np.testing.assert_allclose(found.recall, expected[1])
    np.testing.assert_allclose(found.f1, expected[2])
    normalized = probabilities.astype(np.float64)
    normalized /= normalized.sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(metrics.log_loss(labels, normalized, labels=DIGITS), rel=1e-6)
    assert found.error_percent == pytest.approx(100 - 100 * found.accuracy)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60))
def test_scores_per_digit_are_scikit_learns_even_of_absent_digits(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    confusion = confusion_matrix(np.eye(10)[predicted], labels.astype(np.uint8))[:, :10]
    assert np.array_equal(confusion, metrics.confusion_matrix(labels, predicted, labels=DIGITS))
    assert confusion.dtype == np.int64
    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=DIGITS, zero_division=0)
    true = np.bincount(labels, minlength=10)
    for ours, theirs in zip(per_digit_scores(confusion, true), expected, strict=False):
        np.testing.assert_allclose(ours, theirs)


def test_calibration_by_hand() -> None:
    """Of 15 bins, 0.5 falls in bin 7, 0.9 in bin 13, 1.0 in bin 14.

    Two at 0.5, one right: gap 0. Four at 0.9, one right: accuracy 0.25, gap 0.65. Two at 1.0, both right: gap 0.
    """
    confidence = np.array([0.5, 0.5, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0])
    right = np.array([1, 0, 1, 0, 0, 0, 1, 1], bool)
    probabilities = np.zeros((8, 10))
    probabilities[:, 3] = confidence
    labels = np.where(right, 3, 4)
    assert calibration_error(probabilities, labels) == pytest.approx(0.65 * 4 / 8)


def test_calibration_adds_up_gaps_within_a_bin() -> None:
    """Over- and underconfidence in one bin cancel: 0.82 right, 0.86 wrong, both in bin 12: |(1 - .82) - .86| / 2."""
    probabilities = np.zeros((2, 10))
    probabilities[:, 0] = (0.82, 0.86)
    assert calibration_error(probabilities, np.array([0, 1])) == pytest.approx(0.68 / 2)
    assert calibration_error(probabilities, np.array([0, 1]), bins=100) == pytest.approx((0.18 + 0.86) / 2)


@given(hnp.arrays(np.float64, (40, 10), elements=st.floats(0.01, 1)), st.integers(0, 2**32))
def test_calibration_error_follows_its_definition(scores: np.ndarray, seed: int) -> None:
    probabilities, labels = scores / scores.sum(axis=1, keepdims=True), np.random.default_rng(seed).integers(0, 10, 40)
    expected = 0.0
    for low in range(15):
        members = [row for row in range(40) if low == min(14, math.floor(probabilities[row].max() * 15))]
        if members:
            accuracy = np.mean([probabilities[row].argmax() == labels[row] for row in members])
            expected += len(members) / 40 * abs(accuracy - np.mean([probabilities[row].max() for row in members]))
    assert calibration_error(probabilities, labels) == pytest.approx(expected)


def test_outputs_past_the_tenth_count_as_wrong() -> None:
    """An eleventh output that wins is wrong: it is in no column, and its digit counts as missed."""
    probabilities, labels = random_predictions(0, outputs=100)
    probabilities[0, 50], labels[0] = 1.0, probabilities[0, :10].argmax()
    found = evaluate(probabilities, labels)
    assert found.accuracy == metrics.accuracy_score(labels, probabilities.argmax(axis=1))
    assert found.loss == pytest.approx(-np.log(probabilities[np.arange(500), labels].astype(float)).mean(), rel=1e-6)
    predicted = probabilities.argmax(axis=1)
    assert np.array_equal(found.confusion, metrics.confusion_matrix(labels, predicted, labels=DIGITS))
    assert np.diag(found.confusion).sum() == round(found.accuracy * 500)
    assert np.allclose(found.recall, metrics.recall_score(labels, predicted, labels=DIGITS, average=None))


def test_the_loss_of_a_probability_of_zero_is_finite() -> None:
    probabilities = np.eye(10, dtype=np.float32)[[3, 4]]
    found = evaluate(probabilities, np.array([3, 5], np.uint8))
    assert found.loss == pytest.approx(-math.log(1e-7) / 2)
    assert (found.accuracy, found.calibration_error) == (0.5, 0.5)


@pytest.mark.parametrize(("images", "labels"), [(0, 0), (3, 2), (2, 3), (1, 0)])
def test_no_images_and_unequal_lengths_are_refused(images: int, labels: int) -> None:
    with pytest.raises(ValueError, match=f"got {labels} and {images}"):
        evaluate(np.ones((images, 10)) / 10, np.zeros(labels, np.uint8))


def test_json_has_all_keys() -> None:
    probabilities, labels = random_predictions(1)
    found = evaluate(probabilities, labels)
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    told = ["accuracy", "loss", "error_percent", "confusion", "classes", "calibration_error"]
    assert list(value) == [*told, "interval", "top2_accuracy"]
    assert value["interval"][0] < value["accuracy"] < value["interval"][1] and value["top2_accuracy"] > 0.5
    assert value["confusion"] == found.confusion.tolist() and value["accuracy"] == found.accuracy
    assert [row["digit"] for row in value["classes"]] == list(range(10))
    assert value["classes"][7]["recall"] == pytest.approx(
        (labels[labels == 7] == probabilities[labels == 7].argmax(1)).mean()
    )


@pytest.mark.parametrize("seed", range(5))
def test_support_and_top_two_are_scikit_learns(seed: int) -> None:
    probabilities, labels = random_predictions(seed)
    found = evaluate(probabilities, labels)
    expected = metrics.precision_recall_fscore_support(labels, probabilities.argmax(axis=1), labels=DIGITS)
    assert found.support.tolist() == expected[3].tolist() and found.images == 500
    for count in (1, 2, 3, 9):
        ours = top_k_accuracy(probabilities, labels, count)
        assert ours == pytest.approx(metrics.top_k_accuracy_score(labels, probabilities, k=count, labels=DIGITS))
    assert found.top2_accuracy == top_k_accuracy(probabilities, labels, 2)


def test_of_equal_probabilities_the_lower_digit_comes_first() -> None:
    """As argmax does: of three equal answers the first two are among the two likeliest."""
    even = np.full((3, 10), 0.1)
    assert [top_k_accuracy(even[[row]], np.array([row]), 2) for row in range(3)] == [1, 1, 0]


@pytest.mark.parametrize(("right", "of"), [(0, 10), (1, 10), (50, 100), (9959, 10_000), (10, 10), (1, 1), (999, 1000)])
def test_interval_is_scipys(right: int, of: int) -> None:
    expected = stats.binomtest(right, of).proportion_ci(0.95, "wilson")
    assert wilson_interval(right, of) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= wilson_interval(right, of)[0] < wilson_interval(right, of)[1] <= 1


def test_interval_contains_the_true_accuracy_as_often_as_it_should() -> None:
    counts = np.random.default_rng(0).binomial(1000, 0.97, 4000)
    intervals = [wilson_interval(int(count), 1000) for count in counts]
    assert np.mean([low <= 0.97 <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("right", "of"), [(0, 0), (-1, 5), (6, 5)])
def test_interval_refuses_impossible_counts(right: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"got {right} of {of}"):
        wilson_interval(right, of)
