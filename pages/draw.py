"""Draw a digit or a whole number and read what a model makes of it, at once; beside it every stage on the way."""

from __future__ import annotations

import streamlit as st

from mnist_core.drawing import Normalised, normalise, plain_resize
from mnist_core.numbers import read_number
from mnist_core.uploads import decode
from pages.ui import caches, components, correction, navigation, sketchpad, state, theme
from pages.ui.sketchpad import Drawing

DIGIT_CANVAS = (state.CANVAS, theme.CANVAS_PIXELS)
NUMBER_CANVAS = (state.NUMBER_CANVAS, theme.NUMBER_PIXELS)
MODES = {"digit": "One digit", "number": "A whole number"}


def workbench(number: bool, upload: Drawing | None, choices: list[str]) -> None:
    """Canvas, answer, stages: all that a stroke makes run again, and no more than that."""
    paper, reading = st.columns([3, 2] if number else [1, 2], gap="large")
    below = st.container()
    with paper:
        drawn = sketchpad.show(*(NUMBER_CANVAS if number else DIGIT_CANVAS))
        st.slider("Brush width", 6, 40, key=state.BRUSH, help="In pixels of the canvas, which is 280 high.")
    drawing = upload or drawn
    with reading:
        if drawing is None:
            invite(number)
        elif number:
            number_answers(drawing, choices)
        else:
            digit_answers(drawing, choices, below)


def page() -> None:
    """The workbench, and under it what it works with."""
    mode = st.segmented_control(
        "What to draw", list(MODES), format_func=MODES.get, key=state.MODE, required=True,
        on_change=state.enter_canvases, label_visibility="collapsed",
    )  # fmt: skip
    number = mode == "number"
    bench = st.container()
    upload, choices = menus(number)
    with bench:
        components.fragment(lambda: workbench(number, upload, choices))


def menus(number: bool) -> tuple[Drawing | None, list[str]]:
    """The uploaded picture, None where there is none, and the models that are to read: one, or two side by side."""
    first, second, way = st.columns([1.5, 1.5, 1], vertical_alignment="bottom")
    with first:
        choice = components.model_menu("Model", state.MODEL)
    with second:
        other = components.model_menu("Beside it", state.OTHER_MODEL, optional=True)
    way.toggle("Plain resize", key=state.PLAIN, help="Shrink the whole canvas to 28×28 and do nothing else.",
               disabled=number)  # fmt: skip
    with st.expander("Read a picture instead"):
        upload = st.file_uploader("PNG or JPEG, dark on light or light on dark", ["png", "jpg", "jpeg"])
        picture = components.attempt(lambda: decode(upload.getvalue()), upload is not None)
        if picture is not None:
            st.image(picture, caption=f"{upload.name}: remove it to draw again", width=theme.CANVAS_PIXELS)
    choices = [choice] if other in (components.NOBODY, choice) else [choice, other]
    return None if picture is None else Drawing(picture), choices


def invite(number: bool) -> None:
    """What to do where nothing is drawn."""
    what = "Write a whole number in the black field" if number else "Draw a digit from 0 to 9 in the black square"
    st.info(f"{what}. The answer comes when you lift the pen.")


def digit_answers(drawing: Drawing, choices: list[str], below: st.delta_generator.DeltaGenerator) -> None:
    """Each model's answer, the image that it saw, and the stages between the drawing and that image."""
    plain = st.session_state[state.PLAIN]
    normalised = plain_resize(drawing.image) if plain else normalise(drawing.image, drawing.brush)
    if normalised.blank:
        st.info("There is no ink to read yet. Draw a digit, or choose a picture that shows one.")
        return
    readings = []
    places = st.columns(len(choices)) if len(choices) > 1 else [st.container()]
    for place, choice in zip(places, choices, strict=True):
        with place:
            reading = caches.classifier(components.model_path(choice)).read(normalised.image)
            components.answer(reading, title(choice, choices), normalised.image)
            readings.append(reading)
    correction.ask(drawing, normalised.image, readings[0])
    with below:
        stages(normalised)


def number_answers(drawing: Drawing, choices: list[str]) -> None:
    """Each model's number, and its digits one by one."""
    for choice in choices:
        classifier = caches.classifier(components.model_path(choice))
        number = read_number(drawing.image, classifier, drawing.brush, drawing.strokes)
        if not number.parts:
            st.info("There is no ink to read yet. Write a number, or choose a picture that shows one.")
            return
        components.number(number, drawing.image, title(choice, choices))


def title(choice: str, choices: list[str]) -> str:
    """Whose answer it is, where that is a question."""
    return components.model_name(choice) if len(choices) > 1 else ""


def stages(normalised: Normalised) -> None:
    """From the drawing to what the model sees."""
    st.subheader("From your drawing to what the model sees")
    components.strip([(stage.image, stage.name, stage.explanation) for stage in normalised.stages])


navigation.through_app()
state.default(state.BRUSH, sketchpad.BRUSH_PIXELS)
state.default(state.PLAIN, False)
state.default(state.MODE, "digit")
components.choose_from_link(state.MODEL)
st.title("Draw a digit")
components.guarded(page)
