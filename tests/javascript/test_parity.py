"""The hardest images and drawings of `make parity`: where answers are least certain, or images differ most."""

import numpy as np
import pytest

from tests.javascript.parity import (
    GRAY_LEVELS,
    HARDEST,
    LARGEST_DIFFERENCE,
    SHARE_OF_PIXELS,
    compare_drawings,
    compare_images,
)


@pytest.fixture(scope="module")
def hardest():
    with np.load(HARDEST) as kept:
        return dict(kept)


@pytest.mark.slow
@pytest.mark.parametrize("precision", LARGEST_DIFFERENCE)
def test_images_get_the_servers_answer(node, hardest, precision):
    gap = compare_images(node, hardest["images"], precision)
    assert gap.probabilities.max() <= LARGEST_DIFFERENCE[precision]
    assert not gap.answers.any()


@pytest.mark.slow
def test_drawings_get_the_servers_image_and_answer(node, hardest):
    gap = compare_drawings(node, hardest["drawings"], hardest["brushes"])
    assert (gap.pixels > GRAY_LEVELS).mean() <= 1 - SHARE_OF_PIXELS and not gap.answers.any()
