"""Draw a digit or a whole number, and see what a model predicts and how the drawing is prepared for it."""

from __future__ import annotations

import streamlit as st

from mnist_core.drawing.uploads import decode_upload
from pages.ui.draw import results, tour
from pages.ui.shared import figure, guard, model_menu, navigation, sketchpad, state, theme
from pages.ui.shared.sketchpad import Drawing, show_sketchpad

MODES = {"digit": "One digit", "number": "A whole number"}


def show_page() -> None:
    """The page: the workbench on top, its inputs below."""
    with st.container(horizontal=True, vertical_alignment="center"):
        mode = st.segmented_control(
            "What to draw",
            list(MODES),
            format_func=MODES.__getitem__,
            key=state.MODE,
            required=True,
            on_change=state.restore_canvases,
            label_visibility="collapsed",
        )
        figure.show_guide("prediction", "How to read the prediction")
        figure.show_guide("stages", "How a drawing is prepared")
        tour.show_tour_button()
    is_number = mode == "number"
    workbench = st.container()
    choices = select_models(is_number)
    upload = show_upload()
    with workbench:
        guard.render_fragment(lambda: show_workbench(is_number, upload, choices))


def show_workbench(is_number: bool, upload: Drawing | None, choices: list[str]) -> None:
    """Canvas, predictions and stages: what a stroke reruns, and nothing else."""
    left, right = st.columns([3, 2] if is_number else [1, 2], gap="large")
    below = st.container()
    with left:
        if is_number:
            drawn = show_sketchpad(state.NUMBER_CANVAS, theme.NUMBER_PIXELS)
        else:
            drawn = show_sketchpad(state.CANVAS, theme.CANVAS_PIXELS)
        st.slider("Brush width", 6, 40, key=state.BRUSH, help="In pixels of the canvas, which is 280 pixels high.")
    drawing = upload or drawn
    with right:
        if drawing is None:
            results.show_drawing_hint(is_number)
        elif is_number:
            results.show_number_results(drawing, choices)
        else:
            results.show_digit_results(drawing, choices, below)


def select_models(is_number: bool) -> list[str]:
    """The menus of models and the switch for plain resize. Returns the selected model, or two to compare."""
    first, second, switch = st.columns([1.5, 1.5, 1], vertical_alignment="bottom")
    with first:
        choice = model_menu.select_model("Model", state.MODEL)
    with second:
        other = model_menu.select_model("Compare with", state.SECOND_MODEL, optional=True)
    switch.toggle(
        "Plain resize",
        key=state.PLAIN,
        help="Only shrink the canvas to 28×28, without the other stages.",
        disabled=is_number,
    )
    return [choice] if other in (model_menu.NO_MODEL, choice) else [choice, other]


def show_upload() -> Drawing | None:
    """A place to upload an image. Returns it, or None if there is none or it cannot be read."""
    with st.expander("Upload an image instead"):
        upload = st.file_uploader("PNG or JPEG, dark on light or light on dark", ["png", "jpg", "jpeg"])
        if upload is None:
            return None
        image = guard.try_action(lambda: decode_upload(upload.getvalue()), True)
        if image is None:
            return None
        st.image(image, caption=f"{upload.name}: remove it to draw again", width=theme.CANVAS_PIXELS)
        return Drawing(image)


navigation.ensure_app_ran()
st.session_state.setdefault(state.BRUSH, sketchpad.BRUSH_PIXELS)
st.session_state.setdefault(state.PLAIN, False)
st.session_state.setdefault(state.MODE, "digit")
model_menu.select_linked_model(state.MODEL)
st.title("Draw a digit")
st.write("See what a neural network reads in your handwriting the moment you lift the pen.")
guard.render(show_page)
