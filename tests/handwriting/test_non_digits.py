"""Non-digits: every kind looks like its name, and none is a letter that looks like a digit."""

from __future__ import annotations

import string

import cv2
import numpy as np
import pytest

from mnist_core.drawing.strokes import Strokes, render_strokes
from mnist_core.errors import SettingError
from mnist_core.handwriting.letters import LIKE_DIGITS, load_letters, split_letter_writers
from mnist_core.handwriting.non_digits import LETTERS, NON_DIGIT_KINDS, SHAPES, generate_non_digit
from mnist_core.handwriting.templates import write_template


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pieces(strokes: Strokes, width: float = 8) -> int:
    return int(cv2.connectedComponents((render_strokes(strokes, width, 230) > 127).astype(np.uint8))[0]) - 1


def some(kind: str, count: int = 20) -> list[Strokes]:
    draws = generator()
    return [generate_non_digit(draws, kind) for _ in range(count)]


def turning(stroke: np.ndarray) -> np.ndarray:
    """Angles by which the path turns at each point, -pi..pi."""
    headings = np.arctan2(*np.diff(stroke, axis=0).T)
    return (np.diff(headings) + np.pi) % (2 * np.pi) - np.pi


def test_each_kind_is_fitted_and_reproducible() -> None:
    for kind in NON_DIGIT_KINDS:
        for first, again in zip(some(kind), some(kind), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)), kind
            together = np.concatenate(first)
            assert np.isfinite(together).all() and np.allclose(together.min(axis=0), 0, atol=1e-3), kind
            assert np.ptp(together, axis=0).max() == pytest.approx(1000, abs=1e-2) or len(together) == 1, kind
            assert all(stroke.dtype == np.float32 for stroke in first), kind


def test_kinds_are_drawn_as_often_as_they_say() -> None:
    """Dots stand for all: nothing else is made of single points alone."""
    weights = np.array([weight for weight, _ in NON_DIGIT_KINDS.values()])
    draws, dots = generator(), 0
    for _ in range(600):
        dots += max(map(len, generate_non_digit(draws))) == 1
    assert dots / 600 == pytest.approx(NON_DIGIT_KINDS["dots"][0] / weights.sum(), abs=0.03)


def test_letters_that_look_like_digits_are_left_out() -> None:
    assert not set(LETTERS) & LIKE_DIGITS
    assert set(LETTERS) | LIKE_DIGITS == set(string.ascii_letters)


def test_shapes_are_fitted() -> None:
    for name, variants in (LETTERS | SHAPES).items():
        for variant in variants:
            together = np.concatenate(write_template(variant))
            assert together.min(axis=0).tolist() == [0, 0] and together.max() == 1000, name


def test_asked_for_shapes_are_there() -> None:
    wanted = ["house", "smiley", "star", "heart", "question mark", "arrow", "plus", "equals", "triangle"]
    assert set(wanted) <= set(SHAPES)


def test_dots_are_dots() -> None:
    assert {len(stroke) for strokes in some("dots") for stroke in strokes} == {1}
    assert {len(strokes) for strokes in some("dots", 80)} == {1, 2, 3, 4, 5, 6}


def test_blobs_are_mostly_ink() -> None:
    for strokes in some("blob"):
        ink = np.argwhere(render_strokes(strokes, 20, 168) > 127)
        hull = cv2.contourArea(cv2.convexHull(ink.astype(np.int32)))
        assert len(ink) > 0.6 * hull


def test_spirals_turn_at_least_twice_the_same_way() -> None:
    for strokes in some("spiral"):
        assert abs(turning(strokes[0]).sum()) > 2 * 2 * np.pi


def test_zigzags_turn_to_and_fro() -> None:
    for strokes in some("zigzag"):
        (stroke,) = strokes
        sharp = turning(stroke[:: max(1, len(stroke) // 400)])
        assert (sharp > 0.5).sum() >= 3 and (sharp < -0.5).sum() >= 3


def test_lines_cross_or_lie_beside_each_other() -> None:
    assert min(map(len, some("crossing lines"))) >= 4 and min(map(len, some("hatching"))) >= 4
    assert np.mean([pieces(strokes) == 1 for strokes in some("crossing lines")]) > 0.5
    assert np.mean([pieces(strokes) > 2 for strokes in some("hatching")]) > 0.7


@pytest.mark.parametrize("kind", ["number", "word"])
def test_numbers_and_words_have_gaps(kind: str) -> None:
    assert np.mean([pieces(strokes) > 1 for strokes in some(kind, 60)]) > 0.9


def test_written_letters_are_by_the_writers_to_train_on() -> None:
    """They are varied, so what stays is how many strokes they have and, roughly, where these are."""
    train, held_out = split_letter_writers(load_letters())
    assert {letter.writer for letter in held_out} == {"8", "9", "10", "11"} and len(train) == 7 * 104
    for strokes in some("written letter"):
        alike = [letter for letter in train if len(letter.strokes) == len(strokes)]
        distances = [
            max(float(np.abs(a.mean(0) - b.mean(0)).max()) for a, b in zip(letter.strokes, strokes, strict=True))
            for letter in alike
        ]
        assert min(distances) < 150


def test_overlapping_digits_are_wider_than_one_and_mostly_connected() -> None:
    drawn = some("overlapping digits", 60)
    assert np.mean([pieces(strokes, 20) == 1 for strokes in drawn]) > 0.4
    assert np.mean([float(np.concatenate(strokes)[:, 0].max()) for strokes in drawn]) > 850


def test_refuses_an_unknown_kind() -> None:
    with pytest.raises(SettingError, match="'doodle'.*letter, shape, dots,"):
        generate_non_digit(generator(), "doodle")
