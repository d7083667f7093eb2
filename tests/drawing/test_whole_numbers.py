"""Recognition of whole numbers that are put together from single digits, so that the place of each digit is known."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.segmentation import MAX_CUTS, MAX_SPAN_PIECES
from mnist_core.drawing.strokes import Strokes, fit_strokes, render_strokes
from mnist_core.drawing.whole_numbers import WholeNumber, recognize_number
from mnist_core.errors import DrawingError
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier

HEIGHT, WIDTH = 280, 560

SHAPES: dict[str, Strokes] = {
    digit: fit_strokes(strokes)
    for digit, strokes in {
        "0": [[(50 + 32 * np.cos(t), 50 + 50 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 40)]],
        "1": [[(50, 0), (48, 100)]],
        "2": [[(15, 25), (25, 6), (45, 0), (65, 8), (70, 28), (55, 55), (10, 98), (75, 98)]],
        "3": [[(15, 8), (45, 0), (65, 12), (60, 35), (35, 48), (65, 60), (68, 85), (45, 100), (12, 92)]],
        "5": [[(20, 15), (17, 45), (45, 42), (65, 55), (66, 80), (45, 98), (12, 95)], [(22, 0), (66, -2)]],
        "6": [[(60, 0), (35, 22), (18, 55), (20, 85), (40, 100), (60, 88), (62, 68), (45, 57), (22, 68)]],
        "7": [[(10, 3), (68, 0), (50, 45), (38, 100)]],
    }.items()
}
"""Plain digits that any model recognizes: strokes of (x, y) points, y down."""


class HoleCounter:
    """A classifier that is certain of every crop: the digit is its number of holes, a wide crop is not a digit.

    Attributes:
        crops: how many it has classified.
    """

    def __init__(self) -> None:
        self.crops = 0

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.crops += len(images)
        outputs = np.full((len(images), 11), 0.001, np.float32)
        for row, image in zip(outputs, images, strict=True):
            row[self.classify(image)] = 0.99
        return outputs

    @staticmethod
    def classify(image: np.ndarray) -> int:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        if not len(rows) or np.ptp(columns) > 1.2 * np.ptp(rows):
            return 10
        background = np.pad(image < 100, 1).astype(np.uint8)
        background[[0, -1]], background[:, [0, -1]] = 1, 1
        return cv2.connectedComponents(background, connectivity=4)[0] - 2


@pytest.fixture(scope="module")
def model() -> Classifier:
    return Classifier(DEFAULT_MODEL)


def draw_number(text: str, gap: float = 20, brush: int = 14, size: float = 110) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draws a number: its canvas, (280, 560) uint8, and one such canvas per digit. `gap` and `size` in pixels."""
    digits, left = [], 12.0
    for digit in text:
        ink = render_strokes(SHAPES[digit], brush, size, side=HEIGHT)
        x, y, width, height = cv2.boundingRect(ink)
        alone = np.zeros((HEIGHT, WIDTH), np.uint8)
        alone[80 : 80 + height, round(left) : round(left) + width] = ink[y : y + height, x : x + width]
        digits.append(alone)
        left += width + gap
    return np.maximum.reduce(digits), digits


def count_parts(canvas: np.ndarray) -> int:
    """Connected pieces of ink."""
    return cv2.connectedComponents((canvas > 127).astype(np.uint8))[0] - 1


@pytest.mark.parametrize("text", ["7", "20", "2026", "1352", "5061", "33057", "11"])
@pytest.mark.parametrize("brush", [8, 18])
def test_separate_digits_are_recognized(model: Classifier, text: str, brush: int) -> None:
    assert recognize_number(draw_number(text, brush=brush)[0], model).text == text


@pytest.mark.parametrize("text", ["20", "35", "2026", "1352", "303", "2020"])
def test_touching_digits_are_cut(model: Classifier, text: str) -> None:
    canvas, separate = draw_number(text, gap=-12)[0], draw_number(text)[0]
    assert count_parts(canvas) < count_parts(separate)
    assert recognize_number(canvas, model).text == text


