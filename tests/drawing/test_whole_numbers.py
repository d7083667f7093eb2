"""Whole numbers: where their digits are is known, as each was drawn into its own place."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import Strokes, fit_strokes, render_strokes
from mnist_core.drawing.whole_numbers import MAX_CUTS, MAX_SPAN_PIECES, WholeNumber, recognize_number
from mnist_core.errors import DrawingError
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier

HEIGHT, WIDTH = 280, 560

# Plain forms that any model reads: strokes of x, y.
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


class Recorder:
    """Stands for a classifier: answers by the crop's look, certain of it, and remembers how much it was asked.

    The digit is how many holes the ink has, and every crop much wider than high is no digit.
    """

    def __init__(self) -> None:
        self.crops = 0

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.crops += len(images)
        outputs = np.full((len(images), 11), 0.001, np.float32)
        for row, image in zip(outputs, images, strict=True):
            row[self.answer(image)] = 0.99
        return outputs

    @staticmethod
    def answer(image: np.ndarray) -> int:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        if not len(rows) or np.ptp(columns) > 1.2 * np.ptp(rows):
            return 10
        paper = np.pad(image < 100, 1).astype(np.uint8)
        paper[[0, -1]], paper[:, [0, -1]] = 1, 1
        return cv2.connectedComponents(paper, connectivity=4)[0] - 2


@pytest.fixture(scope="module")
def model() -> Classifier:
    return Classifier(DEFAULT_MODEL)


def written(text: str, gap: float = 20, brush: int = 14, size: float = 110) -> tuple[np.ndarray, list[np.ndarray]]:
    """The number on a canvas, (280, 560) uint8, and each digit's own ink on such a canvas. Gaps in pixels."""
    digits, left = [], 12.0
    for digit in text:
        ink = render_strokes(SHAPES[digit], brush, size, side=HEIGHT)
        x, y, width, height = cv2.boundingRect(ink)
        own = np.zeros((HEIGHT, WIDTH), np.uint8)
        own[80 : 80 + height, round(left) : round(left) + width] = ink[y : y + height, x : x + width]
        digits.append(own)
        left += width + gap
    return np.maximum.reduce(digits), digits


@pytest.mark.parametrize("text", ["7", "20", "2026", "1352", "5061", "33057", "11"])
@pytest.mark.parametrize("brush", [8, 18])
def test_digits_apart_are_read_one_by_one(model: Classifier, text: str, brush: int) -> None:
    assert recognize_number(written(text, brush=brush)[0], model).text == text


@pytest.mark.parametrize("text", ["20", "35", "2026", "1352", "303", "2020"])
def test_digits_that_touch_are_cut(model: Classifier, text: str) -> None:
    canvas, apart = written(text, gap=-12)[0], written(text)[0]
    parts = [cv2.connectedComponents((paper > 127).astype(np.uint8))[0] for paper in (canvas, apart)]
    assert parts[0] < parts[1]
    assert recognize_number(canvas, model).text == text


def paths(text: str, gap: float, brush: int = 14, size: float = 110) -> list[np.ndarray]:
    """The pen's paths of what `written` draws, in pixels of its canvas."""
    found = []
    left = 12.0
    for digit in text:
        points = np.concatenate(SHAPES[digit])
        width = cv2.boundingRect(render_strokes(SHAPES[digit], brush, size, side=HEIGHT))[2]
        scale = size / np.ptp(points, axis=0).max()
        begin = np.array([round(left), 80]) + brush / 2 - points.min(axis=0) * scale
        found += [(stroke * scale + begin).astype(np.float32) for stroke in SHAPES[digit]]
        left += width + gap
    return found


@pytest.mark.parametrize("text", ["20", "35", "2026", "1352", "303", "65", "7530"])
def test_path_of_the_pen_parts_what_overlaps(model: Classifier, text: str) -> None:
    strokes = paths(text, gap=-16)
    canvas = written(text, gap=-16)[0]
    assert recognize_number(canvas, model, strokes=tuple(strokes)).text == text
    assert recognize_number(canvas, model, brush=14, strokes=tuple(strokes[::-1])).text == text  # from right to left


def test_path_that_misses_the_ink_changes_nothing(model: Classifier) -> None:
    canvas = written("35", gap=-12)[0]
    alone = recognize_number(canvas, model)
    for strokes in ([np.array([[1.0, 1], [2, 2]])] * 2, [np.full((3, 2), 1e30)] * 2, paths("35", -12)[:1], []):
        found = recognize_number(canvas, model, strokes=tuple(np.asarray(stroke, np.float32) for stroke in strokes))
        assert (found.text, [part.box for part in found.parts]) == (alone.text, [part.box for part in alone.parts])


def test_boxes_are_those_of_the_ink_from_left_to_right(model: Classifier) -> None:
    canvas, digits = written("2536")
    number = recognize_number(canvas, model)
    assert number.text == "2536"
    for part, own in zip(number.parts, digits, strict=True):
        x, y, width, height = cv2.boundingRect(own)
        assert np.abs(np.subtract(part.box, (x, y, x + width, y + height))).max() <= 1
        assert np.abs(part.image.astype(int) - normalize_drawing(own, 14).image).mean() < 6


def test_a_crop_holds_nothing_of_its_neighbour(model: Classifier) -> None:
    """A 7 that leans over a small 2: their boxes overlap, their ink does not."""
    paper = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(paper, [np.array([[100, 60], [210, 60], [130, 220]])], False, 255, 14)
    seven = paper.copy()
    cv2.circle(paper, (240, 170), 44, 255, 14)
    number = recognize_number(paper, model)
    assert number.text == "70" and number.parts[0].box[2] > number.parts[1].box[0]
    assert np.abs(number.parts[0].image.astype(int) - normalize_drawing(seven, 14).image).mean() < 6


