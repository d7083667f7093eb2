"""Principal component analysis: places images on a plane along the two directions in which they differ most.

After Pearson (1901) and Hotelling (1933). Uses SciPy, because importing scikit-learn takes longer than all of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import DataError

MIN_POINTS = 3
"""Two points always lie on one line."""

MAX_DENSE_WIDTH = 64
"""Values per image up to which the whole scatter matrix is computed."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through the values that keeps most of their variance.

    Attributes:
        mean: (W,) float64, the origin of the plane.
        axes: (2, W) float64, orthonormal. The largest weight of each is positive, so that a map is never mirrored.
        explained_variance: share of the total variance along each axis, 0..1.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    explained_variance: tuple[float, float]

    def project(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Projects (N, W) values to (N, 2) coordinates on the plane. Raises DataError if W differs from the plane's."""
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise DataError(
                f"Expected values of shape (N, {len(self.mean)}), got {values.shape}. Compute the plane again."
            )
        return np.asarray((values - self.mean) @ self.axes.T, np.float64)


def principal_plane(values: NDArray[np.floating[Any]]) -> Plane:
    """Computes the plane that keeps most of the variance.

    Args:
        values: (N, W), finite, with N of 3 or more and W of 2 or more.

    Raises:
        DataError: the values have another shape, or are not all finite.
    """
    if values.ndim != 2 or values.shape[0] < MIN_POINTS or values.shape[1] < 2 or not np.isfinite(values).all():
        raise DataError(
            f"Expected finite values of shape (N, W) with N of {MIN_POINTS} or more and W of 2 or more, got "
            f"{values.shape}. Choose more images or a wider layer."
        )
    mean = values.mean(axis=0, dtype=np.float64)
    centered = values - mean
    variances, axes = _two_largest(centered)
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(2), largest])[:, None]
    shares = variances.clip(0) / max(float(np.square(centered).sum()), 1e-12)
    return Plane(mean, axes, (float(shares[0]), float(shares[1])))


def _two_largest(centered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two largest eigenvalues of the scatter matrix, and their eigenvectors, (2, W)."""
    width = centered.shape[1]
    if width <= MAX_DENSE_WIDTH or not centered.any():  # Lanczos fails on narrow or all-zero matrices
        values, vectors = (
            np.linalg.eigh(centered.T @ centered) if centered.any() else (np.zeros(2), np.eye(width)[:, :2])
        )
    else:  # a flattened convolution has thousands of values: the whole matrix would take minutes
        from scipy.sparse.linalg import LinearOperator, eigsh  # type: ignore[import-untyped]

        scatter = LinearOperator((width, width), matvec=lambda v: centered.T @ (centered @ v), dtype=np.float64)
        values, vectors = eigsh(scatter, k=2, v0=np.random.default_rng(0).normal(size=width))
    return np.asarray(values[:-3:-1]), np.asarray(vectors[:, :-3:-1].T)


def flatten_pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Converts (N, H, W) uint8 images to (N, H * W) float32, 0..1."""
    return np.asarray(images.reshape(len(images), -1) / np.float32(255), np.float32)
