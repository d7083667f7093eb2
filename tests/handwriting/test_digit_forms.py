"""Digit forms: those that MNIST lacks are there, each looks like its name, and MNIST confirms the others."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from mnist_core.data.mnist import Mnist
from mnist_core.drawing.strokes import PenDigit, Strokes, render_strokes, vary_strokes
from mnist_core.errors import SettingError
from mnist_core.handwriting.digit_forms import DIGIT_FORMS, generate_digit
from mnist_core.handwriting.templates import parse_template, smooth_curve, write_template

ALL = [(digit, name) for digit, forms in DIGIT_FORMS.items() for name in forms]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def designed(digit: int, name: str) -> Strokes:
    return write_template(DIGIT_FORMS[digit][name])


def holes(strokes: Strokes, width: float = 24) -> int:
    """How many pieces of paper the ink encloses."""
    paper = (render_strokes(strokes, width, 230) < 128).astype(np.uint8)
    return int(cv2.connectedComponents(paper, connectivity=4)[0]) - 2  # less the ink and the paper around it


def pieces(strokes: Strokes, width: float = 8) -> int:
    return int(cv2.connectedComponents((render_strokes(strokes, width, 230) > 127).astype(np.uint8))[0]) - 1


def test_each_digit_has_many_forms() -> None:
    assert list(DIGIT_FORMS) == list(range(10)) and min(map(len, DIGIT_FORMS.values())) >= 10


def test_forms_are_smooth_fitted_and_upright() -> None:
    for digit, name in ALL:
        strokes = designed(digit, name)
        together = np.concatenate(strokes)
        assert together.min(axis=0).tolist() == [0, 0] and together.max() == 1000, name
        assert np.ptp(together[:, 1]) > 600, f"{name} lies on its side"
        for stroke in strokes:
            assert len(stroke) == 1 or np.hypot(*np.diff(stroke, axis=0).T).max() < 60, name


def test_zeros_enclose_paper() -> None:
    for name in [name for name in DIGIT_FORMS[0] if name != "open"]:
        assert holes(designed(0, name), 16) >= (2 if "slashed" in name and name != "slashed short" else 1), name


def test_dotted_zeros_hold_a_piece_apart() -> None:
    for name in [name for name in DIGIT_FORMS[0] if "dotted" in name]:
        ring, dot = designed(0, name)
        assert pieces((ring, dot)) == 2, name
        assert ring.min() + 200 < dot.min() and np.all(ring.min(axis=0) < dot.min(axis=0)), name


def test_feet_of_ones_are_flat_low_and_wide() -> None:
    for name in [name for name in DIGIT_FORMS[1] if "foot" in name]:
        stem, foot = designed(1, name)
        low = 800 if "high foot" in name else 900
        assert np.ptp(foot[:, 1]) < 60 < 300 < np.ptp(foot[:, 0]) and foot[:, 1].min() > low, name
        assert foot[:, 0].min() < stem[-1, 0] < foot[:, 0].max(), name


@pytest.mark.parametrize(("name", "least"), [("flag", 0.15), ("long upstroke", 0.4), ("very long upstroke", 0.6)])
def test_upstrokes_of_ones_are_as_long_as_they_say(name: str, least: float) -> None:
    (stroke,) = designed(1, name)
    assert stroke[0, 1] >= least * 1000 and stroke[:, 1].argmin() not in (0, len(stroke) - 1)


def test_bars_of_crossed_sevens_cross_the_stem() -> None:
    for name in [name for name in DIGIT_FORMS[7] if "crossed" in name]:
        seven, bar = designed(7, name)
        stem = seven[seven[:, 1] > 150]
        x = np.interp(bar[:, 1].mean(), stem[:, 1], stem[:, 0])
        assert bar[:, 0].min() + 50 < x < bar[:, 0].max() - 50 and 300 < bar[:, 1].mean() < 700, name


def test_loops_of_looped_sevens_cross_the_stem() -> None:
    for name in [name for name in DIGIT_FORMS[7] if "looped" in name]:
        assert holes(designed(7, name), 10) >= 1 and holes(designed(7, "plain"), 10) == 0, name
        together = np.concatenate(designed(7, name))
        assert together[-1, 1] < 700 < together[:, 1].max(), f"{name} ends at the bar, above the stem's end"


def test_bars_of_fives_may_be_apart() -> None:
    for name in [name for name in DIGIT_FORMS[5] if name in ("bar apart", "bar above", "bar far right")]:
        assert pieces(designed(5, name)) == 2, name


def test_open_fours_enclose_nothing_above_their_bar() -> None:
    for name in [name for name in DIGIT_FORMS[4] if "closed" not in name]:
        assert holes(designed(4, name), 8) <= ("lightning" in name or "hooked" in name), name


def test_eights_enclose_two() -> None:
    for name in [name for name in DIGIT_FORMS[8] if "open" not in name]:
        assert holes(designed(8, name), 10) == 2, name


def test_sixes_enclose_one_below() -> None:
    for name in [name for name in DIGIT_FORMS[6] if name not in ("curled in", "leaning", "open")]:
        assert holes(designed(6, name), 20) == 1, name


def test_hooked_nines_end_on_the_left_below_their_loop() -> None:
    for name in ("hooked", "like a g", "small loop", "tiny loop", "filled loop"):
        (stroke,) = designed(9, name)
        x, y = stroke[-1]
        assert y > 800 and x < np.ptp(stroke[:, 0]) / 3, name


def test_filled_loop_is_filled_by_a_brush() -> None:
    assert holes(designed(9, "filled loop"), 20) == 0 < holes(designed(9, "small loop"), 20)


def test_invention_is_reproducible() -> None:
    def same(a: PenDigit, b: PenDigit) -> bool:
        return all(np.array_equal(x, y) for x, y in zip(a.strokes, b.strokes, strict=True))

    assert (
        same(generate_digit(generator(1)), generate_digit(generator(1))) and generate_digit(generator(), 4).label == 4
    )
    draws = generator()
    first, second = generate_digit(draws, 1), generate_digit(draws, 1)
    assert len(first.strokes) != len(second.strokes) or not same(first, second)


def test_all_digits_and_forms_are_invented_equally_often() -> None:
    draws = generator()
    counts = np.bincount([generate_digit(draws).label for _ in range(600)], minlength=10)
    assert np.all(np.abs(counts - 60) < 4 * math.sqrt(60))
    crossed = sum("crossed" in name for name in DIGIT_FORMS[7]) / len(DIGIT_FORMS[7])
    found = np.mean([len(generate_digit(draws, 7).strokes) == 2 for _ in range(400)])
    assert found == pytest.approx(crossed, abs=0.1)


def test_invented_digits_are_fitted_and_by_no_writer_of_the_data() -> None:
    draws = generator()
    for _ in range(100):
        digit = generate_digit(draws)
        together = np.concatenate(digit.strokes)
        assert digit.writer == "invented" and np.allclose(together.min(axis=0), 0, atol=1e-3)
        assert np.ptp(together, axis=0).max() == pytest.approx(1000, abs=1e-2)


def test_invent_refuses_what_is_no_digit() -> None:
    with pytest.raises(SettingError, match="10"):
        generate_digit(generator(), 10)


def as_mnist(strokes: Strokes) -> np.ndarray:
    """(784,) by MNIST's recipe, written independently: the longer side 20, the center of mass in the middle."""
    canvas = render_strokes(strokes, 20, 168)
    rows, columns = np.nonzero(canvas)
    digit = canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = np.maximum(np.round(np.array(digit.shape) * 20 / max(digit.shape)), 1).astype(int).tolist()
    small = cv2.resize(digit, (width, height), interpolation=cv2.INTER_AREA)
    y, x = np.indices(small.shape)
    top, left = (round(14 - float(np.average(axis, weights=small))) for axis in (y, x))
    image = np.zeros((28, 28), np.uint8)
    top, left = min(max(top, 0), 28 - height), min(max(left, 0), 28 - width)
    image[top : top + height, left : left + width] = small
    return cv2.GaussianBlur(image, (5, 5), 1.0).ravel()


