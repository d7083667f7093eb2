"""The normalization under Node gives the pixels that the Python code gives."""

import numpy as np
import pytest

from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import render_strokes
from mnist_core.handwriting.digit_forms import generate_digit

GRAY_LEVELS = 3


@pytest.mark.parametrize("brush", [8, 20, 38])
def test_drawings_become_the_same_28_by_28_pixels(node, tmp_path, brush):
    generator = np.random.default_rng(brush)
    drawings = []
    for size in (60, 110, 160, 200, 230):
        free = (280 - size - brush) / 2 - 2
        center = 140 + generator.uniform(-free, free, 2)
        drawings.append(render_strokes(generate_digit(generator).strokes, brush, size, tuple(center)))
    speckled = drawings[2].copy()
    speckled[2:4, 2:4] = 255  # dust
    drawings += [speckled, np.zeros((280, 280), np.uint8), 255 - drawings[3]]
    (tmp_path / "drawings").write_bytes(np.array(drawings).tobytes())
    done = node("run_normalize.mjs", tmp_path / "drawings", brush, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = np.fromfile(tmp_path / "out", np.uint8).reshape(-1, 28, 28).astype(int)
    expected = np.array([normalize_drawing(drawing, brush).image for drawing in drawings]).astype(int)
    assert (np.abs(found - expected) > GRAY_LEVELS).mean() <= 0.001
