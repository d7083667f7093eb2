"""Reads a drawing in the visitor's browser while it is drawn, until the server's answer is there."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.browser.bundle import bundle
from mnist_core.drawing.canvas import parse_brush_width
from mnist_core.errors import ModelError, RunError
from pages.ui.shared import browser_model, canvas_edits, formatting, model_menu, state

Part = Literal["answer", "bars", "frames"]

_mount = st.components.v2.component(
    "live_reading", js=f"{bundle('live_reading.js')}export default digitLab.showLiveReading;\n"
)


@dataclass(frozen=True)
class LiveModel:
    """A model that reads in the browser.

    Attributes:
        id: of the model. If another `url` comes with the same id, the former model reads until the new one is there.
        name: shown if there are several.
        url: of its model.bin.
    """

    id: str
    name: str
    url: str


def show_place(canvas: str, part: Part) -> None:
    """Marks the place of the live answer. Call it in the container of the server's answer, before that answer.

    What else is in the container is hidden while there is a live answer. The HTML is always the same, so that Streamlit
    leaves alone what the browser shows in it.

    Args:
        canvas: key of the canvas.
        part: "answer" is the digit and its confidence, "bars" one bar for each output. "frames" are around the digits
            of a whole number: put it over the canvas.
    """
    st.html(f'<div class="lab-live" data-canvas="{canvas}" data-part="{part}"></div>')


def models_in_browser(choices: Sequence[str]) -> list[LiveModel]:
    """The models with their addresses. Empty if one is not for a browser: a caption says so if it is too large.

    Args:
        choices: of `model_menu.select_model`.
    """
    names = model_menu.distinct_names(choices)
    try:
        return [LiveModel(choice, names[choice], browser_model.model_url(choice)) for choice in choices]
    except ModelError as error:
        st.caption(formatting.escape_markdown(str(error)))
    except RunError:  # the run is gone: the server's answer says so
        pass
    return []


def show_live_reading(canvas: str, models: Sequence[LiveModel], keep: bool = False) -> None:
    """Lets models read a canvas while somebody draws. The arguments are those of `show_reader` and `show_state`."""
    with show_reader(canvas):
        show_state(canvas, models, keep)


def show_reader(canvas: str, is_number: bool = False) -> DeltaGenerator:
    """What reads in the browser. It never changes, for Streamlit would send its script again.

    Args:
        canvas: key of the canvas.
        is_number: whether a whole number is drawn on it.

    Returns:
        Where to call `show_state`.
    """
    place = st.container(key=f"{canvas}_live")
    with place:
        _mount(key=f"{canvas}_reader", data={"key": canvas, "isNumber": is_number})
    return place


def show_state(canvas: str, models: Sequence[LiveModel], keep: bool = False) -> None:
    """Tells the browser what the server knows. Call it after the server's answer is shown.

    Args:
        canvas: key of the canvas.
        models: that read; none while the drawing is not to be read live.
        keep: the live answer stays after the stroke and follows the model, for the server gives none.
    """
    knows = {
        "canvas": canvas_edits.widget_key(canvas),
        "strokes": len(canvas_edits.drawn_objects(canvas)),
        "brush": _brush(canvas, keep),
        "models": [asdict(model) for model in models],
        "keep": keep,
    }
    st.html(f'<div class="lab-live-state" data-state="{html.escape(json.dumps(knows))}"></div>')


def _brush(canvas: str, keep: bool) -> float | None:
    """Width of the brush; None if strokes on the canvas have another and the server reads them.

    Args:
        canvas: key of the canvas.
        keep: the server does not read them: the width is then that of the strokes, if it is one.
    """
    brush = canvas_edits.brush_width()
    if not canvas_edits.drawn_objects(canvas):
        return brush
    drawn = parse_brush_width(st.session_state.get(state.drawing_key(canvas)))
    if keep:
        return drawn or brush
    return brush if drawn == brush else None
