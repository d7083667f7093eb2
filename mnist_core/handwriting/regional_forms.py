"""Adds to a written digit what people in other parts of the world add to it.

The writers of the pen digits rarely slash a zero, cross a seven with a loop, or give a one a foot or a long upstroke.
Added to their digits, these forms come in real handwriting.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnist_core.drawing.strokes import PenDigit, Strokes, fit_strokes
from mnist_core.handwriting.templates import smooth_curve

Generator = np.random.Generator
Points = NDArray[np.float64]

REGIONAL_SHARE = 0.3
"""Share of the zeros, ones and sevens of one stroke that get an addition."""

_MOST_TURNED = 0.35  # a stick whose width is more of its height than this is no plain 1


def add_regional_form(digit: PenDigit, generator: Generator) -> PenDigit:
    """Returns the digit with an addition that suits it, or as it is if none does.

    Args:
        digit: of any writer.
        generator: draws the addition; the same state gives the same digit.
    """
    add = _ADDITIONS.get(digit.label)
    if add is None or len(digit.strokes) != 1:
        return digit
    points = digit.strokes[0].astype(np.float64)
    added = add(points, generator)
    return PenDigit(digit.label, digit.writer, fit_strokes(added)) if added else digit


def _slash(points: Points, generator: Generator) -> list[Points] | None:
    """A line through a zero from the upper right to the lower left. The other way it would be a Q."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = (high - low) / 2 * generator.uniform(0.45, 1.15, 2)
    middle = (low + high) / 2 + generator.normal(0, 0.03, 2) * (high - low)
    start, end = middle + reach * (1, -1), middle + reach * (-1, 1)
    return [points, np.stack([start, end])]


def _cross(points: Points, generator: Generator) -> list[Points] | None:
    """A bar across the stem of a seven, straight or a loop, or a loop from the end of the stem across it."""
    height = float(points[:, 1].max())
    if points[-1, 1] < 0.8 * height:
        return None  # the stem is not written last
    y = height * generator.uniform(0.4, 0.62)
    stem = points[np.argmax(points[:, 0]) :]
    x = float(stem[np.argmin(np.abs(stem[:, 1] - y)), 0])
    left, right = generator.uniform(120, 330, 2)
    rise = generator.uniform(-30, 110)
    kind = generator.choice(3, p=(0.35, 0.3, 0.35))
    if kind == 0:
        return [points, np.array([(x - left, y + rise / 2), (x + right, y - rise / 2)])]
    if kind == 1:
        swell = generator.uniform(35, 110)
        angles = np.linspace(0, 2 * np.pi, 9) + np.pi
        across = np.stack([np.cos(angles) * (left + right) / 2 + x, np.sin(angles) * swell + y], axis=1)
        return [points, smooth_curve(across - np.outer(np.cos(angles), (0, rise / 2)))]
    end = points[-1]
    back = np.array(
        [
            end,
            (min(end[0], x) - left * 0.6, y + (end[1] - y) * generator.uniform(0.45, 0.8)),
            (min(end[0], x) - left * 0.5, y + (end[1] - y) * 0.3),
            (x, y),
            (x + right, y - rise / 2),
        ]
    )
    return [np.concatenate([points, smooth_curve(back)[1:]])]


def _serif(points: Points, generator: Generator) -> list[Points] | None:
    """A foot, which may cross the stem, an upstroke, or both, for a one that is a plain stick."""
    sides = np.ptp(points, axis=0)
    if sides[0] > _MOST_TURNED * sides[1]:
        return None
    if points[0, 1] > points[-1, 1]:
        points = points[::-1]
    top, bottom = points[0], points[-1]
    kind = generator.choice(3, p=(0.35, 0.4, 0.25))
    strokes = [points]
    if kind != 1:
        left, right = generator.uniform(130, 330, 2)
        slope, height = generator.uniform(-30, 30), max(0.0, generator.uniform(-120, 150))
        strokes.append(np.array([bottom + (-left, slope - height), bottom + (right, -slope - height)]))
    if kind != 0:
        begin = top + (-generator.uniform(120, 480), generator.uniform(180, 650))
        bow = (begin + top) / 2 + generator.normal(0, 25, 2)
        strokes[0] = np.concatenate([smooth_curve(np.array([begin, bow, top]))[:-1], points])
    return strokes


_ADDITIONS: dict[int, Callable[[Points, Generator], list[Points] | None]] = {0: _slash, 1: _serif, 7: _cross}


def regional_strokes(digit: PenDigit, generator: Generator) -> Strokes:
    """Returns the strokes of the digit, with an addition for REGIONAL_SHARE of those that can have one."""
    if digit.label in _ADDITIONS and generator.random() < REGIONAL_SHARE:
        return add_regional_form(digit, generator).strokes
    return digit.strokes
