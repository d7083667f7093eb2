"""Where touching digits may be cut apart: paths from top to bottom that cross little ink, straight or slanting."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from mnist_core.drawing.ink import Floats, Pixels, resize

Mask = npt.NDArray[np.bool_]

CUTS = 5.0  # tried in a group, for each time that it is as wide as the line is high
APART = 0.1  # of the line's height between two cuts, halfway up
CUT_ROWS = 96  # the height to which a group is reduced before paths are looked for
ASIDE = 0.04  # what a step aside costs a path, as if it had crossed so many pixels of ink
LEAST_INK = 0.02  # of a group's ink on either side of a cut


def find_cuts(ink: Pixels, line_height: float) -> list[Mask]:
    """Cuts through ink that hangs together, wherever a digit may end.

    Args:
        ink: (h, w) uint8, paper 0.
        line_height: of the number, in pixels.

    Returns:
        (h, w) bool for each cut, from left to right: what lies to the right of it.
    """
    height, width = ink.shape
    factor = min(1.0, CUT_ROWS / height)
    small = resize(ink, max(1, round(height * factor)), max(1, round(width * factor))).astype(np.float32)
    small /= np.float32(255)
    found: list[Mask] = []
    for path in _paths(small, APART * line_height * factor):
        edge = np.interp(np.linspace(0, len(small) - 1, height), np.arange(len(small)), path) / factor
        beyond = np.arange(width) >= edge[:, None]
        share = float(ink[beyond].sum() / ink.sum())
        if LEAST_INK < share < 1 - LEAST_INK:
            found.append(beyond)
        if len(found) >= max(1.0, CUTS * width / line_height):
            break
    return sorted(found, key=np.sum, reverse=True)


def _paths(ink: Floats, apart: float) -> list[list[int]]:
    """Paths from top to bottom that cross little ink, the cheapest first: a column for each row."""
    down, up = _least(ink), _least(ink[::-1])[::-1]
    middle = len(ink) // 2
    columns = _minima(down[middle] + up[middle] - ink[middle], apart)
    return [[*_followed(down[:middle][::-1], x)[::-1], x, *_followed(up[middle + 1 :], x)] for x in columns]


def _minima(through: Floats, apart: float) -> list[int]:
    """Columns of local minima, the lowest first, in the middle of each."""
    columns, places = [], np.arange(len(through))
    free = np.ones(len(through), bool)
    while free.any():
        first = last = int(np.where(free, through, np.inf).argmin())
        while last + 1 < len(through) and free[last + 1] and through[last + 1] <= through[first] + 0.5:
            last += 1
        free &= (places < first - apart) | (places > last + apart)
        columns.append((first + last) // 2)
    return columns


def _least(ink: Floats) -> Floats:
    """(h, w) the least ink on any path from the top to each pixel."""
    least = np.empty_like(ink)
    before = np.zeros(ink.shape[1], np.float32)
    for y, row in enumerate(ink):
        framed = np.pad(before, 1, constant_values=np.inf)
        before = np.minimum(before + row, np.minimum(framed[:-2], framed[2:]) + ASIDE + sqrt(2) * row)
        least[y] = before
    return least


def _followed(least: Floats, column: int) -> list[int]:
    """Columns of the best path through rows, away from a pixel beside the first."""
    columns = []
    for row in least:
        first = max(0, column - 1)
        near = np.arange(first, min(len(row), column + 2))
        column = int(near[(row[near] + ASIDE * np.abs(near - column)).argmin()])
        columns.append(column)
    return columns
