"""A canvas to draw on, and what comes of it."""

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

BRUSH_PIXELS = 20  # until somebody moves the slider


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is to be read.

    Attributes:
        image: (H, W), (H, W, 3) or (H, W, 4) uint8.
        strokes: the pen's path in pixels; empty where a picture was uploaded.
        brush: in pixels of the image; None where it is not known.
    """

    image: NDArray[np.uint8]
    strokes: Strokes = ()
    brush: float | None = None


def show_sketchpad(key: str, width: int) -> Drawing | None:
    """The canvas, 280 pixels high. Returns the drawing on it, None before the first stroke.

    Args:
        key: state.CANVAS or state.NUMBER_CANVAS.
        width: in pixels.
    """
    st.session_state.setdefault(state.BRUSH, BRUSH_PIXELS)
    result = st_canvas(
        stroke_width=st.session_state[state.BRUSH],
        stroke_color=theme.CANVAS_INK,
        background_color=theme.CANVAS_PAPER,
        width=width,
        height=theme.CANVAS_PIXELS,
        initial_drawing=st.session_state.get(state.initial_drawing_key(key)),
        return_image_data=True,
        key=f"{key}_{cleared}" if (cleared := st.session_state.get(state.clear_count_key(key), 0)) else key,
    )
    if not result.json_data:
        return None
    st.session_state[state.drawing_key(key)] = result.json_data
    if not result.json_data.get("objects"):
        return None
    image = result.image_data  # each look at it decodes it anew
    if image is None:  # before somebody touches it a canvas sends no picture, not even of what it began with
        return drawing_from_strokes(result.json_data, width)
    return Drawing(image, canvas.parse_strokes(result.json_data), canvas.parse_brush_width(result.json_data))


def drawing_from_strokes(sent: dict[str, Any] | None, width: int) -> Drawing | None:
    """A drawing from its paths alone, as the canvas shows it. None where there are none that tell it all.

    Args:
        sent: what a canvas has sent, or began with.
        width: of the canvas, in pixels.
    """
    paths, brush = canvas.parse_strokes(sent), canvas.parse_brush_width(sent)
    if not paths or brush is None:
        return None
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    middle = float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2
    size = max(float((high - low).max()), 1e-3)  # of the path; a mere dot has none
    image = render_strokes(paths, brush, size, middle, max(width, theme.CANVAS_PIXELS))[: theme.CANVAS_PIXELS, :width]
    return Drawing(image, paths, brush)


def clear_canvas(key: str) -> None:
    """Wipes a canvas when it is next shown: it is another one then, since one that is shown cannot be told to."""
    st.session_state[state.clear_count_key(key)] = st.session_state.get(state.clear_count_key(key), 0) + 1
    for kept in (state.drawing_key(key), state.initial_drawing_key(key)):
        st.session_state.pop(kept, None)


def normalized_digit(drawn: Drawing | None) -> NDArray[np.uint8] | None:
    """The drawing as a model is shown it, (28, 28) uint8; None where there is no ink."""
    normalised = normalize_drawing(drawn.image, drawn.brush) if drawn else None
    return None if normalised is None or normalised.blank else normalised.image
