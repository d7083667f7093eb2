"""The drawing canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit_drawable_canvas import st_canvas

from mnist_core.drawing import canvas
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import Strokes, render_strokes
from pages.ui.shared import state, theme

BRUSH_PIXELS = 20
"""Brush width until the visitor changes it."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing, or an uploaded image of one.

    Attributes:
        image: (H, W), (H, W, 3) or (H, W, 4) uint8.
        strokes: the path of the pen in pixels; empty for an upload.
        brush: brush width in pixels of the image; None if unknown.
    """

    image: NDArray[np.uint8]
    strokes: Strokes = ()
    brush: float | None = None


def show_sketchpad(key: str, width: int) -> Drawing | None:
    """Shows the canvas, 280 pixels high.

    Args:
        key: of the canvas, one of state's.
        width: in pixels.

    Returns:
        The drawing on it; None before the first stroke.
    """
    st.session_state.setdefault(state.BRUSH, BRUSH_PIXELS)
    clear_count = st.session_state.get(state.clear_count_key(key), 0)
    result = st_canvas(
        stroke_width=st.session_state[state.BRUSH],
        stroke_color=theme.CANVAS_INK,
        background_color=theme.CANVAS_PAPER,
        width=width,
        height=theme.CANVAS_PIXELS,
        initial_drawing=st.session_state.get(state.initial_drawing_key(key)),
        return_image_data=True,
        key=f"{key}_{clear_count}" if clear_count else key,
    )
    if not result.json_data:
        return None
    st.session_state[state.drawing_key(key)] = result.json_data
    if not result.json_data.get("objects"):
        return None
    image = result.image_data  # decoded at each access
    if image is None:  # a canvas sends no image before it is touched, not even of its initial drawing
        return drawing_from_strokes(result.json_data, width)
    return Drawing(image, canvas.parse_strokes(result.json_data), canvas.parse_brush_width(result.json_data))


def drawing_from_strokes(sent: dict[str, Any] | None, width: int) -> Drawing | None:
    """Renders a drawing from its strokes, as the canvas shows it.

    Args:
        sent: what the canvas sent or started with.
        width: of the canvas, in pixels.

    Returns:
        The drawing; None if there are no strokes or their widths differ.
    """
    strokes, brush = canvas.parse_strokes(sent), canvas.parse_brush_width(sent)
    if not strokes or brush is None:
        return None
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    center = float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2
    size = max(float((high - low).max()), 1e-3)  # a dot has size 0
    image = render_strokes(strokes, brush, size, center, max(width, theme.CANVAS_PIXELS))
    return Drawing(image[: theme.CANVAS_PIXELS, :width], strokes, brush)


def clear_canvas(key: str) -> None:
    """Clears a canvas. It gets a new widget key, since a canvas on the page cannot be changed from here."""
    st.session_state[state.clear_count_key(key)] = st.session_state.get(state.clear_count_key(key), 0) + 1
    for drawing_key in (state.drawing_key(key), state.initial_drawing_key(key)):
        st.session_state.pop(drawing_key, None)


def normalized_digit(drawing: Drawing | None) -> NDArray[np.uint8] | None:
    """The drawing as a model gets it, (28, 28) uint8, ink bright; None if it is blank."""
    normalized = normalize_drawing(drawing.image, drawing.brush) if drawing else None
    return None if normalized is None or normalized.blank else normalized.image
