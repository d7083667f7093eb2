"""Principal component analysis, compared with scikit-learn's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mnist_core.errors import DataError
from mnist_core.explain import pca


@pytest.fixture(scope="module")
def values(sample: Any) -> np.ndarray:
    return pca.flatten_pixels(sample.x_train[:500])


def test_axes_variance_and_coordinates_match_scikit_learn(values: np.ndarray) -> None:
    plane, known = pca.principal_plane(values), PCA(2, svd_solver="full").fit(values.astype(np.float64))
    signs = np.sign((plane.axes * known.components_).sum(axis=1))
    assert np.abs(signs).tolist() == [1, 1]
    np.testing.assert_allclose(plane.axes, known.components_ * signs[:, None], atol=1e-4)
    np.testing.assert_allclose(plane.explained_variance, known.explained_variance_ratio_, atol=1e-5)
    np.testing.assert_allclose(plane.project(values), known.transform(values) * signs, atol=1e-3)


@pytest.mark.parametrize("width", [2, pca.MAX_DENSE_WIDTH, pca.MAX_DENSE_WIDTH + 1, 2000])
def test_narrow_and_wide_values_match_scikit_learn(width: int) -> None:
    values = np.random.default_rng(1).normal(size=(90, width)) * np.linspace(9, 1, width) ** 2
    plane, known = pca.principal_plane(values), PCA(2, svd_solver="full").fit(values)
    np.testing.assert_allclose(plane.explained_variance, known.explained_variance_ratio_, rtol=1e-6)
    np.testing.assert_allclose(np.abs((plane.axes * known.components_).sum(axis=1)), [1, 1], atol=1e-6)


def test_equal_images_have_equal_coordinates(values: np.ndarray) -> None:
    plane = pca.principal_plane(values)
    np.testing.assert_allclose(plane.project(values[7:8])[0], plane.project(values)[7], atol=1e-9)


def test_axes_are_orthonormal_and_never_mirrored(values: np.ndarray) -> None:
    axes = pca.principal_plane(values).axes
    assert (axes[np.arange(2), np.abs(axes).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-9)


@pytest.mark.parametrize("width", [2, 300])
def test_values_on_a_line_vary_along_one_axis(width: int) -> None:
    direction = np.zeros(width)
    direction[:2] = 3, 4
    plane = pca.principal_plane(np.outer(np.arange(5.0), direction))
    np.testing.assert_allclose(plane.explained_variance, (1, 0), atol=1e-9)
    np.testing.assert_allclose(plane.axes[0], direction / 5, atol=1e-9)


@pytest.mark.parametrize("width", [6, 784])
def test_identical_images_lie_on_one_point(width: int) -> None:
    plane = pca.principal_plane(np.ones((4, width)))
    assert plane.explained_variance == (0, 0)
    assert (plane.project(np.ones((4, width))) == 0).all()


def test_too_few_narrow_or_infinite_values_are_refused() -> None:
    for wrong in (np.ones((2, 5)), np.ones((5, 1)), np.ones(5), np.full((5, 3), np.nan)):
        with pytest.raises(DataError, match=re.escape(str(wrong.shape))):
            pca.principal_plane(wrong)


def test_projecting_values_of_another_width_is_refused(values: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"\(N, 784\).*\(3, 10\)"):
        pca.principal_plane(values).project(np.zeros((3, 10)))
