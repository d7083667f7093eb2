"""Drawings to train on: what is in them, that a seed decides it alone, and how a model is measured with them."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.evaluation.pen_accuracy import accuracy_by_condition
from mnist_core.handwriting import digit_forms, mixture
from mnist_core.handwriting.mixture import Mixture, make_mixture
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, PenDigit
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier


@pytest.fixture(scope="module")
def digits() -> tuple[PenDigit, ...]:
    generator = np.random.default_rng(5)
    return tuple(digit_forms.generate_digit(generator, label) for label in (3, 3, 8, 1))


def test_mixture_is_made_as_asked(digits: tuple[PenDigit, ...]) -> None:
    images, labels = make_mixture(Mixture(30, 20, 25), digits, seed=1)
    assert images.shape == (75, 28, 28) and images.dtype == np.uint8
    assert (labels == NOT_A_DIGIT).sum() == 25
    assert labels[labels != NOT_A_DIGIT].max() <= 9
    assert np.isin(labels, (3, 8, 1)).sum() >= 30  # the pen digits, and some that were invented
    assert (images.max(axis=(1, 2)) == 255).all()  # each is normalised: inked, and its peak at 255


def test_number_of_processes_changes_nothing(digits: tuple[PenDigit, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "CHUNK", 20)
    one, two = (make_mixture(Mixture(20, 20, 20), digits, seed=2, processes=count) for count in (1, 2))
    assert (one[0] == two[0]).all() and (one[1] == two[1]).all()
    other, _ = make_mixture(Mixture(20, 20, 20), digits, seed=3)
    assert (other != one[0]).any()


def test_without_pen_digits_the_rest_is_made() -> None:
    images, labels = make_mixture(Mixture(50, 10, 10), (), seed=1)
    assert len(images) == len(labels) == 20


def test_nothing_asked_is_nothing_made() -> None:
    images, labels = make_mixture(Mixture(5, 0, 0), (), seed=1)
    assert images.shape == (0, 28, 28) and labels.shape == (0,)


def test_invented_digits_are_read_as_what_they_are() -> None:
    """A model that has never seen them agrees with most labels: they are the digits that they claim to be."""
    images, labels = make_mixture(Mixture(0, 300, 0), (), seed=4)
    agreed = (Classifier(DEFAULT_MODEL).digit_probabilities(images).argmax(axis=1) == labels).mean()
    assert agreed > 0.8


def test_accuracy_by_condition_counts_what_is_right(digits: tuple[PenDigit, ...]) -> None:
    class Says3:
        def probabilities(self, images: np.ndarray) -> np.ndarray:
            return np.tile(np.eye(11, dtype=np.float32)[3], (len(images), 1))

    found = accuracy_by_condition(Says3(), digits)  # type: ignore[arg-type]
    assert found == dict.fromkeys(DRAWING_CONDITIONS, 0.5)
