"""Distortions against what they say they do, measured on the pixels, and the accuracy against a count by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import uncenter_images
from mnist_core.evaluation import robustness
from mnist_core.evaluation.robustness import DISTORTIONS, PREPARATIONS, SIDES, balanced_subset, preparations_for
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_mnist("sample").x_test[:40]


def centroids(images: np.ndarray) -> np.ndarray:
    """(N, 2): x and y of each image's centre of mass, by OpenCV's moments."""
    found = [cv2.moments(image) for image in images]
    return np.array([(each["m10"] / each["m00"], each["m01"] / each["m00"]) for each in found])


def ink(images: np.ndarray) -> np.ndarray:
    return images.sum(axis=(1, 2), dtype=float)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_neutral_level_changes_nothing_and_every_other_one_does(digits: np.ndarray, name: str) -> None:
    how, before = DISTORTIONS[name], digits.copy()
    assert how.title and how.unit and list(how.levels) == sorted(set(how.levels))
    assert np.array_equal(how.apply(digits, how.neutral), before)
    for level in set(how.levels) - {how.neutral}:
        changed = how.apply(digits, level)
        assert (changed.dtype, changed.shape) == (np.uint8, digits.shape)
        least = 0.3 if name == "occlusion" else 0.9  # a small square may miss the ink
        assert (changed != before).any(axis=(1, 2)).mean() > least, level
        assert np.array_equal(how.apply(digits, level), changed), "not the same a second time"
    assert np.array_equal(digits, before), "the images themselves were changed"


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_required_distortion_exists(name: str) -> None:
    asked = "rotation shift scale stroke_width noise blur occlusion contrast inversion".replace("_", "-").split()
    assert sorted(DISTORTIONS) == sorted(each.replace("-", " ") for each in asked)
    ranges = {"rotation": (-60, 60), "shift": (0, 10)}
    levels = DISTORTIONS[name].levels
    assert DISTORTIONS[name].neutral in levels
    assert (levels[0], levels[-1]) == ranges.get(name, (levels[0], levels[-1]))


def test_rotation_is_clockwise() -> None:
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 6:14, 13:15] = 255  # from the middle straight up
    x, y = centroids(robustness.rotate(bar, 30))[0] - 13.5
    assert np.degrees(np.arctan2(x, -y)) == pytest.approx(30, abs=1)
    assert np.hypot(x, y) == pytest.approx(4, abs=0.1)


def test_scale_changes_the_sides() -> None:
    square = np.zeros((1, 28, 28), np.uint8)
    square[0, 8:20, 8:20] = 255
    for factor in (0.5, 0.8, 1.3):
        scaled = robustness.scale(square, factor)
        assert ink(scaled)[0] == pytest.approx(255 * (12 * factor) ** 2, rel=0.05)
        np.testing.assert_allclose(centroids(scaled)[0], 13.5, atol=0.1)


def test_shift_moves_by_whole_pixels_in_four_directions_by_turns(digits: np.ndarray) -> None:
    inner = np.zeros_like(digits)
    inner[:, 4:24, 4:24] = digits[:, 4:24, 4:24]  # so that nothing leaves the picture
    moved = centroids(robustness.shift(inner, 3)) - centroids(inner)
    for index, by in enumerate(moved):
        np.testing.assert_allclose(by, 3 * np.array(SIDES[index % 4]), atol=1e-9)
    far = robustness.shift(digits, 10)
    assert (far[0::4, :, :10] == 0).all() and (far[1::4, :10] == 0).all()
    assert (far[2::4, :, 18:] == 0).all() and (far[3::4, 18:] == 0).all()
    assert np.array_equal(far[0][:, 10:], digits[0][:, :18])


@pytest.mark.parametrize("change", [-2, -1, 1, 3])
def test_strokes_get_wider_and_thinner_by_the_pixels_given(change: float) -> None:
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, :, 11:16] = 255  # five pixels wide
    changed = robustness.stroke(bar, change)[0, 14] / 255
    assert changed.sum() == pytest.approx(5 + change, abs=0.3)


def test_noise_has_its_standard_deviation() -> None:
    grey = np.full((50, 28, 28), 128, np.uint8)
    noisy = robustness.noise(grey, 20).astype(float)
    assert noisy.mean() == pytest.approx(128, abs=0.5) and noisy.std() == pytest.approx(20, rel=0.02)


def test_blur_is_gaussian() -> None:
    point = np.zeros((1, 28, 28), np.uint8)
    point[0, 14, 14] = 255
    blurred = robustness.blur(point, 1.0)[0].astype(float)
    expected = 255 / (2 * np.pi) * np.exp(-((np.arange(28) - 14) ** 2) / 2)
    np.testing.assert_allclose(blurred[14], expected, atol=1.5)


def test_occlusion_covers_a_square_of_that_side() -> None:
    white = np.full((60, 28, 28), 255, np.uint8)
    for side in (2, 6, 12):
        black = robustness.occlude(white, side) == 0
        assert (black.sum(axis=(1, 2)) <= side**2).all() and (black.sum(axis=(1, 2)) == side**2).mean() > 0.5
        assert (np.ptp(np.argwhere(black[0]), axis=0) < side).all()
    small, large = (robustness.occlude(white, side) == 0 for side in (4, 10))
    assert not (small & ~large).any()  # about the same middle
    assert len({tuple(np.argwhere(each)[0]) for each in small}) > 20


def test_contrast_and_inversion_by_hand() -> None:
    levels = np.array([0, 100, 200, 255], np.uint8)
    images = np.broadcast_to(levels[:, None, None], (4, 28, 28))
    assert robustness.contrast(images, 0.1)[:, 0, 0].tolist() == [0, 10, 20, 26]  # 25.5 to the even one
    assert robustness.contrast(images, 2)[:, 0, 0].tolist() == [0, 200, 255, 255]
    assert robustness.invert(images, 1)[:, 0, 0].tolist() == [255, 155, 55, 0]
    assert robustness.invert(images, 0.2)[:, 0, 0].tolist() == [51, 111, 171, 204]
    assert len(np.unique(robustness.invert(images, 0.5))) == 1


def test_subset_is_balanced_and_always_the_same() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 5000).astype(np.uint8)
    chosen = balanced_subset(labels, 500)
    assert np.bincount(labels[chosen]).tolist() == [50] * 10
    assert (np.diff(chosen) > 0).all() and np.array_equal(chosen, balanced_subset(labels, 500))
    assert len(balanced_subset(labels[:30], 500)) == 30


def test_accuracy_falls_as_digits_are_distorted(digits: np.ndarray) -> None:
    labels, model = load_mnist("sample").y_test[:40], Classifier(DEFAULT_MODEL)
    turn = DISTORTIONS["rotation"]
    right = [int(reading.digit == label) for reading, label in zip(model.predict_all(digits), labels, strict=True)]
    assert robustness.accuracy_at(model, digits, labels, turn, 0) == pytest.approx(np.mean(right))
    assert robustness.accuracy_at(model, digits, labels, DISTORTIONS["inversion"], 0.5) < 0.5


def test_a_digit_in_a_field_is_resized_or_normalized(digits: np.ndarray) -> None:
    fields = uncenter_images(digits[:8], np.random.RandomState(0))
    assert preparations_for(56) == ["unchanged"] and set(preparations_for(28)) | {"unchanged"} == set(PREPARATIONS)
    assert np.array_equal(PREPARATIONS["unchanged"][1](fields), fields)
    means = fields.reshape(8, 28, 2, 28, 2).mean(axis=(2, 4))  # each 2×2 block, by hand
    np.testing.assert_allclose(PREPARATIONS["plain resize"][1](fields), means, atol=0.51)
    normalized = PREPARATIONS["normalized"][1](fields)
    assert normalized.shape == (8, 28, 28)
    centers = centroids(normalized)
    assert ((centers > 13) & (centers < 15)).all()
