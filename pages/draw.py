"""Draw a digit or a whole number, and see what a model predicts and how the drawing is prepared for it."""

from __future__ import annotations

import streamlit as st

from pages.ui.draw.upload import show_upload
from pages.ui.draw.workbench import show_workbench
from pages.ui.shared import canvas_edits, guard, model_menu, navigation, state
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
    workbench = st.container()
    choices = select_models()
    upload = show_upload()
    with workbench:
        show_workbench(kind == "number", upload, choices)


def select_models() -> list[str]:
    """The menus of models. Returns the selected model, or two to compare."""
    first, second = st.columns(2)
    with first:
        choice = model_menu.select_model("Model", state.MODEL)
    with second:
        other = model_menu.select_model("Compare with", state.SECOND_MODEL, optional=True, exclude=choice)
    return [choice] if other == model_menu.NO_MODEL else [choice, other]


navigation.ensure_app_ran()
st.session_state.setdefault(state.BRUSH, canvas_edits.BRUSH_PIXELS)
st.session_state.setdefault(state.PLAIN, False)
st.session_state.setdefault(state.DRAW_KIND, "digit")
model_menu.select_linked_model(state.MODEL)
st.title("Draw a digit")
guard.render(show_page)
