"""Strokes of a pen: brought to one size, drawn with a brush, and written once more by another hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Strokes = tuple[NDArray[np.float32], ...]
"""One array (n, 2) float32 of x, y a stroke, y down."""

Points = NDArray[np.float64]
Canvas = NDArray[np.uint8]

EXTENT = 1000.0  # the longer side of fitted strokes
CANVAS_SIDE = 280  # pixels a side, as the page's

_OVERSAMPLING = 4  # drawn so many times larger, then averaged
_FRACTION_BITS = 6  # OpenCV takes coordinates in fixed point: 1/64 pixel


@dataclass(frozen=True, eq=False)
class PenDigit:
    """A digit as the pen went.

    Attributes:
        label: 0..9.
        writer: who wrote it: any name, the same for all digits of one person.
        strokes: in the order of writing, fitted, read-only. A stroke has at least one point; a single one is a dot.
    """

    label: int
    writer: str
    strokes: Strokes


def fit_strokes(strokes: Iterable[ArrayLike]) -> Strokes:
    """Shifts and scales strokes so that their box begins at 0, 0 and its longer side is 1000. Read-only arrays.

    Args:
        strokes: at least one, each (n, 2) with n of at least 1: x, y in any unit, y down.
    """
    arrays = [np.asarray(stroke, np.float64).reshape(-1, 2) for stroke in strokes]
    together = np.concatenate(arrays)
    low = together.min(axis=0)
    extent = float((together.max(axis=0) - low).max())
    scale = EXTENT / extent if extent > 0 else 1.0  # a mere dot has no size
    fitted = tuple(((array - low) * scale).astype(np.float32) for array in arrays)
    for array in fitted:
        array.setflags(write=False)
    return fitted


def render_strokes(
    strokes: Strokes, width: float, size: float, centre: tuple[float, float] | None = None, side: int = CANVAS_SIDE
) -> Canvas:
    """Draws strokes as a person draws them on the page: with round ends and corners, smooth edges, in one ink.

    Args:
        strokes: in any unit.
        width: of the brush in pixels.
        size: the longer side of the box around the pen's path, in pixels. The ink reaches half a brush further.
        centre: the middle of that box as x, y in pixels from the canvas's upper left corner; by default the canvas's.
        side: of the canvas, in pixels.

    Returns:
        (side, side) uint8: 0 paper, 255 ink.
    """
    together = np.concatenate(strokes)
    low, high = together.min(axis=0), together.max(axis=0)
    scale = size / max(float((high - low).max()), 1e-6)
    middle = np.array(centre or (side / 2, side / 2))
    reach = (high - low) / 2 * scale + width / 2 + 1
    left, top = np.clip(np.floor(middle - reach), 0, side).astype(int).tolist()
    right, bottom = np.clip(np.ceil(middle + reach), 0, side).astype(int).tolist()
    canvas = np.zeros((side, side), np.uint8)
    if left < right and top < bottom:
        paths = [(stroke - (low + high) / 2) * scale + middle - (left, top) for stroke in strokes]
        canvas[top:bottom, left:right] = _ink(paths, width, (right - left, bottom - top))
    return canvas


def _ink(paths: list[Points], width: float, size: tuple[int, int]) -> Canvas:
    """(height, width) uint8 of `size`. OpenCV's own smooth lines are 1.4 pixels too wide; these, 0.2."""
    large = np.zeros((size[1] * _OVERSAMPLING, size[0] * _OVERSAMPLING), np.uint8)
    thickness = max(1, round(width * _OVERSAMPLING))
    for path in paths:
        # OpenCV counts from the middle of the first pixel, a canvas from its corner.
        points = np.round((path * _OVERSAMPLING - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)
        if len(points) == 1:
            radius = thickness << _FRACTION_BITS - 1
            cv2.circle(large, points[0].tolist(), radius, 255, cv2.FILLED, cv2.LINE_8, _FRACTION_BITS)
        else:
            cv2.polylines(large, [points], False, 255, thickness, cv2.LINE_8, _FRACTION_BITS)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)


_TURN = 6.0  # degrees
_SLANT = 0.14  # sideways for each unit of height
_STRETCH = 0.12  # of the logarithm of width by height
_BEND = 26.0  # how far the paper is bent, of 1000; the strokes stay joined
_SWAY = 0.01  # how far the hand strays from its path, of the length over which it does
_DRIFT = 14.0  # how far a stroke lies from where it should begin, of 1000
_OVERSHOOT = 35.0  # at most so much of 1000 is trimmed from, or added to, either end
_SPACING = (14.0, 42.0)  # between two points, of 1000: tablets differ
_SHORT = 60.0  # of 1000; a dot or a tick keeps its length


