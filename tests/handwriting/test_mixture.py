"""Drawings to train on: what is in them, that the seed alone decides them, and how they measure a model."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.evaluation.pen_accuracy import accuracy_by_condition
from mnist_core.handwriting import mixture
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.mixture import Mixture, make_first_drawings, make_mixture
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, PenDigit
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier


@pytest.fixture(scope="module")
def digits() -> tuple[PenDigit, ...]:
    generator = np.random.default_rng(5)
    return tuple(generate_digit(generator, label) for label in (3, 3, 8, 1))


def test_mixture_holds_as_many_of_each_kind_as_it_says(digits: tuple[PenDigit, ...]) -> None:
    images, labels = make_mixture(Mixture(30, 20, 25), digits, seed=1)
    assert images.shape == (75, 28, 28) and images.dtype == labels.dtype == np.uint8
    assert (labels == NOT_A_DIGIT).sum() == 25
    assert labels[labels != NOT_A_DIGIT].max() <= 9
    assert np.isin(labels, (3, 8, 1)).sum() >= 30, "the pen digits, and some of the digit forms"
    assert (images.max(axis=(1, 2)) == 255).all(), "normalized"


@pytest.mark.slow
def test_number_of_processes_changes_nothing(digits: tuple[PenDigit, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "CHUNK", 20)
    made: list[tuple[int, int]] = []
    one = make_mixture(Mixture(20, 20, 20), digits, seed=2)
    two = make_mixture(Mixture(20, 20, 20), digits, 2, 2, lambda done, total: made.append((done, total)))
    assert made == sorted(made) and made[-1] == (60, 60)
    assert set(made) <= {(0, 60), (20, 60), (40, 60), (60, 60)}, "after each chunk, and between them"
    assert (one[0] == two[0]).all() and (one[1] == two[1]).all()
    other, _ = make_mixture(Mixture(10, 5, 5), digits, seed=3)
    assert (other != one[0][:20]).any()
    first_images, first_labels = make_first_drawings(Mixture(20, 20, 20), digits, 2, 7) or pytest.fail("none made")
    assert (first_images == one[0][:7]).all() and (first_labels == one[1][:7]).all()


def test_without_pen_digits_the_other_kinds_are_drawn() -> None:
    images, labels = make_mixture(Mixture(50, 10, 10), (), seed=1)
    assert len(images) == len(labels) == 20


def test_empty_mixture_has_no_drawings() -> None:
    images, labels = make_mixture(Mixture(5, 0, 0), (), seed=1)
    assert images.shape == (0, 28, 28) and labels.shape == (0,)


def test_digit_forms_are_recognized_as_the_digits_they_are() -> None:
    """A trained model agrees with most labels, however thin, fat or small they are drawn."""
    images, labels = make_mixture(Mixture(0, 150, 0), (), seed=4)
    agreed = (Classifier(DEFAULT_MODEL).digit_probabilities(images).argmax(axis=1) == labels).mean()
    assert agreed > 0.8


def test_accuracy_by_condition_is_the_share_that_is_right(digits: tuple[PenDigit, ...]) -> None:
    class AlwaysThree:
        def probabilities(self, images: np.ndarray) -> np.ndarray:
            return np.tile(np.eye(11, dtype=np.float32)[3], (len(images), 1))

    accuracies = accuracy_by_condition(AlwaysThree(), digits)  # type: ignore[arg-type]
    assert accuracies == dict.fromkeys(DRAWING_CONDITIONS, 0.5)
