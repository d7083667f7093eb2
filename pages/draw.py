"""Draw a digit or a whole number, and see what a model predicts and how the drawing is prepared for it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.draw import results
from pages.ui.draw.upload import select_drawing, show_upload
from pages.ui.shared import guard, live_reading, model_menu, navigation, sketchpad, state, theme
from pages.ui.shared.sketchpad import Drawing, show_sketchpad
from pages.ui.tour import guide

KINDS = {"digit": "One digit", "number": "A whole number"}


def show_page() -> None:
    """The page: the workbench on top, its inputs below."""
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = st.segmented_control(
            "What to draw",
            list(KINDS),
            format_func=KINDS.__getitem__,
            key=state.DRAW_KIND,
            required=True,
            on_change=state.restore_canvases,
            label_visibility="collapsed",
        )
        guide.show_tour_button()
    is_number = kind == "number"
    workbench = st.container()
    choices = select_models()
    upload = show_upload()
    with workbench:
        guard.render_fragment(lambda: show_workbench(is_number, upload, choices))


def show_workbench(is_number: bool, upload: Drawing | None, choices: list[str]) -> None:
    """Canvas, predictions and stages: what a stroke reruns, and nothing else."""
    with st.container(key="number_workbench" if is_number else "digit_workbench"):
        answer = st.container(key="answer")
        pad = st.container(key="pad", width=theme.LARGE_CANVAS_PIXELS)
        details = st.container(key="details")
    below = st.container()
    canvas, width = (state.NUMBER_CANVAS, theme.NUMBER_PIXELS) if is_number else (state.CANVAS, theme.CANVAS_PIXELS)
    with pad:
        drawn = show_sketchpad(canvas, width, theme.LARGE_CANVAS_PIXELS, not is_number, frames=is_number)
        show_preparation(is_number)
    is_live = is_number or not st.session_state[state.PLAIN]
    with answer:
        live_reading.show_place(canvas, "answer")
    if not is_number:
        with details:
            live_reading.show_place(canvas, "bars")
    with answer:
        drawing = select_drawing(canvas, drawn, upload)
        guard.render(lambda: show_answer(drawing, is_number, is_live, choices, details, below))
    with pad:
        models = live_reading.models_in_browser(choices) if is_live else []
        live_reading.show_live_reading(canvas, models, is_number=is_number)


def show_answer(
    drawing: Drawing | None,
    is_number: bool,
    is_live: bool,
    choices: list[str],
    details: DeltaGenerator,
    below: DeltaGenerator,
) -> None:
    """What the models predict, or why they cannot: somebody may have deleted the run of one."""
    if drawing is None:
        results.show_drawing_hint(is_number, is_live)
    elif is_number:
        results.show_number_results(drawing, choices, details)
    else:
        results.show_digit_results(drawing, choices, details, below)


def show_preparation(is_number: bool) -> None:
    """The brush, and the switch for plain resize."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.slider("Brush width", 6, 40, key=state.BRUSH, help="In pixels of a canvas that is 280 pixels high.")
        if not is_number:
            st.toggle("Plain resize", key=state.PLAIN, help="Only shrinks the drawing to 28×28 pixels.")


def select_models() -> list[str]:
    """The menus of models. Returns the selected model, or two to compare."""
    first, second = st.columns(2)
    with first:
        choice = model_menu.select_model("Model", state.MODEL)
    with second:
        other = model_menu.select_model("Compare with", state.SECOND_MODEL, optional=True, exclude=choice)
    return [choice] if other == model_menu.NO_MODEL else [choice, other]


navigation.ensure_app_ran()
st.session_state.setdefault(state.BRUSH, sketchpad.BRUSH_PIXELS)
st.session_state.setdefault(state.PLAIN, False)
st.session_state.setdefault(state.DRAW_KIND, "digit")
model_menu.select_linked_model(state.MODEL)
st.title("Draw a digit")
guard.render(show_page)