def vary_strokes(strokes: Strokes, generator: np.random.Generator) -> Strokes:
    """The same digit as another hand would have written it.

    It leans, turns, stretches and bends otherwise, its strokes start and end a little sooner or later and meet less
    exactly, and the tablet takes its points elsewhere. Spreads are standard deviations, cut off at twice their size.

    Args:
        strokes: fitted: 0..1000.
        generator: where the draws come from; the same state gives the same strokes.

    Returns:
        As many strokes, fitted.
    """
    drift = _DRIFT if len(strokes) > 1 else 0.0
    rewritten = [_rewrite(stroke.astype(np.float64), generator) + _draw(drift, 2, generator) for stroke in strokes]
    together = np.concatenate(rewritten)
    together = _bend(together, generator) @ _lean(generator).T
    return fit_strokes(np.split(together, np.cumsum([len(stroke) for stroke in rewritten])[:-1]))


def _draw(deviation: float, count: int, generator: np.random.Generator) -> Points:
    return deviation * np.clip(generator.standard_normal(count), -2, 2)


def _lean(generator: np.random.Generator) -> Points:
    """(2, 2) matrix: stretches, then slants, then turns."""
    angle, slant, stretch = _draw(1.0, 3, generator) * (np.deg2rad(_TURN), _SLANT, _STRETCH / 2)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(turn @ np.array([[np.exp(stretch), -slant], [0.0, np.exp(-stretch)]]))


def _bend(points: Points, generator: np.random.Generator) -> Points:
    """Moves each point by long waves across the paper: what touched before touches afterwards."""
    angles = generator.uniform(0, 2 * np.pi, (2, 3, 2))  # axis, wave, (direction, phase)
    length = generator.uniform(700, 1600, (2, 3))
    directions = np.stack([np.cos(angles[..., 0]), np.sin(angles[..., 0])], axis=-1) / length[..., None]  # (2, 3, 2)
    phases = 2 * np.pi * np.einsum("awd,nd->naw", directions, points) + angles[..., 1]
    return np.asarray(points + _BEND * np.sin(phases).sum(axis=2))


def _rewrite(points: Points, generator: np.random.Generator) -> Points:
    """One stroke's path followed anew: other ends, other sampling, a hand that sways."""
    walked = _walked(points)
    if walked[-1] < _SHORT:
        return points
    points, walked = _extended(points, walked)
    reach = min(_OVERSHOOT, 0.08 * walked[-1])
    begin, end = generator.uniform(-reach, reach, 2)
    at = _stations(begin, walked[-1] - end, generator)
    moved = np.stack([np.interp(at, walked, points[:, axis]) for axis in (0, 1)], axis=1)
    return moved + _sway(at, generator)


def _walked(points: Points) -> Points:
    """(n,) length of the path up to each point."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _extended(points: Points, walked: Points) -> tuple[Points, Points]:
    """The path, lengthened straight on at both ends, so that it can be followed a little too far."""
    near, far = np.searchsorted(walked, (_SHORT / 2, walked[-1] - _SHORT / 2))
    begin, end = points[0] - points[near], points[-1] - points[max(far - 1, 0)]
    scales = [_OVERSHOOT / max(float(np.hypot(*direction)), 1e-6) for direction in (begin, end)]
    longer = np.concatenate([[points[0] + scales[0] * begin], points, [points[-1] + scales[1] * end]])
    return longer, np.concatenate([[-_OVERSHOOT], walked, [walked[-1] + _OVERSHOOT]])


def _stations(begin: float, end: float, generator: np.random.Generator) -> Points:
    """Where along the path a tablet would take its points: evenly, but not quite."""
    count = max(2, round((end - begin) / generator.uniform(*_SPACING)))
    at = np.linspace(begin, end, count + 1)
    at[1:-1] += generator.uniform(-0.3, 0.3, count - 1) * (end - begin) / count
    return at


def _sway(at: Points, generator: np.random.Generator) -> Points:
    """(n, 2) slow deviations of the hand along its path."""
    phases = generator.uniform(0, 2 * np.pi, (3, 2))
    lengths = generator.uniform(250, 1000, (3, 2))
    waves = _SWAY * lengths * np.sin(2 * np.pi * at[:, None, None] / lengths + phases)  # (n, 3, 2)
    return np.asarray(waves.sum(axis=1))
