"""Shapes written by hand into the program: points on paper, and the smooth strokes through them.

A shape is a line of text such as `"120,430 500,0 | 500,980 ; 230,985 790,985"`: points x,y with y down, each stroke a
smooth curve through its points, `|` after a point where the pen turns a corner, `;` where it leaves the paper. A
stroke of one point is a dot.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_core.drawing.strokes import Strokes, fit_strokes

Points = NDArray[np.float64]

_STEP = 25.0  # between two points of a finished stroke, of 1000


@dataclass(frozen=True)
class TemplateStroke:
    """One stroke.

    Attributes:
        points: x, y in the order of writing.
        corners: indices of the points in which the pen turns a corner, ends included.
    """

    points: tuple[tuple[float, float], ...]
    corners: tuple[int, ...]


Template = tuple[TemplateStroke, ...]


def parse_template(text: str) -> Template:
    """Reads a shape as described at the top of this file."""
    return tuple(_stroke(part) for part in text.split(";"))


def _stroke(text: str) -> TemplateStroke:
    points: list[tuple[float, float]] = []
    corners = [0]
    for word in text.split():
        if word == "|":
            corners.append(len(points) - 1)
        else:
            x, _, y = word.partition(",")
            points.append((float(x), float(y)))
    return TemplateStroke(tuple(points), (*corners, len(points) - 1))


def write_template(shape: Template, generator: np.random.Generator | None = None, spread: float = 0.0) -> Strokes:
    """The strokes of a shape.

    Args:
        shape: what to write.
        generator: where the draws come from; without one, the shape as it was designed.
        spread: how far each of its points may lie from its place: standard deviation in units of 1000 of the shape's
            own; cut off at twice its size.

    Returns:
        Smooth strokes, fitted.
    """
    strokes = []
    for stroke in shape:
        points = np.array(stroke.points, np.float64)
        if generator is not None and len(points) > 1:
            points += spread * np.clip(generator.standard_normal(points.shape), -2, 2)
        strokes.append(_through(points, stroke.corners))
    return fit_strokes(strokes)


def _through(points: Points, corners: tuple[int, ...]) -> Points:
    """Smooth between corners, which both neighbours share."""
    runs = [smooth_curve(points[begin : end + 1]) for begin, end in itertools.pairwise(corners) if end > begin]
    return np.concatenate([points[:1], *(run[1:] for run in runs)])


def smooth_curve(points: Points) -> Points:
    """A cubic spline through points, its tangents those of the parabola through each three neighbours.

    The parameter is the root of the chord's length ("centripetal", Catmull and Rom 1974, Lee 1989): no loops where
    close points follow distant ones.
    """
    chords = np.maximum(np.hypot(*np.diff(points, axis=0).T), 1e-6)
    steps = np.sqrt(chords)[:, None]  # (n - 1, 1)
    slopes = np.diff(points, axis=0) / steps
    tangents = np.empty_like(points)
    tangents[1:-1] = (slopes[:-1] * steps[1:] + slopes[1:] * steps[:-1]) / (steps[:-1] + steps[1:])
    tangents[0], tangents[-1] = slopes[0], slopes[-1]
    if len(points) > 2:
        tangents[0], tangents[-1] = 2 * slopes[0] - tangents[1], 2 * slopes[-1] - tangents[-2]
    pieces = [
        _hermite(points[i : i + 2], tangents[i : i + 2] * steps[i], max(1, round(chords[i] / _STEP)))
        for i in range(len(steps))
    ]
    return np.concatenate([points[:1], *pieces])


def _hermite(ends: Points, tangents: Points, count: int) -> Points:
    """(count, 2) points of the cubic that leaves ends[0] along tangents[0] and reaches ends[1] along tangents[1]."""
    t = np.linspace(0, 1, count + 1)[1:, None]
    places = (1 + 2 * t) * (1 - t) ** 2 * ends[0] + t**2 * (3 - 2 * t) * ends[1]
    return np.asarray(places + t * (1 - t) ** 2 * tangents[0] + t**2 * (t - 1) * tangents[1])
