"""The reader of whole numbers under Node finds the boxes and the digits that the Python code finds."""

import json

import numpy as np
import pytest

from benchmarks.whole_numbers import compose, numbers_of
from mnist_core.browser.weights_file import browser_model
from mnist_core.drawing.whole_numbers import recognize_number
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.pen_digits import load_pen_digits, locate_pen_digits, split_writers
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier

NUMBERS = 16


@pytest.fixture(scope="module")
def read_numbers(node, tmp_path_factory, shipped):
    """Reads (N, 280, 560) uint8 drawings, drawn with N brushes."""
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "model.bin").write_bytes(browser_model(*shipped))

    def read(drawings, brushes):
        (folder / "drawings").write_bytes(np.array(drawings, np.uint8).tobytes())
        (folder / "brushes").write_text(json.dumps(brushes))
        done = node("run_numbers.mjs", *(folder / name for name in ("model.bin", "drawings", "brushes", "out")))
        assert done.returncode == 0, done.stderr
        return json.loads((folder / "out").read_text())

    return read


@pytest.fixture(scope="module")
def numbers():
    """Drawings of one to four digits that do not touch, and their brush widths. Generated ones without pen digits."""
    generator = np.random.default_rng(0)
    if locate_pen_digits():
        _, digits = split_writers(load_pen_digits())
    else:
        digits = [generate_digit(generator) for _ in range(100)]
    drawings, brushes = [], []
    for number in range(NUMBERS):
        (chosen,) = numbers_of(digits, 1 + number % 4, 1, generator)
        drawing, _, brush = compose(chosen, False, generator)
        drawings.append(drawing)
        brushes.append(brush)
    return drawings, brushes


@pytest.fixture(scope="module")
def expected(numbers):
    """What the server reads."""
    classifier = Classifier(DEFAULT_MODEL)
    return [recognize_number(drawing, classifier, brush) for drawing, brush in zip(*numbers, strict=True)]


def boxes(number):
    return [list(part.box) for part in number.parts]


@pytest.mark.slow
def test_digits_that_do_not_touch_have_the_servers_boxes_and_answers(read_numbers, numbers, expected):
    found = read_numbers(*numbers)
    pairs = list(zip(found, expected, strict=True))
    assert np.mean([each["boxes"] == boxes(number) for each, number in pairs]) >= 0.98
    assert np.mean([each["text"] == number.text for each, number in pairs]) >= 0.98


@pytest.mark.slow
def test_only_the_digit_that_changed_is_read_again(read_numbers, numbers, expected):
    place = next(place for place, number in enumerate(expected) if len(number.parts) == 4 and number.confidence > 0.8)
    drawing, brush = numbers[0][place], numbers[1][place]
    as_written = [np.where(np.arange(560) < right, drawing, 0) for _, _, right, _ in boxes(expected[place])]
    found = read_numbers([*as_written, np.zeros_like(drawing)], [brush] * 5)
    text = expected[place].text
    assert [each["text"] for each in found] == [text[:1], text[:2], text[:3], text, ""]
    assert [each["imagesRead"] for each in found] == [1, 1, 1, 1, 0]
