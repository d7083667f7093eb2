"""Draw a digit and read what a model makes of it, at once; beside it every stage between the drawing and the model."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit_drawable_canvas import st_canvas

from mnist_core.drawing import Normalised, normalise, plain_resize
from mnist_core.uploads import decode
from pages.ui import caches, components, navigation, state, theme


def workbench() -> None:
    """Canvas, answer, controls, stages: in this order on a phone, too."""
    paper, reading = st.columns([1, 2], gap="large")
    controls, below = st.container(), st.container()
    with controls:
        picture, choices = menus()
    with paper:
        drawn = canvas()
    picture = drawn if picture is None else picture
    with reading:
        normalised = prepare(picture)
        if normalised is not None:
            read(normalised, choices)
    if normalised is not None:
        with below:
            stages(normalised)


def canvas() -> NDArray[np.uint8] | None:
    """The drawing, (280, 280, 4) uint8; None before the first stroke."""
    result = st_canvas(
        stroke_width=st.session_state[state.BRUSH],
        stroke_color=theme.CANVAS_INK,
        background_color=theme.CANVAS_PAPER,
        width=theme.CANVAS_PIXELS,
        height=theme.CANVAS_PIXELS,
        initial_drawing=st.session_state[state.DRAWING_AT_ENTRY],
        return_image_data=True,
        key=state.CANVAS,
    )
    if not result.json_data:
        return None
    st.session_state[state.DRAWING] = result.json_data
    return result.image_data if result.json_data.get("objects") else None


def menus() -> tuple[NDArray[np.uint8] | None, list[str]]:
    """The uploaded picture, None where there is none, and the models that are to read: one, or two side by side."""
    brush, first, second, way = st.columns([1.2, 1.5, 1.5, 1], vertical_alignment="bottom")
    brush.slider("Brush width", 6, 40, key=state.BRUSH, help="In pixels of the canvas, which is 280 wide.")
    with first:
        choice = components.model_menu("Model", state.MODEL)
    with second:
        other = components.model_menu("Beside it", state.OTHER_MODEL, optional=True)
    way.toggle("Plain resize", key=state.PLAIN, help="Shrink the whole canvas to 28×28 and do nothing else.")
    with st.expander("Read a picture instead"):
        upload = st.file_uploader("PNG or JPEG of one digit, dark on light or light on dark", ["png", "jpg", "jpeg"])
        picture = components.attempt(lambda: decode(upload.getvalue()), upload is not None)
        if picture is not None:
            st.image(picture, caption=f"{upload.name}: remove it to draw again", width=theme.CANVAS_PIXELS)
    return picture, [choice] if other in (components.NOBODY, choice) else [choice, other]


def prepare(picture: NDArray[np.uint8] | None) -> Normalised | None:
    """What the model is to see; None, and an invitation, where nothing is drawn."""
    if picture is None:
        st.info("Draw a digit from 0 to 9 in the black square. The answer comes when you lift the pen.")
        return None
    normalised = plain_resize(picture) if st.session_state[state.PLAIN] else normalise(picture)
    if normalised.blank:
        st.info("There is no ink to read yet. Draw a digit, or choose a picture that shows one.")
        return None
    return normalised


def read(normalised: Normalised, choices: list[str]) -> None:
    """Each model's answer, and the image that it saw."""
    for column, choice in zip(st.columns(len(choices)), choices, strict=True):
        with column:
            classifier = caches.classifier(components.model_path(choice))
            title = components.model_name(choice) if len(choices) > 1 else ""
            components.answer(classifier.read(normalised.image), title, normalised.image)


def stages(normalised: Normalised) -> None:
    """From the drawing to what the model sees."""
    st.subheader("From your drawing to what the model sees")
    components.strip([(stage.image, stage.name, stage.explanation) for stage in normalised.stages])


navigation.through_app()
state.default(state.BRUSH, 20)
state.default(state.PLAIN, False)
components.choose_from_link(state.MODEL)
st.title("Draw a digit")
components.fragment(workbench)  # all that a stroke makes run again
