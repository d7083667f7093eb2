"""What the page's canvas tells of a drawing besides its pixels: the pen's paths, and how wide the brush was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.drawing.strokes import Strokes

MAX_POINTS = 10_000
"""Points kept of one drawing; a hand that draws for a minute makes 3,000."""

MAX_WIDTH = 1000.0  # pixels; the page offers 6..40

_AS_DRAWN = {"scaleX": 1, "scaleY": 1, "angle": 0, "skewX": 0, "skewY": 0}


def parse_brush_width(sent: Mapping[str, Any] | None) -> float | None:
    """The brush in pixels of the canvas, where all strokes were drawn with one; None where that is not so.

    Args:
        sent: the canvas's `json_data`: `{"objects": [{"type": "path", "strokeWidth": 20, "path": […]}, …]}`, as the
            drawing library Fabric.js writes it. Whatever is not of that form is left out.
    """
    widths = {_number(drawn.get("strokeWidth")) for drawn in _paths(sent)}
    width = widths.pop() if len(widths) == 1 else None
    return width if width is not None and 0 < width <= MAX_WIDTH else None


def parse_strokes(sent: Mapping[str, Any] | None) -> Strokes:
    """The pen's path, stroke by stroke: arrays (n, 2) float32 of x, y in pixels of the canvas, y down.

    Args:
        sent: as for `brush_width`. What is no number is left out, and so is what comes after MAX_POINTS.
    """
    found, left = [], MAX_POINTS
    for drawn in _paths(sent):
        points = _points(drawn.get("path"))[:left]
        if len(points):
            found.append(points)
            left -= len(points)
    return tuple(found)


def _paths(sent: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The paths drawn; none where somebody stretched or turned one with the tool bar: its numbers are of before."""
    objects = sent.get("objects") if isinstance(sent, Mapping) else None
    drawn = [thing for thing in objects if isinstance(thing, Mapping)] if isinstance(objects, list) else []
    paths = [thing for thing in drawn if thing.get("type") in ("path", "Path")]
    edited = any(thing.get(name, as_drawn) != as_drawn for thing in paths for name, as_drawn in _AS_DRAWN.items())
    return [] if edited else paths


def _points(path: Any) -> NDArray[np.float32]:
    """(n, 2) float32 along a path of moves (M x y), lines (L x y) and quadratic curves (Q cx cy x y)."""
    points: list[tuple[float, float]] = []
    for command in path if isinstance(path, list) else []:
        if not isinstance(command, list):
            continue
        numbers = [_number(value) for value in command[1:]]
        if len(numbers) not in (2, 4) or None in numbers:
            continue
        *control, x, y = (float(value) for value in numbers if value is not None)
        if control and points:  # half-way along the curve
            start_x, start_y = points[-1]
            points.append(((start_x + 2 * control[0] + x) / 4, (start_y + 2 * control[1] + y) / 4))
        points.append((x, y))
        if len(points) >= MAX_POINTS:
            break
    distinct = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
    return np.array(distinct, np.float32).reshape(-1, 2)


def _number(value: Any) -> float | None:
    """The value where it is a number that a float32 holds; None otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e6 else None
