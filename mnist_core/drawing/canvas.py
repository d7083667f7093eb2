"""Parses and writes the canvas's JSON: the pen's paths and the brush width, which the pixels alone do not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_core.drawing.strokes import Strokes
from mnist_core.fields import is_number

MAX_POINTS = 10_000
"""Most points of one drawing; drawing for a minute makes 3,000."""

MAX_WIDTHS = 40
"""Most brush widths of one drawing; the page offers 35."""
MAX_WIDTH = 1000.0
"""Largest brush width that is believed, in pixels; the page offers 6 to 40."""
MAX_COORDINATE = 1e6
"""Largest number that is believed, either way, in pixels."""

FABRIC_VERSION = "4.4.0"
"""Version of Fabric.js that `strokes_to_json` writes for; later ones read it."""

_UNEDITED = {"scaleX": 1, "scaleY": 1, "angle": 0, "skewX": 0, "skewY": 0}


def parse_brush_width(json_data: Mapping[str, Any] | None) -> float | None:
    """Returns the brush width in pixels of the canvas, or None if the strokes have several widths or none.

    Args:
        json_data: of the canvas, as the drawing library Fabric.js writes it:
            `{"objects": [{"type": "path", "strokeWidth": 20, "path": […]}, …]}`. Anything else in it is ignored.
    """
    widths = {_width(drawn) for drawn in _paths(json_data)}
    return widths.pop() if len(widths) == 1 else None


def parse_strokes(json_data: Mapping[str, Any] | None) -> Strokes:
    """Returns the pen's path, stroke by stroke: (n, 2) float32 arrays of x, y in pixels of the canvas, y down.

    Args:
        json_data: as for `parse_brush_width`. Points that are not numbers are left out, and so are points beyond
            MAX_POINTS.
    """
    parsed, left = [], MAX_POINTS
    for drawn in _paths(json_data):
        points = _points(drawn.get("path"))[:left]
        if len(points):
            parsed.append(points)
            left -= len(points)
    return tuple(parsed)


def parse_strokes_by_width(json_data: Mapping[str, Any] | None) -> dict[float, Strokes]:
    """Returns the strokes of each brush width in pixels of the canvas.

    Args:
        json_data: as for `parse_brush_width`. Strokes without a valid width are left out, and so are those of other
            widths than the first MAX_WIDTHS.
    """
    by_width: dict[float, list[Mapping[str, Any]]] = {}
    for drawn in _paths(json_data):
        width = _width(drawn)
        if width is not None and (width in by_width or len(by_width) < MAX_WIDTHS):
            by_width.setdefault(width, []).append(drawn)
    parsed = {width: parse_strokes({"objects": same}) for width, same in by_width.items()}
    return {width: strokes for width, strokes in parsed.items() if strokes}


def strokes_to_json(strokes: Sequence[ArrayLike], width: float, color: str) -> dict[str, Any]:
    """Writes strokes as the canvas sends them, and as it takes them to start with.

    Args:
        strokes: (n, 2) x, y in pixels of the canvas, y down; n of at least 1.
        width: of the brush in pixels.
        color: of the ink, as in CSS.
    """
    return {"version": FABRIC_VERSION, "objects": [_path_object(stroke, width, color) for stroke in strokes]}


def _path_object(stroke: ArrayLike, width: float, color: str) -> dict[str, Any]:
    points = np.asarray(stroke, np.float64).reshape(-1, 2).round(1).tolist()
    line = points[1:] or points  # a dot is a line to itself
    return {
        "type": "path",
        "path": [["M", *points[0]], *(["L", *point] for point in line)],
        "fill": None,
        "stroke": color,
        "strokeWidth": width,
        "strokeLineCap": "round",
        "strokeLineJoin": "round",
    }


def _paths(json_data: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Returns the drawn paths; none if one was edited with the toolbar, because its numbers are then outdated."""
    objects = json_data.get("objects") if isinstance(json_data, Mapping) else None
    drawn = [thing for thing in objects if isinstance(thing, Mapping)] if isinstance(objects, list) else []
    paths = [thing for thing in drawn if thing.get("type") in ("path", "Path")]
    edited = any(thing.get(name, unedited) != unedited for thing in paths for name, unedited in _UNEDITED.items())
    return [] if edited else paths


def _points(path: Any) -> NDArray[np.float32]:
    """Returns (n, 2) float32 points on a path of moves (M x y), lines (L x y) and quadratic curves (Q cx cy x y)."""
    points: list[tuple[float, float]] = []
    for command in path if isinstance(path, list) else []:
        if not isinstance(command, list):
            continue
        numbers = [_number(value) for value in command[1:]]
        if len(numbers) not in (2, 4) or None in numbers:
            continue
        *control, x, y = (float(value) for value in numbers if value is not None)
        if control and points:  # halfway along the curve
            start_x, start_y = points[-1]
            points.append(((start_x + 2 * control[0] + x) / 4, (start_y + 2 * control[1] + y) / 4))
        points.append((x, y))
        if len(points) >= MAX_POINTS:
            break
    distinct = [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
    return np.array(distinct, np.float32).reshape(-1, 2)


def _width(drawn: Mapping[str, Any]) -> float | None:
    """Returns the brush width of a path, or None if it is none."""
    width = _number(drawn.get("strokeWidth"))
    return width if width is not None and 0 < width <= MAX_WIDTH else None


def _number(value: Any) -> float | None:
    """Returns the value as a float if it is a number of a believable size, else None."""
    return float(value) if is_number(value) and abs(value) < MAX_COORDINATE else None