@pytest.mark.slow
def test_nearest_digits_of_mnist_have_the_same_label(sample: Mnist) -> None:
    """MNIST's writers used few of these forms, so not all can find their like; chance would be 10%."""
    from sklearn.neighbors import KNeighborsClassifier

    blurred = [cv2.GaussianBlur(image, (5, 5), 1.0).ravel() for image in sample.x_train]
    nearest = KNeighborsClassifier(3, metric="cosine").fit(np.stack(blurred).astype(np.float32), sample.y_train)
    draws = generator()
    digits = [generate_digit(draws) for _ in range(300)]
    found = nearest.predict(np.stack([as_mnist(digit.strokes) for digit in digits]).astype(np.float32))
    labels = np.array([digit.label for digit in digits])
    assert np.mean(found == labels) > 0.7
    for label in range(10):
        right = np.bincount(found[labels == label], minlength=10)
        assert right.argmax() == label


@pytest.mark.parametrize("seed", range(3))
def test_other_hands_do_not_tear_a_form_apart(seed: int) -> None:
    draws = generator(seed)
    for digit, name in ALL:
        if pieces(designed(digit, name), 20) == 1:
            assert pieces(vary_strokes(designed(digit, name), draws), 34) <= 2


def test_template_has_strokes_corners_and_dots() -> None:
    stroke, dot = parse_template("0,0 500,0 | 500,1000 ; 250,500")
    assert stroke.points == ((0, 0), (500, 0), (500, 1000)) and stroke.corners == (0, 1, 2)
    assert dot.points == ((250, 500),)
    drawn, point = write_template((stroke, dot))
    assert point.tolist() == [[250, 500]]
    assert np.all((drawn[:, 1] == 0) | (drawn[:, 0] == 500)), "straight between corners"
    assert [500, 0] in drawn.tolist()


def test_smooth_curve_goes_through_its_points_along_a_circle() -> None:
    angles = np.linspace(0, 1.5 * np.pi, 7)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 500
    curve = smooth_curve(points)
    assert all(np.abs(curve - point).sum(axis=1).min() < 1e-9 for point in points)
    assert np.abs(np.hypot(*curve.T) - 500).max() < 15
    turns = np.diff(np.unwrap(np.arctan2(*np.diff(curve, axis=0).T)))
    assert np.abs(turns).max() < 0.2, "no corner"


def test_written_shapes_spread_as_told() -> None:
    shape, draws = parse_template("0,0 300,500 0,1000"), generator()
    exact = write_template(shape)[0]
    strays = [np.abs(write_template(shape, draws, 10)[0][-1] - exact[-1]).max() for _ in range(100)]
    assert 3 < np.mean(strays) < 25 and np.max(strays) < 80
