"""What models make of a drawing: of one digit, or of a whole number."""

from __future__ import annotations

from functools import partial

import streamlit as st

from mnist_core.charts.common import encode_png
from mnist_core.drawing.normalize import NormalizedDrawing, normalize_drawing, plain_resize
from mnist_core.drawing.whole_numbers import recognize_number
from pages.ui.shared import caches, correction, model_menu, prediction_view, state, thumbnails
from pages.ui.shared.sketchpad import Drawing

DOWNLOAD = ":material/download:"


def show_drawing_hint(number: bool) -> None:
    """What to do where nothing is drawn."""
    what = "Write a whole number in the black field" if number else "Draw a digit from 0 to 9 in the black square"
    st.info(f"{what}. The answer comes when you lift the pen.")


def show_digit_results(drawing: Drawing, choices: list[str], below: st.delta_generator.DeltaGenerator) -> None:
    """Each model's answer, the image that it saw, and the stages between the drawing and that image."""
    plain = st.session_state[state.PLAIN]
    normalised = plain_resize(drawing.image) if plain else normalize_drawing(drawing.image, drawing.brush)
    if normalised.blank:
        st.info("There is no ink to read yet. Draw a digit, or choose a picture that shows one.")
        return
    readings = []
    places = st.columns(len(choices)) if len(choices) > 1 else [st.container()]
    for place, choice in zip(places, choices, strict=True):
        with place:
            reading = caches.classifier(model_menu.model_path(choice)).predict(normalised.image)
            prediction_view.show_prediction(reading, _title(choice, choices), normalised.image)
            readings.append(reading)
    correction.show_correction_form(drawing, normalised.image, readings[0])
    with below:
        _stages(normalised)


def show_number_results(drawing: Drawing, choices: list[str]) -> None:
    """Each model's number, and its digits one by one."""
    for choice in choices:
        classifier = caches.classifier(model_menu.model_path(choice))
        number = recognize_number(drawing.image, classifier, drawing.brush, drawing.strokes)
        if not number.parts:
            st.info("There is no ink to read yet. Write a number, or choose a picture that shows one.")
            return
        prediction_view.show_number(number, drawing.image, _title(choice, choices))


def _title(choice: str, choices: list[str]) -> str:
    """Whose answer it is, where that is a question."""
    return model_menu.model_name(choice) if len(choices) > 1 else ""


def _stages(normalised: NormalizedDrawing) -> None:
    """From the drawing to what the model sees."""
    st.subheader("From your drawing to what the model sees")
    thumbnails.show_strip([(stage.image, stage.name, stage.explanation) for stage in normalised.stages])
    st.download_button(
        "28×28 as PNG",
        partial(encode_png, normalised.image),
        "digit.png",
        "image/png",
        key="digit_download",
        on_click="ignore",
        type="tertiary",
        icon=DOWNLOAD,
    )
