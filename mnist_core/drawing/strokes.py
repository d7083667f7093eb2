"""Pen strokes: fitted to one size, rendered with a brush, and varied as if another hand had written them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Strokes = tuple[NDArray[np.float32], ...]
"""One (n, 2) float32 array of x, y per stroke, y down."""

Points = NDArray[np.float64]
Canvas = NDArray[np.uint8]

EXTENT = 1000.0
"""The longer side of fitted strokes."""
CANVAS_SIDE = 280
"""The side of the page's canvas, in pixels."""

_OVERSAMPLING = 4  # lines are drawn this many times larger, then averaged
_FRACTION_BITS = 6  # OpenCV takes coordinates in fixed point: 1/64 pixel


@dataclass(frozen=True, eq=False)
class PenDigit:
    """A digit as a pen wrote it.

    Attributes:
        label: 0..9.
        writer: a name or number of the person, the same for all of that person's digits.
        strokes: in the order of writing, fitted, read-only. A stroke of a single point is a dot.
    """

    label: int
    writer: str
    strokes: Strokes


def fit_strokes(strokes: Iterable[ArrayLike]) -> Strokes:
    """Shifts and scales strokes so that their box starts at 0, 0 and its longer side is EXTENT.

    Args:
        strokes: at least one, each (n, 2) with n of at least 1: x, y in any unit, y down.

    Returns:
        As many strokes, read-only.
    """
    arrays = [np.asarray(stroke, np.float64).reshape(-1, 2) for stroke in strokes]
    together = np.concatenate(arrays)
    low = together.min(axis=0)
    extent = float((together.max(axis=0) - low).max())
    scale = EXTENT / extent if extent > 0 else 1.0  # a single dot has no size
    fitted = tuple(((array - low) * scale).astype(np.float32) for array in arrays)
    for array in fitted:
        array.setflags(write=False)
    return fitted


def render_strokes(
    strokes: Strokes, width: float, size: float, center: tuple[float, float] | None = None, side: int = CANVAS_SIDE
) -> Canvas:
    """Draws strokes as the page's canvas does: with round ends and corners, smooth edges and a single ink.

    Args:
        strokes: in any unit.
        width: brush width in pixels.
        size: the longer side of the box around the pen's path, in pixels. The ink extends half a brush beyond it.
        center: the middle of that box as x, y in pixels from the upper left corner; by default that of the canvas.
        side: side of the canvas in pixels.

    Returns:
        (side, side) uint8: 0 paper, 255 ink.
    """
    together = np.concatenate(strokes)
    low, high = together.min(axis=0), together.max(axis=0)
    scale = size / max(float((high - low).max()), 1e-6)
    middle = np.array(center or (side / 2, side / 2))
    reach = (high - low) / 2 * scale + width / 2 + 1
    left, top = np.clip(np.floor(middle - reach), 0, side).astype(int).tolist()
    right, bottom = np.clip(np.ceil(middle + reach), 0, side).astype(int).tolist()
    canvas = np.zeros((side, side), np.uint8)
    if left < right and top < bottom:
        paths = [(stroke - (low + high) / 2) * scale + middle - (left, top) for stroke in strokes]
        canvas[top:bottom, left:right] = _ink(paths, width, (right - left, bottom - top))
    return canvas


def _ink(paths: list[Points], width: float, size: tuple[int, int]) -> Canvas:
    """Draws paths in pixels on (height, width) uint8. OpenCV's own smooth lines are 1.4 pixels too wide, these 0.2."""
    large = np.zeros((size[1] * _OVERSAMPLING, size[0] * _OVERSAMPLING), np.uint8)
    thickness = max(1, round(width * _OVERSAMPLING))
    for path in paths:
        # OpenCV counts from the middle of the first pixel, the canvas from its corner.
        points = np.round((path * _OVERSAMPLING - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)
        if len(points) == 1:
            radius = thickness << _FRACTION_BITS - 1
            cv2.circle(large, points[0].tolist(), radius, 255, cv2.FILLED, cv2.LINE_8, _FRACTION_BITS)
        else:
            cv2.polylines(large, [points], False, 255, thickness, cv2.LINE_8, _FRACTION_BITS)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)


# How much `vary_strokes` changes: standard deviations, and lengths in units of EXTENT = 1000.
_ROTATION = 6.0  # degrees
_SLANT = 0.14  # sideways per unit of height
_STRETCH = 0.12  # of the logarithm of width / height
_BEND = 26.0  # displacement by each long wave across the paper; strokes that touch still do
_SWAY = 0.01  # the hand's deviation from its path, relative to the wavelength
_DRIFT = 14.0  # displacement of a whole stroke
_OVERSHOOT = 35.0  # most that is trimmed from or added to either end
_SPACING = (14.0, 42.0)  # range of distances between two points: tablets differ
_SHORT = 60.0  # a shorter stroke, a dot or a tick, keeps its length


