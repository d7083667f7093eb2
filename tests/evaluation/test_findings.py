"""The sentences about an evaluation, on matrices made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.evaluation import findings
from mnist_core.evaluation.calibration import Coverage


def counts(*mistakes: tuple[int, int, int], right: int = 10) -> np.ndarray:
    """A confusion matrix with `right` hits for each digit, and (true, predicted, times); prediction 10: no digit."""
    table = np.zeros((10, 11), np.int64)
    np.fill_diagonal(table, right)
    for true, predicted, times in mistakes:
        table[true, predicted] = times
    return table


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            counts((4, 9, 3), (9, 4, 2), (3, 8, 4), right=99),
            "99.10% of 999 test digits are right: 9 are wrong; it confuses 4 and 9 most.",
        ),
        (
            counts((2, 9, 1), right=3000),
            "99.997% of 30,001 test digits are right: 1 is wrong; it confuses 2 and 9 most.",
        ),
        (counts((2, 10, 1)), "99.01% of 101 test digits are right: 1 is wrong."),
        (counts(), "All 100 test digits are right."),
    ],
)
def test_headline(table: np.ndarray, expected: str) -> None:
    assert findings.headline(table, "test digits") == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            counts((4, 9, 5), (9, 4, 1)),
            "It confuses 4 and 9 most: 5 times it reads a 4 as a 9, once a 9 as a 4.",
        ),
        (
            counts((8, 3, 2), (0, 10, 3)),
            "It confuses 3 and 8 most: twice it reads an 8 as a 3. It rejects 3 digits as “not a digit”.",
        ),
        (counts((0, 8, 2), (4, 9, 1), (9, 4, 1)), "It confuses 2 pairs of digits most, each twice."),
        (counts((1, 10, 1)), "It rejects 1 digit as “not a digit”."),
        (counts(), "It confuses no two digits."),
    ],
)
def test_confusion(table: np.ndarray, expected: str) -> None:
    assert findings.confusion(table) == expected


def test_weakest_digit() -> None:
    recall, support = np.array([0.5, 0.998, 0.9, 0.982] + [0.99] * 6), np.array([0] + [5] * 9)
    assert findings.weakest_digit(recall, support) == "It recognizes 1 best (99.8%) and 2 worst (90.0%)."
    assert findings.weakest_digit(np.ones(10), support) == "It recognizes each digit equally well (100.0%)."
    nearly = np.array([0.9981, 0.9984] * 5)
    assert findings.weakest_digit(nearly, support + 5) == "It recognizes each digit equally well (99.8%)."
    tied = np.array([1.0, 1.0, 1.0] + [0.95] * 6 + [0.9])
    expected = "It recognizes 0, 1 and 2 best (100.0%) and 9 worst (90.0%)."
    assert findings.weakest_digit(tied, support + 5) == expected


def test_worst_mistake() -> None:
    probabilities = np.full((4, 11), 0.01)
    for row, (digit, value) in enumerate(((9, 0.97), (4, 0.99), (3, 0.6), (10, 0.9999))):
        probabilities[row, digit] = value
    labels = np.array([4, 4, 5, 8])
    assert findings.worst_mistake(probabilities, labels) == (
        "2 of 3 mistakes are made with more than 90% confidence; the surest takes an 8 for not a digit, with more "
        "than 99.9%."
    )
    assert findings.worst_mistake(probabilities[:1], labels[:1]).startswith("1 of 1 mistake is made")
    assert findings.worst_mistake(probabilities[:3], labels[:3]).endswith("the surest takes a 4 for a 9, with 97.0%.")
    assert findings.worst_mistake(probabilities[[0, 2]], labels[[0, 2]]).startswith("1 of 2 mistakes is made with")
    assert findings.worst_mistake(probabilities[1:2], labels[1:2]) == "It makes no mistakes here."


def test_calibration() -> None:
    probabilities = np.tile([0.8, 0.2], (10, 1))
    right = np.zeros(10, int)
    right[:5] = 1
    assert findings.calibration(probabilities, right).startswith("It is overconfident: 80.0% confident on average, an")
    assert findings.calibration(probabilities, np.zeros(10, int)).startswith("It is underconfident")
    right[:3], right[3:] = 0, 0
    right[:2] = 1
    assert findings.calibration(probabilities, right).startswith("It is about as confident as it is right")


def test_overconfidence_does_not_make_up_for_underconfidence() -> None:
    probabilities = np.repeat([[0.6, 0.4], [1.0, 0.0]], 5, axis=0)
    labels = np.array([0] * 5 + [0, 0, 0, 1, 1])  # right in all cases at 60%, in three of five at 100%
    assert findings.calibration(probabilities, labels) == (
        "On average it is as confident as it is right (80.0% and 80.0%), but only because over- and underconfidence "
        "cancel out: its calibration error is 40.0 points."
    )


def test_coverage() -> None:
    rows = [Coverage(0.0, 1.0, 0.99, 12), Coverage(0.9, 0.975, 0.9991, 1), Coverage(1.0, 0.0, None, 0)]
    assert findings.coverage(rows, 0.999) == (
        "With a threshold of 90% it answers 97.50% of the time, with an accuracy of 99.91%: 1 mistake remains."
    )
    assert findings.coverage(rows, 0.9999) == "No threshold reaches an accuracy of 99.99%."


def test_robustness_names_the_first_part_of_the_unit() -> None:
    found = findings.robustness({"A": {0: 0.99, 4: 0.5}}, "pixels, standard deviation")
    assert found == "At 4 pixels, A keeps 50.0%."


def test_robustness() -> None:
    curves = {"A": {0.0: 0.99, 45.0: 0.52}, "B": {0.0: 0.98, -45.0: 0.81}}
    assert findings.robustness(curves, "degrees") == "At 45 degrees, A keeps 52.0%; at -45 degrees, B keeps 81.0%."
