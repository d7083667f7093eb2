"""The canvas's JSON: paths become strokes, the brush a width, and nonsense is ignored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.drawing import canvas


def path(*commands: list[Any], width: Any = 20, kind: str = "path") -> dict[str, Any]:
    return {"type": kind, "strokeWidth": width, "path": list(commands)}


def sent(*objects: Any) -> dict[str, Any]:
    return {"version": "6.0.0", "objects": list(objects)}


def test_lines_and_moves_are_points() -> None:
    (stroke,) = canvas.parse_strokes(sent(path(["M", 10, 20], ["L", 30, 40.5])))
    assert stroke.tolist() == [[10, 20], [30, 40.5]]
    assert stroke.dtype == np.float32


def test_curve_passes_where_bezier_says() -> None:
    (stroke,) = canvas.parse_strokes(sent(path(["M", 0, 0], ["Q", 10, 20, 40, 0])))
    t = 0.5  # B(t) = (1-t)² P0 + 2t(1-t) P1 + t² P2
    middle = [2 * t * (1 - t) * 10 + t * t * 40, 2 * t * (1 - t) * 20]
    assert stroke.tolist() == [[0, 0], middle, [40, 0]]


def test_strokes_stay_apart_and_in_order() -> None:
    found = canvas.parse_strokes(sent(path(["M", 1, 1], ["L", 2, 2]), path(["M", 5, 5], ["L", 6, 6])))
    assert [stroke[0].tolist() for stroke in found] == [[1, 1], [5, 5]]


def test_tap_is_one_point() -> None:
    (stroke,) = canvas.parse_strokes(sent(path(["M", 7, 8], ["L", 7, 8])))
    assert stroke.tolist() == [[7, 8]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "5", True, 10**400, 1e300])
def test_point_that_is_nowhere_is_left_out(bad: Any) -> None:
    (stroke,) = canvas.parse_strokes(sent(path(["M", 1, 2], ["L", bad, 3], ["Q", 1, bad, 2, 2], ["L", 4, 5])))
    assert stroke.tolist() == [[1, 2], [4, 5]]


def test_points_are_bounded_over_all_strokes() -> None:
    line = [["M", 0, 0], *(["L", x, 1] for x in range(1, canvas.MAX_POINTS))]
    found = canvas.parse_strokes(sent(path(*line), path(*line)))
    assert sum(map(len, found)) == canvas.MAX_POINTS


@pytest.mark.parametrize(("widths", "expected"), [([20], 20.0), ([8, 8.0], 8.0), ([8, 20], None), ([], None)])
def test_brush_is_known_where_all_strokes_share_it(widths: list[float], expected: float | None) -> None:
    drawn = [path(["M", 1, 1], width=width) for width in widths]
    assert canvas.parse_brush_width(sent(*drawn, path(width=99, kind="rect"))) == expected


@pytest.mark.parametrize("width", [0, -3, math.nan, "20", None, 1e9])
def test_impossible_brush_is_not_known(width: Any) -> None:
    assert canvas.parse_brush_width(sent(path(["M", 1, 1], width=width))) is None


def test_strokes_are_grouped_by_their_valid_widths() -> None:
    drawn = [path(["M", place, 1], width=width) for place, width in enumerate([20, 8, -3, 20.0, None])]
    found = canvas.parse_strokes_by_width(sent(*drawn, path(width=8)))
    assert {width: [stroke[0, 0] for stroke in strokes] for width, strokes in found.items()} == {20: [0, 3], 8: [1]}
    many = [path(["M", 1, 1], width=1 + place) for place in range(2 * canvas.MAX_WIDTHS)]
    assert len(canvas.parse_strokes_by_width(sent(*many))) == canvas.MAX_WIDTHS


@pytest.mark.parametrize("change", [{"scaleX": 2}, {"scaleY": 0.5}, {"angle": 30}, {"skewX": 1}])
def test_stroke_that_was_edited_tells_nothing(change: dict[str, float]) -> None:
    """The canvas's toolbar lets people stretch and turn a stroke: its numbers are then of before."""
    drawn = {**path(["M", 1, 1], ["L", 9, 9]), **change}
    assert canvas.parse_brush_width(sent(drawn)) is None
    assert canvas.parse_strokes(sent(drawn)) == ()


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.sampled_from(["M", "L", "Q"]),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["type", "path", "strokeWidth"]), inner)
    ),
    max_leaves=20,
)


@given(_json)
def test_nonsense_never_raises(value: Any) -> None:
    drawn = {"type": "path", "strokeWidth": value, "path": value}
    for something in (
        value,
        {"objects": value},
        {"objects": [value, drawn]},
        {"objects": [{**drawn, "path": [value]}]},
    ):
        for stroke in canvas.parse_strokes(something):
            assert stroke.ndim == 2 and stroke.shape[1] == 2 and len(stroke) and np.isfinite(stroke).all()
        assert all(0 < width <= canvas.MAX_WIDTH for width in canvas.parse_strokes_by_width(something))
        width = canvas.parse_brush_width(something)
        assert width is None or 0 < width <= canvas.MAX_WIDTH
