"""Each augmentation by itself, checked by where the ink must go."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.data import augmentation_preview
from mnist_core.data.augmentation import AUGMENTATIONS, Augmentation


def centroid(image: np.ndarray) -> tuple[float, float]:
    """Center of the ink, x and y."""
    mass = image.astype(float) / image.sum(dtype=float)
    return float((mass.sum(axis=0) * np.arange(28)).sum()), float((mass.sum(axis=1) * np.arange(28)).sum())


@pytest.fixture
def cross() -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    image[13:15, 8:20] = image[8:20, 13:15] = 255
    return image


@pytest.mark.parametrize("name", augmentation_preview.AUGMENTATION_NAMES)
def test_nothing_is_changed_by_nothing(cross: np.ndarray, name: str) -> None:
    assert (augmentation_preview.preview_one(cross, name, 0.0) == cross).all()
    unchanged = augmentation_preview.PREVIEW_POSITIONS.index(0.0) if name != "wobble" else 0
    assert (
        augmentation_preview.preview_one(cross, name, augmentation_preview.PREVIEW_LIMITS[name] / 4)[unchanged] == cross
    ).all()


def test_shift_moves_the_ink_by_its_pixels(cross: np.ndarray) -> None:
    x, y = centroid(cross)
    far = [centroid(image) for image in augmentation_preview.preview_one(cross, "shift", 4.0)]
    np.testing.assert_allclose(
        far, [(x - 4 * place, y - 4 * place) for place in augmentation_preview.PREVIEW_POSITIONS], atol=0.05
    )


def test_scale_and_thickness_change_the_amount_of_ink(cross: np.ndarray) -> None:
    for name, amount in (("scale", 0.3), ("thickness", 1.0)):
        ink = [int(image.sum(dtype=int)) for image in augmentation_preview.preview_one(cross, name, amount)]
        assert ink == sorted(ink) and len(set(ink)) == 5, name


def test_rotation_turns_a_line_by_its_degrees() -> None:
    line = np.zeros((28, 28), np.uint8)
    line[13:15, 4:24] = 255
    for place, image in zip(
        augmentation_preview.PREVIEW_POSITIONS, augmentation_preview.preview_one(line, "rotation", 40.0), strict=True
    ):
        y, x = np.nonzero(image > 127)
        slope = np.degrees(np.arctan(np.polyfit(x, y, 1)[0]))
        assert abs(abs(slope) - abs(40 * place)) < 3


def test_slant_leaves_rows_in_place(cross: np.ndarray) -> None:
    rows = cross.sum(axis=1, dtype=int)
    for image in augmentation_preview.preview_one(cross, "slant", 0.3):
        np.testing.assert_allclose(image.sum(axis=1, dtype=int), rows, rtol=0.02)


def test_wobble_grows(cross: np.ndarray) -> None:
    differences = [
        np.abs(image.astype(int) - cross).sum() for image in augmentation_preview.preview_one(cross, "wobble", 2.0)
    ]
    assert differences[0] == 0 and differences == sorted(differences) and differences[-1] > 1000


def test_all_together_is_what_a_training_draws(cross: np.ndarray) -> None:
    drawn = augmentation_preview.preview_all(cross, AUGMENTATIONS["hand"] or Augmentation(), 20)
    assert drawn.shape == (20, 28, 28)
    assert len({image.tobytes() for image in drawn}) == 20


def test_every_change_has_a_slider_and_a_unit() -> None:
    assert (
        set(augmentation_preview.PREVIEW_LIMITS)
        == set(augmentation_preview.AUGMENTATION_UNITS)
        == set(augmentation_preview.AUGMENTATION_NAMES)
    )
    usual = AUGMENTATIONS["hand"]
    assert all(
        0 < getattr(usual, name) < augmentation_preview.PREVIEW_LIMITS[name]
        for name in augmentation_preview.AUGMENTATION_NAMES
    )
