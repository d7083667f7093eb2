"""The map of digits against scikit-learn's PCA; and the single augmentations, against where the ink must go."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mnist_core.charts import data as data_charts
from mnist_core.data import augmentation_preview
from mnist_core.data.augmentation import AUGMENTATIONS, Augmentation
from mnist_core.errors import DataError
from mnist_core.explain import pca


@pytest.fixture(scope="module")
def values(sample: Any) -> np.ndarray:
    return pca.flatten_pixels(sample.x_train[:500])


def test_axes_shares_and_places_are_those_of_scikit_learn(values: np.ndarray) -> None:
    plane, known = pca.principal_plane(values), PCA(2, svd_solver="full").fit(values.astype(np.float64))
    signs = np.sign((plane.axes * known.components_).sum(axis=1))
    assert np.abs(signs).tolist() == [1, 1]
    np.testing.assert_allclose(plane.axes, known.components_ * signs[:, None], atol=1e-4)
    np.testing.assert_allclose(plane.shares, known.explained_variance_ratio_, atol=1e-5)
    np.testing.assert_allclose(plane.project(values), known.transform(values) * signs, atol=1e-3)


@pytest.mark.parametrize("width", [2, pca.MAX_DENSE_WIDTH, pca.MAX_DENSE_WIDTH + 1, 2000])
def test_axes_of_few_and_of_many_values(width: int) -> None:
    values = np.random.default_rng(1).normal(size=(90, width)) * np.linspace(9, 1, width) ** 2
    plane, known = pca.principal_plane(values), PCA(2, svd_solver="full").fit(values)
    np.testing.assert_allclose(plane.shares, known.explained_variance_ratio_, rtol=1e-6)
    np.testing.assert_allclose(np.abs((plane.axes * known.components_).sum(axis=1)), [1, 1], atol=1e-6)


def test_new_images_fall_where_old_ones_like_them_lie(values: np.ndarray) -> None:
    plane = pca.principal_plane(values)
    np.testing.assert_allclose(plane.project(values[7:8])[0], plane.project(values)[7], atol=1e-9)


def test_a_map_is_never_mirrored(values: np.ndarray) -> None:
    axes = pca.principal_plane(values).axes
    assert (axes[np.arange(2), np.abs(axes).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-9)


@pytest.mark.parametrize("width", [2, 300])
def test_values_on_a_line_have_one_axis(width: int) -> None:
    direction = np.zeros(width)
    direction[:2] = 3, 4
    plane = pca.principal_plane(np.outer(np.arange(5.0), direction))
    np.testing.assert_allclose(plane.shares, (1, 0), atol=1e-9)
    np.testing.assert_allclose(plane.axes[0], direction / 5, atol=1e-9)


@pytest.mark.parametrize("width", [6, 784])
def test_equal_images_lie_on_one_point(width: int) -> None:
    plane = pca.principal_plane(np.ones((4, width)))
    assert plane.shares == (0, 0)
    assert (plane.project(np.ones((4, width))) == 0).all()


@pytest.mark.parametrize("wrong", [np.ones((2, 5)), np.ones((5, 1)), np.ones(5), np.full((5, 3), np.nan)])
def test_what_makes_no_map_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match="A map needs"):
        pca.principal_plane(wrong)


def test_values_of_another_width_are_refused(values: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"\(N, 784\).*\(3, 10\)"):
        pca.principal_plane(values).project(np.zeros((3, 10)))


def test_map_of_5000_stays_below_three_megabytes(sample: Any) -> None:
    images = np.concatenate([sample.x_train, sample.x_test])
    light = [data_charts.compact_data_url(image) for image in images]
    labels = np.concatenate([sample.y_train, sample.y_test])
    places = np.linspace(-9.99, 9.99, 2 * len(images)).reshape(-1, 2)
    drawn = data_charts.digit_map(places, labels, light, (0.1, 0.07), (1.0, 2.0, light[0])).to_dict()
    assert sorted(map(len, drawn["datasets"].values())) == [1, 5000]
    assert len(json.dumps(drawn)) < 3_000_000
    (own,) = min(drawn["datasets"].values(), key=len)
    assert (own["x"], own["y"], own["what"]) == (1.0, 2.0, "your drawing")


def centroid(image: np.ndarray) -> tuple[float, float]:
    """Centre of the ink, x and y."""
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
