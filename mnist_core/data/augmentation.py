"""Augments digits: rotates, slants, scales, stretches, shifts, wobbles, and makes them thicker or thinner.

It needs only NumPy and OpenCV, so the Data page shows exactly what the worker trains on. Positions are rounded to 1/32
pixel and blend weights to 1/64. Every sum is therefore exact in single precision, and the exported script, which does
the same without OpenCV, gets the same pixels (mnist_core/export/numpy_augment.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How much a digit may change. Each range is symmetric: `rotation=15` draws from -15..15 degrees.

    Attributes:
        rotation: degrees.
        slant: horizontal shear, in pixels per pixel of height.
        scale: relative size; 0.1 draws from 0.9..1.1.
        stretch: change of the ratio of width to height; 0.1 draws from 0.9..1.1.
        shift: pixels on each axis.
        wobble: standard deviation of the elastic displacement, in pixels of a 28-pixel image.
        thickness: weight of the dilated or eroded digit in the blend; 1 is up to a whole pixel on each side.
    """

    rotation: float = 0.0
    slant: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    shift: float = 0.0
    wobble: float = 0.0
    thickness: float = 0.0


AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "hand": Augmentation(rotation=15, slant=0.2, scale=0.1, stretch=0.1, shift=1.5, wobble=0.6, thickness=0.4),
}

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_WOBBLE_GRID = 5  # control points per axis: bends as wide as a hand makes them, not noise
_STEPS_PER_PIXEL = 32
_WEIGHT_STEPS = 64


def augment(images: Images, ranges: Augmentation, generator: np.random.Generator) -> Images:
    """Returns a randomly changed copy of each image.

    Args:
        images: (N, H, W) uint8, ink bright on black.
        ranges: how much each property may change.
        generator: draws the changes; the same state gives the same images.

    Returns:
        (N, H, W) uint8.
    """
    count, height, width = images.shape
    matrices = _affine_matrices(ranges, count, (height, width), generator)  # from output to input pixels
    grid = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
    positions = (matrices @ grid.reshape(3, -1)).reshape(count, 2, height, width)
    positions += _wobble(ranges, count, (height, width), generator)
    positions = (np.rint(positions * _STEPS_PER_PIXEL) / _STEPS_PER_PIXEL).astype(np.float32)
    weights = np.rint(generator.uniform(-ranges.thickness, ranges.thickness, (count,)) * _WEIGHT_STEPS) / _WEIGHT_STEPS
    augmented = np.empty_like(images)
    for index in range(count):
        x, y = positions[index]
        warped = np.asarray(cv2.remap(images[index], x, y, cv2.INTER_LINEAR), np.uint8)
        augmented[index] = _thicken(warped, float(weights[index]))
    return augmented


def _affine_matrices(
    ranges: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Returns (N, 2, 3) random matrices from output to input pixels, around the middle of the image."""
    angle = np.deg2rad(generator.uniform(-ranges.rotation, ranges.rotation, count))
    slant = generator.uniform(-ranges.slant, ranges.slant, count)
    scale = 1 + generator.uniform(-ranges.scale, ranges.scale, count)
    stretch = np.sqrt(1 + generator.uniform(-ranges.stretch, ranges.stretch, count))
    shift = generator.uniform(-ranges.shift, ranges.shift, (count, 2))
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]]).transpose(2, 0, 1)  # (N, 2, 2)
    shear = np.tile(np.eye(2), (count, 1, 1))
    shear[:, 0, 1] = slant
    zoom = np.zeros((count, 2, 2))
    zoom[:, 0, 0], zoom[:, 1, 1] = 1 / (scale * stretch), stretch / scale
    linear = rotation @ shear @ zoom
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    offset = middle - linear @ middle + shift
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _wobble(
    ranges: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float64] | float:
    """Returns (N, 2, H, W) displacements in pixels: a coarse random grid, enlarged (after Simard et al. 2003)."""
    if ranges.wobble == 0:
        return 0.0
    grid = generator.normal(0, ranges.wobble * size[0] / 28, (count, 2, _WOBBLE_GRID, _WOBBLE_GRID))
    enlarged: NDArray[np.float64] = _enlargement(size[0]) @ grid @ _enlargement(size[1]).T
    return enlarged


@lru_cache(maxsize=4)
def _enlargement(size: int) -> NDArray[np.float64]:
    """Returns (size, G) weights that enlarge the grid like cv2.resize with INTER_CUBIC, but in double precision.

    The kernel is that of Keys 1981, with a = -0.75 as in OpenCV.
    """
    positions = (np.arange(size)[:, None] + 0.5) * _WOBBLE_GRID / size - 0.5
    points = np.arange(-2, _WOBBLE_GRID + 2)  # outside the grid, the outermost points are repeated
    distance = np.abs(positions - points)
    near_weights = 1.25 * distance**3 - 2.25 * distance**2 + 1
    far_weights = -0.75 * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    weights: NDArray[np.float64] = np.where(distance < 1, near_weights, far_weights) * (distance < 2)
    return np.asarray(weights @ np.eye(_WOBBLE_GRID)[points.clip(0, _WOBBLE_GRID - 1)])


def _thicken(image: Images, weight: float) -> Images:
    """Blends the image with its dilation (weight above 0) or its erosion (below 0)."""
    if weight == 0:
        return image
    other = cv2.dilate(image, _CROSS) if weight > 0 else cv2.erode(image, _CROSS)
    return np.asarray(cv2.addWeighted(image, 1 - abs(weight), other, abs(weight), 0), np.uint8)
