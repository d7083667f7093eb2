"""The uploaded picture on the Draw page, and whether it or the canvas is read: what was used last."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_core.drawing.uploads import decode_upload
from pages.ui.shared import canvas_edits, formatting, guard, state, theme
from pages.ui.shared.sketchpad import Drawing

SOURCES = {"canvas": "Your drawing", "upload": "Uploaded picture"}


def show_upload() -> Drawing | None:
    """A place to upload a picture. Returns it, or None if there is none or it cannot be read."""
    with st.expander("Upload a picture", icon=":material/upload:"):
        upload = st.file_uploader(
            "PNG or JPEG, dark on light or light on dark", ["png", "jpg", "jpeg"], on_change=_select_upload
        )
        if upload is None:
            return None
        image = guard.try_action(lambda: decode_upload(upload.getvalue()), True)
        if image is None:
            return None
        st.image(image, caption=formatting.escape_markdown(upload.name), width=theme.CANVAS_PIXELS)
        return Drawing(image)


def _select_upload() -> None:
    st.session_state[state.DRAW_SOURCE] = "upload"


def select_drawing(
    canvas: str, drawn: Drawing | None, upload: Drawing | None, on_change: Callable[[], None]
) -> Drawing | None:
    """Returns what was used last, canvas or upload. If there is an upload, says which it is and offers the other.

    Args:
        canvas: key of the canvas.
        drawn: what is on it.
        upload: the uploaded picture.
        on_change: called when the visitor chooses the other.
    """
    strokes = canvas_edits.drawn_objects(canvas)
    if strokes != st.session_state.get(state.seen_drawing_key(canvas), []):
        st.session_state[state.seen_drawing_key(canvas)] = strokes
        st.session_state[state.DRAW_SOURCE] = "canvas"
    if upload is None:
        return drawn
    source = st.segmented_control(
        "Predict",
        list(SOURCES),
        format_func=SOURCES.__getitem__,
        key=state.DRAW_SOURCE,
        required=True,
        on_change=on_change,
    )
    return upload if source == "upload" else drawn
