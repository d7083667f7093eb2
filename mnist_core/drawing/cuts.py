"""Finds where touching digits may be cut: paths from top to bottom, straight or slanting, that cross little ink."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from mnist_core.drawing.ink import Floats, Pixels, resize

Mask = npt.NDArray[np.bool_]

CUTS = 5.0
"""Most cuts through a group, per multiple of the line's height in its width."""
MIN_DISTANCE = 0.1
"""Least distance between two cuts halfway up, relative to the line's height."""
CUT_ROWS = 96
"""Higher groups are reduced to this height in pixels before the search."""
SIDESTEP_COST = 0.04
"""What a step to the side costs a path, in pixels of ink."""
MIN_INK_SHARE = 0.02
"""Least share of a group's ink on either side of a cut."""


def find_cuts(ink: Pixels, line_height: float) -> list[Mask]:
    """Finds cuts through connected ink, wherever a digit may end.

    Args:
        ink: (h, w) uint8, paper 0.
        line_height: height of the number's line, in pixels.

    Returns:
        (h, w) bool for each cut, from left to right: True for pixels to the right of it.
    """
    height, width = ink.shape
    factor = min(1.0, CUT_ROWS / height)
    small = resize(ink, max(1, round(height * factor)), max(1, round(width * factor))).astype(np.float32)
    small /= np.float32(255)
    found: list[Mask] = []
    for path in _paths(small, MIN_DISTANCE * line_height * factor):
        edge = np.interp(np.linspace(0, len(small) - 1, height), np.arange(len(small)), path) / factor
        beyond = np.arange(width) >= edge[:, None]
        share = float(ink[beyond].sum() / ink.sum())
        if MIN_INK_SHARE < share < 1 - MIN_INK_SHARE:
            found.append(beyond)
        if len(found) >= max(1.0, CUTS * width / line_height):
            break
    return sorted(found, key=np.sum, reverse=True)


def _paths(ink: Floats, min_distance: float) -> list[list[int]]:
    """Returns paths from top to bottom, the cheapest first: the column in each row."""
    down, up = _path_costs(ink), _path_costs(ink[::-1])[::-1]
    middle = len(ink) // 2
    columns = _minima(down[middle] + up[middle] - ink[middle], min_distance)
    return [[*_follow(down[:middle][::-1], x)[::-1], x, *_follow(up[middle + 1 :], x)] for x in columns]


def _minima(through: Floats, min_distance: float) -> list[int]:
    """Returns the middle columns of the local minima of (w,) costs, the lowest first."""
    columns, places = [], np.arange(len(through))
    free = np.ones(len(through), bool)
    while free.any():
        first = last = int(np.where(free, through, np.inf).argmin())
        while last + 1 < len(through) and free[last + 1] and through[last + 1] <= through[first] + 0.5:
            last += 1
        free &= (places < first - min_distance) | (places > last + min_distance)
        columns.append((first + last) // 2)
    return columns


def _path_costs(ink: Floats) -> Floats:
    """Returns (h, w) the least ink on any path from the top to each pixel."""
    least = np.empty_like(ink)
    before = np.zeros(ink.shape[1], np.float32)
    for y, row in enumerate(ink):
        framed = np.pad(before, 1, constant_values=np.inf)
        before = np.minimum(before + row, np.minimum(framed[:-2], framed[2:]) + SIDESTEP_COST + sqrt(2) * row)
        least[y] = before
    return least


def _follow(least: Floats, column: int) -> list[int]:
    """Follows the cheapest path through rows of costs, which starts next to `column`; returns its columns."""
    columns = []
    for row in least:
        first = max(0, column - 1)
        near = np.arange(first, min(len(row), column + 2))
        column = int(near[(row[near] + SIDESTEP_COST * np.abs(near - column)).argmin()])
        columns.append(column)
    return columns
