"""New digits out of old ones, as other hands would have written them: turned, slanted, stretched, shifted, wobbled,
thicker or thinner. Plain NumPy and OpenCV, so that the worker trains on exactly what the web page shows.

Places are counted in 32nds of a pixel and weights in 64ths. So every sum is exact in single precision, and a script
that does the same without OpenCV gets the same pixels: see `augment_source`.
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
_PLACES = 32  # of a pixel
_WEIGHTS = 64  # of a blend


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
    matrices = _affine(how, count, (height, width), generator)  # (N, 2, 3), from output to input pixels
    grid = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
    places = (matrices @ grid.reshape(3, -1)).reshape(count, 2, height, width)
    places += _bends(how, count, (height, width), generator)
    places = (np.rint(places * _PLACES) / _PLACES).astype(np.float32)
    weights = np.rint(generator.uniform(-how.thickness, how.thickness, (count,)) * _WEIGHTS) / _WEIGHTS
    changed = np.empty_like(images)
    for index in range(count):
        x, y = places[index]
        warped = np.asarray(cv2.remap(images[index], x, y, cv2.INTER_LINEAR), np.uint8)
        changed[index] = _thicken(warped, float(weights[index]))
    return changed


def _affine(
    how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float64]:
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
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _bends(
    how: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float64] | float:
    """(N, 2, H, W) displacements in pixels, of a coarse grid made smooth, after Simard et al. 2003; 0 for no wobble."""
    if how.wobble == 0:
        return 0.0
    grid = generator.normal(0, how.wobble * size[0] / 28, (count, 2, _WOBBLE_GRID, _WOBBLE_GRID))
    enlarged: NDArray[np.float64] = _enlargement(size[0]) @ grid @ _enlargement(size[1]).T
    return enlarged


@lru_cache(maxsize=4)
def _enlargement(size: int) -> NDArray[np.float64]:
    """(size, G) weights of the grid's points: as cv2.resize with INTER_CUBIC (a = -0.75), but in double precision."""
    places = (np.arange(size)[:, None] + 0.5) * _WOBBLE_GRID / size - 0.5
    points = np.arange(-2, _WOBBLE_GRID + 2)  # those outside are as the outermost
    far = np.abs(places - points)
    near_weights, far_weights = 1.25 * far**3 - 2.25 * far**2 + 1, -0.75 * (far**3 - 5 * far**2 + 8 * far - 4)
    weights: NDArray[np.float64] = np.where(far < 1, near_weights, far_weights) * (far < 2)
    return np.asarray(weights @ np.eye(_WOBBLE_GRID)[points.clip(0, _WOBBLE_GRID - 1)])


def _thicken(image: Images, weight: float) -> Images:
    """Blends the image with its dilation (weight above 0) or its erosion (below 0)."""
    if weight == 0:
        return image
    other = cv2.dilate(image, _CROSS) if weight > 0 else cv2.erode(image, _CROSS)
    return np.asarray(cv2.addWeighted(image, 1 - abs(weight), other, abs(weight), 0), np.uint8)