def test_the_bar_of_a_five_stays_with_its_five() -> None:
    canvas, digits = written("505")
    parts = cv2.connectedComponents((digits[0] > 127).astype(np.uint8))[0] - 1
    number = recognize_number(canvas, Recorder())
    assert parts == 2 and number.text == "010"  # by their holes
    assert number.parts[0].box[1] <= cv2.boundingRect(digits[0])[1] + 1


def test_a_speck_is_no_digit(model: Classifier) -> None:
    canvas, _ = written("26")
    canvas[200:212, 500:512] = 255
    canvas[30, 300] = 255
    assert recognize_number(canvas, model).text == "26"


@pytest.mark.parametrize("kind", ["dark on light", "colour", "alpha", "four times as large"])
def test_paper_and_size_change_nothing(model: Classifier, kind: str) -> None:
    canvas, _ = written("2057")
    scale = 1
    if kind == "dark on light":
        drawing = 255 - canvas
    elif kind == "colour":
        drawing = np.dstack([255 - canvas, 255 - canvas // 2, 255 - canvas // 4])
    elif kind == "alpha":
        drawing = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), canvas])
    else:
        scale, drawing = 4, cv2.resize(canvas, None, fx=4, fy=4)
    plain, other = recognize_number(canvas, model), recognize_number(drawing, model)
    assert other.text == plain.text == "2057"
    boxes = [np.array([part.box for part in number.parts]) for number in (plain, other)]
    assert np.abs(boxes[0] - boxes[1] / scale).max() <= 2


def test_a_known_brush_does_as_well_as_a_measured_one(model: Classifier) -> None:
    canvas, _ = written("2057", brush=18)
    assert recognize_number(canvas, model, 18).text == "2057"
    with pytest.raises(DrawingError, match="brush"):
        recognize_number(canvas, model, 0)


@pytest.mark.parametrize("shape", [(280, 560), (280, 560, 4), (1, 1), (5, 900, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_one_colour_is_no_number(shape: tuple[int, ...], value: int) -> None:
    number = recognize_number(np.full(shape, value, np.uint8), Recorder())
    assert number == WholeNumber(()) or number.parts == ()
    assert number.text == "" and number.confidence == 0 and not number.rejected


def test_confidence_is_the_product_and_one_bad_part_rejects_all(model: Classifier) -> None:
    number = recognize_number(written("203")[0], model)
    expected = np.prod([part.prediction.probabilities.max() for part in number.parts])
    assert number.confidence == pytest.approx(expected) and not number.rejected
    paper = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.line(paper, (100, 140), (180, 140), 255, 12)  # a dash: for the recorder, no digit
    assert recognize_number(paper, Recorder()).rejected


def scribble() -> np.ndarray:
    """Strokes all over the canvas."""
    paper = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = np.random.default_rng(0).integers(0, (WIDTH, HEIGHT), (120, 2))
    cv2.polylines(paper, [points.astype(np.int32)], False, 255, 5)
    return paper


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)


def grid() -> np.ndarray:
    paper = np.zeros((HEIGHT, WIDTH), np.uint8)
    paper[10:270:40, 10:550] = paper[10:270, 10:550:9] = 255
    return paper


def combs() -> np.ndarray:
    paper = np.zeros((HEIGHT, WIDTH), np.uint8)
    paper[100:180, 10:550:4] = 255
    return paper


@pytest.mark.parametrize("draw", [scribble, noise, grid, combs, lambda: written("2" * 12, gap=-1, size=45, brush=6)[0]])
def test_the_work_is_bounded(draw: object) -> None:
    class Undecided(Recorder):
        def answer(self, image: np.ndarray) -> int:  # type: ignore[override]
            return 10

    reader = Undecided()
    start = time.process_time()
    recognize_number(draw(), reader)  # type: ignore[operator]
    assert reader.crops <= MAX_CUTS * (MAX_SPAN_PIECES + 1)
    assert time.process_time() - start < 4  # a second where nothing else runs


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=40)))
@settings(max_examples=60)
def test_any_image_is_a_number_or_refused(drawing: np.ndarray) -> None:
    try:
        number = recognize_number(drawing, Recorder())
    except DrawingError:
        assert drawing.ndim not in (2, 3) or (drawing.ndim == 3 and drawing.shape[2] not in (1, 3, 4))
        return
    for part in number.parts:
        left, top, right, bottom = part.box
        assert 0 <= left < right <= drawing.shape[1] and 0 <= top < bottom <= drawing.shape[0]
        assert part.image.shape == (28, 28) and part.image.dtype == np.uint8


@given(st.lists(st.sampled_from("0123567"), min_size=1, max_size=5).map("".join), st.integers(8, 20))
@settings(max_examples=25)
def test_every_digit_apart_gets_one_part(text: str, brush: int) -> None:
    """A model that is certain of every crop, whatever it is, is shown each digit whole."""
    canvas, digits = written(text, gap=14, brush=brush, size=80)
    number = recognize_number(canvas, Recorder())
    holes = [Recorder.answer(normalize_drawing(own, brush).image) for own in digits]
    if 10 not in holes:
        assert [part.prediction.digit for part in number.parts] == holes
    assert len(number.parts) == len(text)
