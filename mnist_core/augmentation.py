"""New digits out of old ones, as other hands would have written them: turned, slanted, stretched, shifted, wobbled,
thicker or thinner. Plain NumPy and OpenCV, so that the worker trains on exactly what the web page shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How far a digit may be changed. Each range is symmetric: `rotation=15` draws from -15..15 degrees.

    Attributes:
        rotation: degrees.
        slant: horizontal shear, in pixels sideways a pixel of height.
        scale: relative size; 0.1 draws from 0.9..1.1.
        stretch: relative width against height.
        shift: pixels on each axis.
        wobble: standard deviation of the elastic displacement, in pixels of 28.
        thickness: 0 keeps the stroke; 1 at most dilates or erodes it by a whole pixel.
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
_WOBBLE_GRID = 5  # control points an axis: bends as wide as a pen makes them, not noise


def augment(images: Images, how: Augmentation, generator: np.random.Generator) -> Images:
    """One changed copy of each image.

    Args:
        images: (N, H, W) uint8, ink bright on black.
        how: the ranges to draw from.
        generator: where the draws come from; the same state gives the same images.

    Returns:
        (N, H, W) uint8.
    """
    count, height, width = images.shape
    matrices = _affine(how, count, (height, width), generator)  # (N, 2, 3) float32, from output to input pixels
    bends = _bends(how, count, (height, width), generator)
    weights = generator.uniform(-how.thickness, how.thickness, (count,)).tolist()
    grid = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))]).astype(np.float32)
    changed = np.empty_like(images)
    for index in range(count):
        x, y = (matrices[index] @ grid.reshape(3, -1)).reshape(2, height, width)
        if bends is not None:
            x = x + cv2.resize(bends[index, 0], (width, height), interpolation=cv2.INTER_CUBIC)
            y = y + cv2.resize(bends[index, 1], (width, height), interpolation=cv2.INTER_CUBIC)
        warped = np.asarray(cv2.remap(images[index], x, y, cv2.INTER_LINEAR), np.uint8)
        changed[index] = _thicken(warped, weights[index])
    return changed


def _affine(
    how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """(N, 2, 3) matrices that take an output pixel to the input pixel it shows, about the middle of the image."""
    angle = np.deg2rad(generator.uniform(-how.rotation, how.rotation, count))
    slant = generator.uniform(-how.slant, how.slant, count)
    scale = 1 + generator.uniform(-how.scale, how.scale, count)
    stretch = np.sqrt(1 + generator.uniform(-how.stretch, how.stretch, count))
    shift = generator.uniform(-how.shift, how.shift, (count, 2))
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]]).transpose(2, 0, 1)  # (N, 2, 2)
    lean = np.tile(np.eye(2), (count, 1, 1))
    lean[:, 0, 1] = slant
    size_of = np.zeros((count, 2, 2))
    size_of[:, 0, 0], size_of[:, 1, 1] = 1 / (scale * stretch), stretch / scale
    linear = turn @ lean @ size_of
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    offset = middle - linear @ middle + shift
    return np.concatenate([linear, offset[:, :, None]], axis=2).astype(np.float32)


def _bends(
    how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float32] | None:
    """(N, 2, G, G) displacements of a coarse grid in pixels, after Simard et al. 2003; None where nothing wobbles."""
    if how.wobble == 0:
        return None
    deviation = how.wobble * size[0] / 28
    return generator.normal(0, deviation, (count, 2, _WOBBLE_GRID, _WOBBLE_GRID)).astype(np.float32)


def _thicken(image: Images, weight: float) -> Images:
    """Blends the image with its dilation (weight above 0) or its erosion (below 0)."""
    if weight == 0:
        return image
    other = cv2.dilate(image, _CROSS) if weight > 0 else cv2.erode(image, _CROSS)
    return np.asarray(cv2.addWeighted(image, 1 - abs(weight), other, abs(weight), 0), np.uint8)
