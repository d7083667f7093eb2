"""Templates: shapes as a few points each, and the smooth strokes through them.

A template is text such as `"120,430 500,0 | 500,980 ; 230,985 790,985"`: points x,y with y down. Each stroke is a
smooth curve through its points, `|` marks the point before it as a corner, and `;` ends a stroke. A stroke of one point
is a dot.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_core.drawing.strokes import Strokes, fit_strokes

Points = NDArray[np.float64]

_STEP = 25.0  # distance between two points of a finished stroke, of 1000


@dataclass(frozen=True)
class TemplateStroke:
    """One stroke of a template.

    Attributes:
        points: x, y in the order of writing.
        corners: indices of the points where the pen turns a corner, including both ends.
    """

    points: tuple[tuple[float, float], ...]
    corners: tuple[int, ...]


Template = tuple[TemplateStroke, ...]


def parse_template(text: str) -> Template:
    """Parses a template as described at the top of this file."""
    return tuple(_stroke(part) for part in text.split(";"))


def named_templates(texts: dict[str, tuple[str, ...]]) -> dict[str, tuple[Template, ...]]:
    """Parses several variants of each template, by name."""
    return {name: tuple(map(parse_template, variants)) for name, variants in texts.items()}


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
    """Returns the strokes of a template.

    Args:
        shape: the template.
        generator: moves the points at random. None leaves the shape as it was designed.
        spread: standard deviation of each point, in the template's units, clipped at two standard deviations.

    Returns:
        Smooth strokes, fitted.
    """
    strokes = []
    for stroke in shape:
        points = np.array(stroke.points, np.float64)
        if generator is not None and len(points) > 1:
            points += spread * np.clip(generator.standard_normal(points.shape), -2, 2)
        strokes.append(_smooth_between_corners(points, stroke.corners))
    return fit_strokes(strokes)


def _smooth_between_corners(points: Points, corners: tuple[int, ...]) -> Points:
    """Returns a path that is smooth between corners."""
    runs = [smooth_curve(points[begin : end + 1]) for begin, end in itertools.pairwise(corners) if end > begin]
    return np.concatenate([points[:1], *(run[1:] for run in runs)])


def smooth_curve(points: Points) -> Points:
    """Returns (m, 2) points on a cubic spline through (n, 2) points.

    Each tangent is that of the parabola through three neighbors. The parameter is the square root of the chord length
    ("centripetal", Catmull and Rom 1974, Lee 1989), which avoids loops where close points follow distant ones.
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
    """Returns (count, 2) points of the cubic from ends[0], along tangents[0], to ends[1], along tangents[1]."""
    t = np.linspace(0, 1, count + 1)[1:, None]
    places = (1 + 2 * t) * (1 - t) ** 2 * ends[0] + t**2 * (3 - 2 * t) * ends[1]
    return np.asarray(places + t * (1 - t) ** 2 * tangents[0] + t**2 * (t - 1) * tangents[1])