def draw_strokes(text: str, gap: float, brush: int = 14, size: float = 110) -> list[np.ndarray]:
    """The strokes of the number that `draw_number` draws, in pixels of its canvas."""
    strokes, left = [], 12.0
    for digit in text:
        points = np.concatenate(SHAPES[digit])
        width = cv2.boundingRect(render_strokes(SHAPES[digit], brush, size, side=HEIGHT))[2]
        scale = size / np.ptp(points, axis=0).max()
        start = np.array([round(left), 80]) + brush / 2 - points.min(axis=0) * scale
        strokes += [(stroke * scale + start).astype(np.float32) for stroke in SHAPES[digit]]
        left += width + gap
    return strokes


@pytest.mark.parametrize("text", ["20", "35", "2026", "1352", "303", "65", "7530"])
def test_strokes_separate_overlapping_digits(model: Classifier, text: str) -> None:
    strokes = draw_strokes(text, gap=-16)
    canvas = draw_number(text, gap=-16)[0]
    assert recognize_number(canvas, model, strokes=tuple(strokes)).text == text
    assert recognize_number(canvas, model, brush=14, strokes=tuple(strokes[::-1])).text == text  # from right to left


def test_strokes_that_miss_the_ink_change_nothing(model: Classifier) -> None:
    canvas = draw_number("35", gap=-12)[0]
    without = recognize_number(canvas, model)
    for strokes in ([np.array([[1.0, 1], [2, 2]])] * 2, [np.full((3, 2), 1e30)] * 2, draw_strokes("35", -12)[:1], []):
        found = recognize_number(canvas, model, strokes=tuple(np.asarray(stroke, np.float32) for stroke in strokes))
        assert (found.text, [part.box for part in found.parts]) == (without.text, [part.box for part in without.parts])


def test_each_box_fits_the_ink_of_its_digit_from_left_to_right(model: Classifier) -> None:
    canvas, digits = draw_number("2536")
    number = recognize_number(canvas, model)
    assert number.text == "2536"
    for part, alone in zip(number.parts, digits, strict=True):
        x, y, width, height = cv2.boundingRect(alone)
        assert np.abs(np.subtract(part.box, (x, y, x + width, y + height))).max() <= 1
        assert np.abs(part.image.astype(int) - normalize_drawing(alone, 14).image).mean() < 6


