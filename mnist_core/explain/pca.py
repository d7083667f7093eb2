"""Many numbers for each image -> two, so that it can be put on a map: principal component analysis.

The two directions along which the images differ most (Pearson 1901, Hotelling 1933). With SciPy, and not scikit-learn,
whose import takes longer than all of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import DataError

MIN_POINTS = 3  # points: two always lie on a line
MAX_DENSE_WIDTH = 64  # values


@dataclass(frozen=True, eq=False)
class Plane:
    """Where a map lies among the values that it was made of.

    Attributes:
        mean: (W,) float64, its middle.
        axes: (2, W) float64, orthonormal; the largest weight of each is positive, so that a map is never mirrored.
        shares: of the whole variance along each axis, 0..1.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    shares: tuple[float, float]

    def project(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(N, W) values -> (N, 2) places on the map. Raises DataError where W is another."""
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise DataError(f"Expected values of shape (N, {len(self.mean)}), got {values.shape}. Make the map anew.")
        return np.asarray((values - self.mean) @ self.axes.T, np.float64)


def principal_plane(values: NDArray[np.floating[Any]]) -> Plane:
    """The plane that keeps most of the variance.

    Args:
        values: (N, W), N of 3 or more, W of 2 or more, finite.

    Raises:
        DataError: fewer values than that, or one that is no number.
    """
    if values.ndim != 2 or values.shape[0] < MIN_POINTS or values.shape[1] < 2 or not np.isfinite(values).all():
        raise DataError(
            f"A map needs finite values of shape (N, W), N of {MIN_POINTS} and W of 2 or more; got {values.shape}. Take "
            "more images, or a layer that is wider."
        )
    mean = values.mean(axis=0, dtype=np.float64)
    centred = values - mean
    variances, axes = _two_largest(centred)
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(2), largest])[:, None]
    shares = variances.clip(0) / max(float(np.square(centred).sum()), 1e-12)
    return Plane(mean, axes, (float(shares[0]), float(shares[1])))


def _two_largest(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two largest eigenvalues of the scatter matrix, and their vectors, (2, W)."""
    width = centred.shape[1]
    if width <= MAX_DENSE_WIDTH or not centred.any():  # Lanczos needs room, and something to find
        values, vectors = np.linalg.eigh(centred.T @ centred) if centred.any() else (np.zeros(2), np.eye(width)[:, :2])
    else:  # a flattened convolution has thousands of values: the whole matrix would take minutes
        from scipy.sparse.linalg import LinearOperator, eigsh  # type: ignore[import-untyped]

        scatter = LinearOperator((width, width), matvec=lambda v: centred.T @ (centred @ v), dtype=np.float64)
        values, vectors = eigsh(scatter, k=2, v0=np.random.default_rng(0).normal(size=width))
    return np.asarray(values[:-3:-1]), np.asarray(vectors[:, :-3:-1].T)


def flatten_pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, H, W) uint8 -> (N, H * W) float32, 0..1."""
    return np.asarray(images.reshape(len(images), -1) / np.float32(255), np.float32)
