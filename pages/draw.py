"""Draw a digit and read what a model makes of it, at once; beside it every stage between the drawing and the model."""

from __future__ import annotations

import numpy as np
import streamlit as st
from mnist_core.drawing import Normalised, decode, normalise, plain_resize
from numpy.typing import NDArray
from streamlit_drawable_canvas import st_canvas

from pages.ui import caches, components, state, theme


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


def drawing() -> NDArray[np.uint8] | None:
    """What is to be read: the upload where there is one, else the canvas."""
    drawn = canvas()
    st.slider("Brush width", 6, 40, key=state.BRUSH, help="In pixels of the canvas, which is 280 wide.")
    with st.expander("Read a picture instead"):
        upload = st.file_uploader("PNG or JPEG of one digit, dark on light or light on dark", ["png", "jpg", "jpeg"])
    if upload is None:
        return drawn
    picture = decode(upload.getvalue())
    st.image(picture, caption=f"{upload.name}: remove it to draw again", width=theme.CANVAS_PIXELS)
    return picture


def read(normalised: Normalised, choice: str, title: str) -> None:
    """One model's answer."""
    classifier = caches.classifier(components.model_path(choice))
    components.answer(classifier.digits(normalised.image[None])[0], title)


def workbench() -> None:
    """Canvas and answer."""
    paper, reading = st.columns([1, 2], gap="large")
    with paper:
        picture = drawing()
    with reading:
        choices = menus()
        if picture is None:
            st.info("Draw a digit from 0 to 9 in the black square. The answer comes when you lift the pen.")
            return
        normalised = plain_resize(picture) if st.session_state[state.PLAIN] else normalise(picture)
        if normalised.blank:
            st.info("There is no ink to read yet. Draw a digit, or choose a picture that shows one.")
            return
        for column, choice in zip(st.columns(len(choices)), choices, strict=True):
            with column:
                read(normalised, choice, components.model_name(choice) if len(choices) > 1 else "")
    stages(normalised)


def menus() -> list[str]:
    """The models that are to read it: one, or two side by side."""
    first, second, way = st.columns([2, 2, 1.4], vertical_alignment="bottom")
    with first:
        choice = components.model_menu("Model", state.MODEL)
    with second:
        other = components.model_menu("Beside it", state.OTHER_MODEL, optional=True)
    way.toggle("Plain resize", key=state.PLAIN, help="Shrink the whole canvas to 28×28 and do nothing else.")
    return [choice] if other in (components.NOBODY, choice) else [choice, other]


def stages(normalised: Normalised) -> None:
    """From the drawing to what the model sees."""
    st.subheader("What the model sees")
    pictures = [(stage.image, stage.name, stage.explanation) for stage in normalised.stages]
    components.strip([*pictures, (normalised.image, "28×28", "The image that the model sees.")])


state.default(state.BRUSH, 20)
state.default(state.PLAIN, False)
components.choose_from_link(state.MODEL)
st.title("Draw a digit")
components.fragment(workbench)  # all that a stroke makes run again
