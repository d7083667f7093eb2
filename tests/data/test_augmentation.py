"""Augmented digits against moments computed here: where a known turn, shift, slant or stretch has to take the ink."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.data.augmentation import AUGMENTATIONS, Augmentation, augment

HAND = AUGMENTATIONS["hand"]


class Highest:
    """In a generator's place: every draw is the upper end of its range."""

    def uniform(self, low: float, high: float, size: Any) -> np.ndarray:
        return np.full(size, high)


class Lowest:
    def uniform(self, low: float, high: float, size: Any) -> np.ndarray:
        return np.full(size, low)


def blob(x: float, y: float, deviation_x: float = 1.5, deviation_y: float = 1.5, size: int = 56) -> np.ndarray:
    """(size, size) uint8: a smooth spot around (x, y)."""
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    exponent = ((columns - x) / deviation_x) ** 2 + ((rows - y) / deviation_y) ** 2
    return np.round(255 * np.exp(-exponent / 2)).astype(np.uint8)


def moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid (x, y) and covariance matrix of the ink."""
    rows, columns = np.indices(image.shape)
    places, ink = np.stack([columns.ravel(), rows.ravel()]), image.ravel().astype(np.float64)
    return np.average(places, axis=1, weights=ink), np.cov(places, aweights=ink, ddof=0)


def changed(image: np.ndarray, how: Augmentation, generator: Any = None) -> np.ndarray:
    return augment(image[None], how, generator or Highest())[0]


MIDDLE = np.array([27.5, 27.5])


@pytest.mark.parametrize("generator", [Highest(), Lowest()])
def test_rotation_takes_the_centroid_around_the_middle(generator: Any) -> None:
    before, _ = moments(blob(40, 27.5))
    after, _ = moments(changed(blob(40, 27.5), Augmentation(rotation=15), generator))
    x, y = after - MIDDLE
    assert np.hypot(x, y) == pytest.approx(before[0] - 27.5, abs=0.05)
    assert abs(np.rad2deg(np.arctan2(y, x))) == pytest.approx(15, abs=0.3)


def test_rotations_to_both_sides_are_mirror_images() -> None:
    image = blob(40, 27.5, 3, 1)
    one, other = (changed(image, Augmentation(rotation=20), generator) for generator in (Highest(), Lowest()))
    np.testing.assert_allclose(one.astype(int), other[::-1].astype(int), atol=1)
    assert np.abs(one.astype(int) - other).max() > 50


def test_rotation_turns_the_principal_axis() -> None:
    after = changed(blob(27.5, 27.5, 1.5, 8), Augmentation(rotation=30))
    _, axes = np.linalg.eigh(moments(after)[1])
    x, y = axes[:, 1]  # of the largest spread
    assert np.rad2deg(np.arctan2(abs(x), abs(y))) == pytest.approx(30, abs=0.5)


def test_shift_moves_the_ink_and_nothing_else() -> None:
    high, low = (changed(blob(20, 30), Augmentation(shift=3), generator) for generator in (Highest(), Lowest()))
    assert np.array_equal(np.roll(high, (6, 6), (0, 1)), low) or np.array_equal(np.roll(low, (6, 6), (0, 1)), high)
    np.testing.assert_allclose(np.abs(moments(high)[0] - (20, 30)), 3, atol=0.02)


def test_scale_stretches_both_axes_about_the_middle() -> None:
    larger, smaller = (changed(blob(37.5, 17.5), Augmentation(scale=0.2), draw) for draw in (Highest(), Lowest()))
    np.testing.assert_allclose(moments(larger)[0] - MIDDLE, (12, -12), atol=0.05)
    np.testing.assert_allclose(moments(smaller)[0] - MIDDLE, (8, -8), atol=0.05)


def test_stretch_changes_width_against_height_and_keeps_the_area() -> None:
    image, after = blob(27.5, 27.5, 5, 5), changed(blob(27.5, 27.5, 5, 5), Augmentation(stretch=0.44))
    _, ((width, _), (_, height)) = moments(after)
    assert np.sqrt(width / height) == pytest.approx(1.44, abs=0.02)
    assert after.sum() == pytest.approx(image.sum(), rel=0.01)


def test_slant_moves_rows_sideways_by_their_height() -> None:
    after = changed(blob(27.5, 37.5), Augmentation(slant=0.3))
    x, y = moments(after)[0] - MIDDLE
    assert abs(x) == pytest.approx(3, abs=0.05) and y == pytest.approx(10, abs=0.05)


def test_thickness_is_between_the_stroke_and_its_dilation_or_erosion() -> None:
    image, cross = blob(27.5, 27.5, 3, 8), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    thicker, thinner = (changed(image, Augmentation(thickness=0.5), draw) for draw in (Highest(), Lowest()))
    half_dilated = (image.astype(float) + cv2.dilate(image, cross)) / 2
    half_eroded = (image.astype(float) + cv2.erode(image, cross)) / 2
    assert np.abs(thicker - half_dilated).max() <= 0.5 and np.abs(thinner - half_eroded).max() <= 0.5
    assert thinner.sum() < image.sum() < thicker.sum()


def test_wobble_bends_without_moving_the_whole() -> None:
    image = blob(13.5, 13.5, 2, 5, size=28)
    after = augment(np.repeat(image[None], 400, axis=0), Augmentation(wobble=0.6), np.random.default_rng(0))
    assert (after != image).any(axis=(1, 2)).all()
    middles = np.array([moments(one)[0] for one in after])
    np.testing.assert_allclose(middles.mean(axis=0), (13.5, 13.5), atol=0.1)
    assert 0.05 < middles.std() < 0.6, "a part of the displacement that was asked for, as the bends partly cancel"


def test_nothing_changes_where_all_ranges_are_zero(sample: Any) -> None:
    images = sample.x_test[:50]
    found = augment(images, Augmentation(), np.random.default_rng(0))
    assert np.array_equal(found, images) and found is not images


def test_the_state_of_the_generator_decides(sample: Any) -> None:
    assert HAND is not None
    images = sample.x_test[:20]
    one, same, other = (augment(images, HAND, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert (one != other).any(axis=(1, 2)).all()


def test_each_image_is_changed_in_its_own_way(sample: Any) -> None:
    assert HAND is not None
    found = augment(np.repeat(sample.x_test[:1], 20, axis=0), HAND, np.random.default_rng(0))
    assert len(np.unique(found, axis=0)) == 20


def test_a_digit_stays_a_digit(sample: Any) -> None:
    """Ink on black, about as much of it, and about where it was."""
    assert HAND is not None
    images = sample.x_test[:500]
    found = augment(images, HAND, np.random.default_rng(0))
    ink = found.sum(axis=(1, 2)) / images.sum(axis=(1, 2))
    assert ink.min() > 0.5 and ink.max() < 1.8
    assert 0.95 < ink.mean() < 1.1
    moved = [np.abs(moments(after)[0] - moments(before)[0]).max() for before, after in zip(images, found, strict=True)]
    assert max(moved) < 4 and np.mean(moved) > 0.3
    assert found.max(axis=(1, 2)).min() > 100


@given(
    st.builds(
        Augmentation,
        st.floats(0, 45),
        st.floats(0, 0.5),
        st.floats(0, 0.5),
        st.floats(0, 0.5),
        st.floats(0, 5),
        st.floats(0, 2),
        st.floats(0, 1),
    ),
    st.integers(0, 3),
    st.sampled_from([(28, 28), (56, 56), (28, 40)]),
    st.integers(0, 2**32),
)
def test_shape_and_kind_stay(how: Augmentation, count: int, size: tuple[int, int], seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (count, *size), dtype=np.uint8)
    images.setflags(write=False)  # as the data sets are
    found = augment(images, how, np.random.default_rng(seed))
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert np.array_equal(found, augment(images, how, np.random.default_rng(seed)))
    assert not augment(np.zeros_like(images), how, np.random.default_rng(seed)).any(), "no ink out of nothing"
