"""The canvas to draw on, with Undo and Clear under it.

A canvas is always 280 pixels high and is only displayed larger or smaller: a drawing does not depend on the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import streamlit as st
import streamlit_drawable_canvas
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator
from streamlit_drawable_canvas import st_canvas

from mnist_core.drawing import canvas
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import Strokes, render_strokes
from mnist_core.drawing.uploads import decode_canvas
from pages.ui.shared import canvas_edits, state, theme

# A drawing is so small that waking another core for it costs more than that core saves.
cv2.setNumThreads(1)


# The library draws into a shadow root, which no style of ours reaches. Only the rest of this call is its own.
streamlit_drawable_canvas.out = st.components.v2.component(
    "streamlit-drawable-canvas.streamlit_drawable_canvas",
    js="index-*.js",
    css="index-*.css",
    html='<div class="canvas-root"></div>',
    isolate_styles=False,
)


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
    """Shows a canvas, as wide as its column, with Undo and Clear under it.

    Args:
        key: of the canvas, one of state's.
        width: of the drawing, in pixels; it is 280 pixels high.

    Returns:
        The drawing on it; None before the first stroke.
    """
    paper, buttons = lay_out_pad(key)
    with paper:
        drawing = show_canvas(key, width)
    with buttons:
        show_buttons(key)
    return drawing


def lay_out_pad(key: str, largest: int = theme.CANVAS_PIXELS) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Makes the places of a canvas and of its buttons, for a page on which a stroke reruns the canvas alone.

    Args:
        key: of the canvas.
        largest: width on the screen at most, in pixels.
    """
    with st.container(key=f"{key}_pad", width=largest, gap="small"):
        return st.container(key=f"{key}_paper"), st.container(horizontal=True, gap="small")


def show_canvas(key: str, width: int, on_change: Callable[[], None] | None = None) -> Drawing | None:
    """Shows a canvas alone. Arguments and result are those of `show_sketchpad`. `on_change`: called after a stroke."""
    result = st_canvas(
        stroke_width=canvas_edits.brush_width(),
        stroke_color=theme.CANVAS_INK,
        background_color=theme.CANVAS_PAPER,
        width=width,
        height=theme.CANVAS_PIXELS,
        initial_drawing=st.session_state.get(state.initial_drawing_key(key)),
        return_image_data=True,
        key=canvas_edits.widget_key(key),
        on_change=on_change,
    )
    if result.json_data:
        st.session_state[state.drawing_key(key)] = result.json_data
    if not result.json_data or not result.json_data.get("objects"):
        return None
    content = result.image_bytes
    if content is None:  # a canvas sends no image before it is touched, not even of its initial drawing
        return drawing_from_strokes(result.json_data, width)
    image = decode_canvas(content, width, theme.CANVAS_PIXELS)  # the library would decode a picture of any size
    return Drawing(image, canvas.parse_strokes(result.json_data), canvas.parse_brush_width(result.json_data))


def rerun_if_emptied_or_begun(key: str, fragment: str) -> None:
    """Called after a stroke: if the canvas was empty or is empty now, reruns what is around it.

    Args:
        key: of the canvas.
        fragment: key of the fragment around it, with its buttons.
    """
    sent = st.session_state[canvas_edits.widget_key(key)].get("drawing") or {}
    if bool((sent.get("raw") or {}).get("objects")) != bool(canvas_edits.drawn_objects(key)):
        st.rerun(fragment)


def show_buttons(key: str, examples: bool = False) -> None:
    """Undo and Clear, and a button for an example. Call it after `show_canvas`, on whose drawing they depend."""
    has_strokes = bool(canvas_edits.drawn_objects(key))
    can_undo = has_strokes or state.cleared_drawing_key(key) in st.session_state
    buttons = [
        ("Undo", ":material/undo:", can_undo, canvas_edits.undo),
        ("Clear", ":material/delete:", has_strokes, canvas_edits.clear_canvas),
        *([("Draw one for me", ":material/casino:", True, canvas_edits.put_example)] if examples else []),
    ]
    for label, icon, enabled, action in buttons:
        st.button(
            label, f"{key}_{label}", icon=icon, disabled=not enabled, width="stretch", on_click=action, args=(key,)
        )


def drawing_from_strokes(sent: dict[str, Any] | None, width: int) -> Drawing | None:
    """Renders a drawing from its strokes, as the canvas shows it.

    Args:
        sent: what the canvas sent or started with.
        width: of the canvas, in pixels.

    Returns:
        The drawing; None if there are no strokes. Each stroke has its own width, and `brush` is None if they differ.
    """
    image = np.zeros((theme.CANVAS_PIXELS, width), np.uint8)
    by_width = canvas.parse_strokes_by_width(sent)
    for brush, strokes in by_width.items():
        image = np.maximum(image, _rendered(strokes, brush, width))
    return Drawing(image, canvas.parse_strokes(sent), canvas.parse_brush_width(sent)) if by_width else None


def _rendered(strokes: Strokes, brush: float, width: int) -> NDArray[np.uint8]:
    """Strokes of one width where they are on the canvas, (280, width) uint8, ink bright."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    center = float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2
    size = max(float((high - low).max()), 1e-3)  # a dot has size 0
    return render_strokes(strokes, brush, size, center, max(width, theme.CANVAS_PIXELS))[: theme.CANVAS_PIXELS, :width]


def normalized_digit(drawing: Drawing | None) -> NDArray[np.uint8] | None:
    """The drawing as a model gets it, (28, 28) uint8, ink bright; None if it is blank."""
    normalized = normalize_drawing(drawing.image, drawing.brush) if drawing else None
    return None if normalized is None or normalized.blank else normalized.image