def test_a_crop_contains_nothing_of_its_neighbor(model: Classifier) -> None:
    """A 7 that leans over a small 0: their boxes overlap, their ink does not."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(canvas, [np.array([[100, 60], [210, 60], [130, 220]])], False, 255, 14)
    seven = canvas.copy()
    cv2.circle(canvas, (240, 170), 44, 255, 14)
    number = recognize_number(canvas, model)
    assert number.text == "70" and number.parts[0].box[2] > number.parts[1].box[0]
    assert np.abs(number.parts[0].image.astype(int) - normalize_drawing(seven, 14).image).mean() < 6


def test_the_separate_bar_of_a_five_belongs_to_the_five() -> None:
    canvas, digits = draw_number("505")
    number = recognize_number(canvas, HoleCounter())
    assert count_parts(digits[0]) == 2 and number.text == "010"  # their holes
    assert number.parts[0].box[1] <= cv2.boundingRect(digits[0])[1] + 1


def test_a_speck_is_not_a_digit(model: Classifier) -> None:
    canvas, _ = draw_number("26")
    canvas[200:212, 500:512] = 255
    canvas[30, 300] = 255
    assert recognize_number(canvas, model).text == "26"


@pytest.mark.parametrize("kind", ["dark on light", "color", "alpha", "four times as large"])
def test_background_and_size_change_nothing(model: Classifier, kind: str) -> None:
    canvas, _ = draw_number("2057")
    scale = 1
    if kind == "dark on light":
        drawing = 255 - canvas
    elif kind == "color":
        drawing = np.dstack([255 - canvas, 255 - canvas // 2, 255 - canvas // 4])
    elif kind == "alpha":
        drawing = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), canvas])
    else:
        scale, drawing = 4, cv2.resize(canvas, None, fx=4, fy=4)
    plain, other = recognize_number(canvas, model), recognize_number(drawing, model)
    assert other.text == plain.text == "2057"
    boxes = [np.array([part.box for part in number.parts]) for number in (plain, other)]
    assert np.abs(boxes[0] - boxes[1] / scale).max() <= 2


def test_the_brush_width_may_be_given(model: Classifier) -> None:
    canvas, _ = draw_number("2057", brush=18)
    assert recognize_number(canvas, model, 18).text == "2057"
    with pytest.raises(DrawingError, match="brush"):
        recognize_number(canvas, model, 0)


@pytest.mark.parametrize("shape", [(280, 560), (280, 560, 4), (1, 1), (5, 900, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_a_uniform_image_is_no_number(shape: tuple[int, ...], value: int) -> None:
    number = recognize_number(np.full(shape, value, np.uint8), HoleCounter())
    assert number == WholeNumber(()) or number.parts == ()
    assert number.text == "" and number.confidence == 0 and not number.rejected


def test_confidence_is_the_product_and_one_rejected_part_rejects_the_number(model: Classifier) -> None:
    number = recognize_number(draw_number("203")[0], model)
    expected = np.prod([part.prediction.probabilities.max() for part in number.parts])
    assert number.confidence == pytest.approx(expected) and not number.rejected
    dash = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.line(dash, (100, 140), (180, 140), 255, 12)
    assert recognize_number(dash, HoleCounter()).rejected


def scribble() -> np.ndarray:
    """Strokes all over the canvas."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = np.random.default_rng(0).integers(0, (WIDTH, HEIGHT), (120, 2))
    cv2.polylines(canvas, [points.astype(np.int32)], False, 255, 5)
    return canvas


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)


def grid() -> np.ndarray:
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    canvas[10:270:40, 10:550] = canvas[10:270, 10:550:9] = 255
    return canvas


def combs() -> np.ndarray:
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    canvas[100:180, 10:550:4] = 255
    return canvas


@pytest.mark.parametrize(
    "draw", [scribble, noise, grid, combs, lambda: draw_number("2" * 12, gap=-1, size=45, brush=6)[0]]
)
def test_the_work_is_bounded(draw: object) -> None:
    class AllRejected(HoleCounter):
        def classify(self, image: np.ndarray) -> int:  # type: ignore[override]
            return 10

    model = AllRejected()
    start = time.process_time()
    recognize_number(draw(), model)  # type: ignore[operator]
    assert model.crops <= MAX_CUTS * (MAX_SPAN_PIECES + 1)
    assert time.process_time() - start < 4  # seconds; one on an idle machine


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=40)))
@settings(max_examples=60)
def test_any_image_is_recognized_or_refused(drawing: np.ndarray) -> None:
    try:
        number = recognize_number(drawing, HoleCounter())
    except DrawingError:
        assert drawing.ndim not in (2, 3) or (drawing.ndim == 3 and drawing.shape[2] not in (1, 3, 4))
        return
    for part in number.parts:
        left, top, right, bottom = part.box
        assert 0 <= left < right <= drawing.shape[1] and 0 <= top < bottom <= drawing.shape[0]
        assert part.image.shape == (28, 28) and part.image.dtype == np.uint8


@given(st.lists(st.sampled_from("0123567"), min_size=1, max_size=5).map("".join), st.integers(8, 20))
@settings(max_examples=25)
def test_every_separate_digit_is_one_part(text: str, brush: int) -> None:
    """Even for a model that is certain of every crop: no digit is cut."""
    canvas, digits = draw_number(text, gap=14, brush=brush, size=80)
    number = recognize_number(canvas, HoleCounter())
    holes = [HoleCounter.classify(normalize_drawing(alone, brush).image) for alone in digits]
    if 10 not in holes:
        assert [part.prediction.digit for part in number.parts] == holes
    assert len(number.parts) == len(text)
