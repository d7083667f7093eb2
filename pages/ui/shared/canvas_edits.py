"""What changes the drawing on a canvas from outside: Undo, Clear, and strokes that nobody drew.

A canvas that is on the page cannot be changed from here, so each change gives it another widget key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from mnist_core.drawing.canvas import strokes_to_json
from mnist_core.drawing.strokes import EXTENT
from mnist_core.handwriting.digit_forms import generate_digit
from pages.ui.shared import state, theme

BRUSH_PIXELS = 20
"""Brush width until the visitor changes it."""
EXAMPLE_PIXELS = 180
"""Longer side of a digit that is drawn for the visitor."""


def widget_key(key: str) -> str:
    """The key of the canvas's widget, which is another one after each change from outside."""
    count = st.session_state.get(state.clear_count_key(key), 0)
    return f"{key}_{count}" if count else key


def drawn_objects(key: str) -> list[Any]:
    """The strokes on a canvas, as it sends them."""
    return (st.session_state.get(state.drawing_key(key)) or {}).get("objects") or []


def undo(key: str) -> None:
    """Takes the last stroke back, or a Clear."""
    objects = drawn_objects(key)
    if objects:
        replace_drawing(key, {**st.session_state[state.drawing_key(key)], "objects": objects[:-1]})
    elif cleared := st.session_state.pop(state.cleared_drawing_key(key), None):
        replace_drawing(key, cleared)


def clear_canvas(key: str) -> None:
    """Clears a canvas. Undo brings the drawing back."""
    before = st.session_state.get(state.drawing_key(key))
    replace_drawing(key, None)
    if before:
        st.session_state[state.cleared_drawing_key(key)] = before


def put_example(key: str) -> None:
    """Draws some digit in the middle of a square canvas."""
    strokes = generate_digit(np.random.default_rng()).strokes
    points = np.concatenate(strokes)
    corner = (theme.CANVAS_PIXELS - np.ptp(points, axis=0) * EXAMPLE_PIXELS / EXTENT) / 2
    put_strokes(key, [stroke * EXAMPLE_PIXELS / EXTENT + corner for stroke in strokes], brush_width())


def brush_width() -> int:
    """The width of the brush, in pixels of the canvas."""
    return int(st.session_state.setdefault(state.BRUSH, BRUSH_PIXELS))


def put_strokes(key: str, strokes: Sequence[ArrayLike], brush: float) -> None:
    """Replaces the drawing on a canvas by strokes. `strokes`, `brush`: in pixels, see `strokes_to_json`."""
    replace_drawing(key, strokes_to_json(strokes, brush, theme.CANVAS_INK))


def replace_drawing(key: str, drawing: dict[str, Any] | None) -> None:
    """Puts another drawing on a canvas, as a canvas sends it; None clears it.

    The canvas gets a new widget key, since one that is on the page cannot be changed from here.
    """
    st.session_state[state.clear_count_key(key)] = st.session_state.get(state.clear_count_key(key), 0) + 1
    st.session_state.pop(state.cleared_drawing_key(key), None)
    for drawing_key in (state.drawing_key(key), state.initial_drawing_key(key)):
        if drawing is None:
            st.session_state.pop(drawing_key, None)
        else:
            st.session_state[drawing_key] = drawing
