"""Draw a digit or a whole number and read what a model makes of it, at once; beside it every stage on the way."""

from __future__ import annotations

import streamlit as st

from mnist_core.drawing.uploads import decode_upload
from pages.ui.draw import results, tour
from pages.ui.shared import figure, guard, model_menu, navigation, sketchpad, state, theme
from pages.ui.shared.sketchpad import Drawing, show_sketchpad

DIGIT_CANVAS = (state.CANVAS, theme.CANVAS_PIXELS)
NUMBER_CANVAS = (state.NUMBER_CANVAS, theme.NUMBER_PIXELS)
MODES = {"digit": "One digit", "number": "A whole number"}


def workbench(number: bool, upload: Drawing | None, choices: list[str]) -> None:
    """Canvas, answer, stages: all that a stroke makes run again, and no more than that."""
    paper, reading = st.columns([3, 2] if number else [1, 2], gap="large")
    below = st.container()
    with paper:
        drawn = show_sketchpad(*(NUMBER_CANVAS if number else DIGIT_CANVAS))
        st.slider("Brush width", 6, 40, key=state.BRUSH, help="In pixels of the canvas, which is 280 high.")
    drawing = upload or drawn
    with reading:
        if drawing is None:
            results.show_drawing_hint(number)
        elif number:
            results.show_number_results(drawing, choices)
        else:
            results.show_digit_results(drawing, choices, below)


def page() -> None:
    """The workbench, and under it what it works with."""
    with st.container(horizontal=True, vertical_alignment="center"):
        mode = st.segmented_control(
            "What to draw",
            list(MODES),
            format_func=MODES.get,
            key=state.MODE,
            required=True,
            on_change=state.restore_canvases,
            label_visibility="collapsed",
        )
        figure.show_guide("answer", "How to read the answer")
        figure.show_guide("stages", "How a drawing is prepared")
        tour.show_tour_button()
    number = mode == "number"
    bench = st.container()
    upload, choices = menus(number)
    with bench:
        guard.render_fragment(lambda: workbench(number, upload, choices))


def menus(number: bool) -> tuple[Drawing | None, list[str]]:
    """The uploaded picture, None where there is none, and the models that are to read: one, or two side by side."""
    first, second, way = st.columns([1.5, 1.5, 1], vertical_alignment="bottom")
    with first:
        choice = model_menu.select_model("Model", state.MODEL)
    with second:
        other = model_menu.select_model("Beside it", state.SECOND_MODEL, optional=True)
    way.toggle(
        "Plain resize", key=state.PLAIN, help="Shrink the whole canvas to 28×28 and do nothing else.", disabled=number
    )
    with st.expander("Read a picture instead"):
        upload = st.file_uploader("PNG or JPEG, dark on light or light on dark", ["png", "jpg", "jpeg"])
        picture = guard.try_action(lambda: decode_upload(upload.getvalue()), upload is not None)
        if picture is not None:
            st.image(picture, caption=f"{upload.name}: remove it to draw again", width=theme.CANVAS_PIXELS)
    choices = [choice] if other in (model_menu.NO_MODEL, choice) else [choice, other]
    return None if picture is None else Drawing(picture), choices


navigation.ensure_app_ran()
st.session_state.setdefault(state.BRUSH, sketchpad.BRUSH_PIXELS)
st.session_state.setdefault(state.PLAIN, False)
st.session_state.setdefault(state.MODE, "digit")
model_menu.select_linked_model(state.MODEL)
st.title("Draw a digit")
st.write("What a network makes of your handwriting, the moment you lift the pen.")
guard.render(page)
