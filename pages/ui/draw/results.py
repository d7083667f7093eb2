"""What the selected models predict for a drawing: of one digit, or of a whole number."""

from __future__ import annotations

import time
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.charts.common import encode_png
from mnist_core.drawing.normalize import NormalizedDrawing, normalize_drawing, plain_resize
from mnist_core.drawing.whole_numbers import recognize_number
from mnist_core.models.classifier import Classifier, Prediction
from pages.ui.shared import caches, correction, figure, model_menu, prediction_view, state, thumbnails
from pages.ui.shared.sketchpad import Drawing


def show_drawing_hint(is_number: bool, is_live: bool) -> None:
    """What to do while nothing is drawn. `is_live`: the drawing is read while it is drawn."""
    what = "Write a whole number" if is_number else "Draw a digit from 0 to 9"
    st.info(f"{what}. The prediction appears {'while you draw' if is_live else 'when you lift the pen'}.")


def show_digit_results(drawing: Drawing, choices: list[str], details: DeltaGenerator, below: DeltaGenerator) -> None:
    """Each model's prediction for a digit, a form to correct it, and the stages of normalization.

    Args:
        drawing: of one digit.
        choices: of the models, at least one.
        details: where the bars and the form go.
        below: where the stages go.
    """
    plain = st.session_state[state.PLAIN]
    classifiers = _classifiers(choices)
    began = time.perf_counter()
    normalized = plain_resize(drawing.image) if plain else normalize_drawing(drawing.image, drawing.brush)
    if normalized.blank:
        st.info("There is no ink. Draw a digit, or upload an image of one.")
        return
    normalization_seconds = time.perf_counter() - began
    predictions = list[Prediction]()
    for column, choice, classifier in zip(st.columns(len(choices)), choices, classifiers, strict=True):
        began = time.perf_counter()
        predictions.append(classifier.predict(normalized.image))
        seconds = normalization_seconds + time.perf_counter() - began
        with column:
            seen = normalized.image if len(predictions) == 1 else None  # both models see the same
            prediction_view.show_answer(predictions[-1], _title(choice, choices), seen, seconds)
    with details:
        for column, prediction in zip(st.columns(len(choices)), predictions, strict=True):
            with column:
                prediction_view.show_bars(prediction)
        with st.container(horizontal=True):
            correction.show_correction_form(drawing, normalized.image, predictions[0])
            figure.show_guide("prediction", "How to read the prediction")
    with below:
        _show_stages(normalized)


def show_number_results(drawing: Drawing, choices: list[str], details: DeltaGenerator) -> None:
    """Each model's prediction for a whole number, and in `details` for its digits one by one."""
    for choice, classifier in zip(choices, _classifiers(choices), strict=True):
        began = time.perf_counter()
        number = recognize_number(drawing.image, classifier, drawing.brush, drawing.strokes)
        seconds = time.perf_counter() - began
        if not number.parts:
            st.info("There is no ink. Write a number, or upload an image of one.")
            return
        prediction_view.show_number(number, _title(choice, choices), seconds)
        with details:
            prediction_view.show_parts(number, drawing.image)


def _classifiers(choices: list[str]) -> list[Classifier]:
    """The models, loaded before an answer is timed."""
    return [caches.classifier(model_menu.model_path(choice)) for choice in choices]


def _title(choice: str, choices: list[str]) -> str:
    """The name of a model if there are several, otherwise empty."""
    return model_menu.model_name(choice) if len(choices) > 1 else ""


def _show_stages(normalized: NormalizedDrawing) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("From your drawing to what the model sees", width="content")
        figure.show_guide("stages", "How a drawing is prepared")
    thumbnails.show_strip([(stage.image, stage.name, stage.explanation) for stage in normalized.stages])
    st.download_button(
        "28×28 as PNG",
        partial(encode_png, normalized.image),
        "digit.png",
        "image/png",
        key="digit_download",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
