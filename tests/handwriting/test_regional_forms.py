"""Regional forms: what is added to a digit crosses, underlines or leads to it, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.drawing.strokes import PenDigit
from mnist_core.handwriting.digit_forms import DIGIT_FORMS
from mnist_core.handwriting.regional_forms import REGIONAL_SHARE, add_regional_form, regional_strokes
from mnist_core.handwriting.templates import write_template
from tests.handwriting.test_digit_forms import holes


def digit(label: int, form: str) -> PenDigit:
    return PenDigit(label, "someone", write_template(DIGIT_FORMS[label][form]))


def added(label: int, form: str, count: int = 40) -> list[PenDigit]:
    generator = np.random.default_rng(0)
    return [add_regional_form(digit(label, form), generator) for _ in range(count)]


@pytest.mark.parametrize("label", [2, 3, 4, 5, 6, 8, 9])
def test_other_digits_stay_as_they_are(label: int) -> None:
    plain = digit(label, next(iter(DIGIT_FORMS[label])))
    assert add_regional_form(plain, np.random.default_rng(0)) is plain


def test_zeros_get_a_slash_from_the_upper_right_to_the_lower_left() -> None:
    for slashed in added(0, "round"):
        _, slash = slashed.strokes
        (right, top), (left, bottom) = slash
        assert slashed.label == 0 and right > left and top < bottom
        assert holes(slashed.strokes, 10) == 2 or np.ptp(slash[:, 1]) < 850, "a short one does not reach the ring"


def test_sevens_are_crossed_and_some_with_a_loop() -> None:
    sevens = added(7, "plain")
    loops = [holes(seven.strokes, 8) > 0 for seven in sevens]
    assert all(seven.label == 7 for seven in sevens) and 0.3 < np.mean(loops) < 0.95
    assert {len(seven.strokes) for seven in sevens} == {1, 2}, "with a bar apart and in one stroke"


def test_ones_get_a_foot_an_upstroke_or_both() -> None:
    plain = digit(1, "stick")
    ones = added(1, "stick")
    feet = [len(one.strokes) == 2 for one in ones]
    upstrokes = [one.strokes[0][0, 1] > 100 for one in ones]
    assert all(one.label == 1 for one in ones) and all(foot or up for foot, up in zip(feet, upstrokes, strict=True))
    assert 0.3 < np.mean(feet) < 0.9 and 0.3 < np.mean(upstrokes) < 0.9
    for one, foot in zip(ones, feet, strict=True):
        if foot:
            assert np.ptp(one.strokes[1][:, 0]) > 3 * np.ptp(one.strokes[1][:, 1])
    assert len(plain.strokes) == 1


def test_a_one_that_has_an_upstroke_and_a_digit_of_two_strokes_stay_as_they_are() -> None:
    generator = np.random.default_rng(0)
    for plain in (digit(1, "very long upstroke"), digit(7, "crossed"), digit(0, "slashed")):
        assert add_regional_form(plain, generator) is plain


def test_some_digits_get_a_form() -> None:
    generator, zero = np.random.default_rng(0), digit(0, "round")
    share = np.mean([len(regional_strokes(zero, generator)) == 2 for _ in range(600)])
    assert share == pytest.approx(REGIONAL_SHARE, abs=0.08)
