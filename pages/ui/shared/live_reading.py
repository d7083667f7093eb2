"""Reads a drawing in the visitor's browser while it is drawn, until the server's answer is there."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Literal

import streamlit as st

from mnist_core.browser.bundle import bundle
from mnist_core.drawing.canvas import parse_brush_width
from mnist_core.errors import ModelError
from pages.ui.shared import browser_model, canvas_edits, model_menu, state

Part = Literal["answer", "bars"]

_mount = st.components.v2.component(
    "live_reading", js=f"{bundle('live_reading.js')}export default digitLab.showLiveReading;\n"
)


def show_place(canvas: str, part: Part) -> None:
    """The place of the live answer: call it in the container of the server's answer, before that.

    What else is in the container is hidden while there is a live answer. The HTML is always the same, so that Streamlit
    leaves alone what the browser shows in it.

    Args:
        canvas: key of the canvas.
        part: "answer" is the digit and its confidence, "bars" one bar for each output.
    """
    st.html(f'<div class="lab-live" data-canvas="{canvas}" data-part="{part}"></div>')


def show_live_reading(canvas: str, choices: Sequence[str]) -> None:
    """Lets models read a canvas while somebody draws. Call it after the server's answer is shown.

    The component itself never changes, for Streamlit would send its script again: what changes is in `data-state`.

    Args:
        canvas: key of the canvas.
        choices: of the models; none while the drawing is not to be read live.
    """
    knows = {
        "canvas": canvas_edits.widget_key(canvas),
        "strokes": len(canvas_edits.drawn_objects(canvas)),
        "brush": _brush(canvas),
        "models": _models(choices),
    }
    with st.container(key=f"{canvas}_live"):
        st.html(f'<div class="lab-live-state" data-state="{html.escape(json.dumps(knows))}"></div>')
        _mount(key=f"{canvas}_reader", data={"key": canvas})


def _models(choices: Sequence[str]) -> list[dict[str, str]]:
    """What the browser needs to know of the models. Empty, with a caption that says so, if one is too large for it."""
    try:
        return [
            {"id": choice, "name": model_menu.model_name(choice), "url": browser_model.model_url(choice)}
            for choice in choices
        ]
    except ModelError as error:
        st.caption(str(error))
        return []


def _brush(canvas: str) -> float | None:
    """Width of the brush; None if strokes on the canvas have another."""
    brush = float(st.session_state[state.BRUSH])
    drawing = st.session_state.get(state.drawing_key(canvas))
    return brush if not canvas_edits.drawn_objects(canvas) or parse_brush_width(drawing) == brush else None