def vary_strokes(strokes: Strokes, generator: np.random.Generator) -> Strokes:
    """Returns the same digit as if another hand had written it.

    It is rotated, slanted, stretched and bent, its strokes start and end a little sooner or later and meet less
    exactly, and the tablet samples other points. Normal draws are clipped at two standard deviations.

    Args:
        strokes: fitted.
        generator: draws the changes; the same state gives the same strokes.

    Returns:
        As many strokes, fitted.
    """
    drift = _DRIFT if len(strokes) > 1 else 0.0
    rewritten = [
        _rewrite(stroke.astype(np.float64), generator) + _clipped_normal(drift, 2, generator) for stroke in strokes
    ]
    together = np.concatenate(rewritten)
    together = _bend(together, generator) @ _random_matrix(generator).T
    return fit_strokes(np.split(together, np.cumsum([len(stroke) for stroke in rewritten])[:-1]))


def _clipped_normal(deviation: float, count: int, generator: np.random.Generator) -> Points:
    """Returns (count,) normal numbers, clipped at two standard deviations."""
    return deviation * np.clip(generator.standard_normal(count), -2, 2)


def _random_matrix(generator: np.random.Generator) -> Points:
    """Returns a (2, 2) matrix that stretches, then slants, then rotates."""
    angle, slant, stretch = _clipped_normal(1.0, 3, generator) * (np.deg2rad(_ROTATION), _SLANT, _STRETCH / 2)
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(rotation @ np.array([[np.exp(stretch), -slant], [0.0, np.exp(-stretch)]]))


def _bend(points: Points, generator: np.random.Generator) -> Points:
    """Moves (n, 2) points by long waves across the paper. Strokes that touch still do."""
    angles = generator.uniform(0, 2 * np.pi, (2, 3, 2))  # axis, wave, (direction, phase)
    length = generator.uniform(700, 1600, (2, 3))
    directions = np.stack([np.cos(angles[..., 0]), np.sin(angles[..., 0])], axis=-1) / length[..., None]  # (2, 3, 2)
    phases = 2 * np.pi * np.einsum("awd,nd->naw", directions, points) + angles[..., 1]
    return np.asarray(points + _BEND * np.sin(phases).sum(axis=2))


def _rewrite(points: Points, generator: np.random.Generator) -> Points:
    """Follows one stroke's path again: with other ends, other sampling and a hand that sways."""
    distances = _distances_along(points)
    if distances[-1] < _SHORT:
        return points
    points, distances = _extend(points, distances)
    reach = min(_OVERSHOOT, 0.08 * distances[-1])
    begin, end = generator.uniform(-reach, reach, 2)
    samples = _sample_distances(begin, distances[-1] - end, generator)
    moved = np.stack([np.interp(samples, distances, points[:, axis]) for axis in (0, 1)], axis=1)
    return moved + _sway(samples, generator)


def _distances_along(points: Points) -> Points:
    """Returns (n,) the length of the path up to each point."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _extend(points: Points, distances: Points) -> tuple[Points, Points]:
    """Lengthens a path straight at both ends by _OVERSHOOT; returns its points and the distances along it."""
    near, far = np.searchsorted(distances, (_SHORT / 2, distances[-1] - _SHORT / 2))
    begin, end = points[0] - points[near], points[-1] - points[max(far - 1, 0)]
    scales = [_OVERSHOOT / max(float(np.hypot(*direction)), 1e-6) for direction in (begin, end)]
    longer = np.concatenate([[points[0] + scales[0] * begin], points, [points[-1] + scales[1] * end]])
    return longer, np.concatenate([[-_OVERSHOOT], distances, [distances[-1] + _OVERSHOOT]])


def _sample_distances(begin: float, end: float, generator: np.random.Generator) -> Points:
    """Returns where along the path a tablet samples its points: almost evenly."""
    count = max(2, round((end - begin) / generator.uniform(*_SPACING)))
    samples = np.linspace(begin, end, count + 1)
    samples[1:-1] += generator.uniform(-0.3, 0.3, count - 1) * (end - begin) / count
    return samples


def _sway(samples: Points, generator: np.random.Generator) -> Points:
    """Returns (n, 2) slow deviations of the hand along its path."""
    phases = generator.uniform(0, 2 * np.pi, (3, 2))
    lengths = generator.uniform(250, 1000, (3, 2))
    waves = _SWAY * lengths * np.sin(2 * np.pi * samples[:, None, None] / lengths + phases)  # (n, 3, 2)
    return np.asarray(waves.sum(axis=1))
