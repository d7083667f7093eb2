"""What the selected models predict for a drawing: of one digit, or of a whole number."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.drawing.normalize import normalize_drawing, plain_resize
from mnist_core.drawing.whole_numbers import recognize_number
from mnist_core.models.classifier import Classifier, Prediction
from pages.ui.shared import caches, model_menu, prediction_view, state, thumbnails
from pages.ui.shared.sketchpad import Drawing


@dataclass(frozen=True, eq=False)
class Reading:
    """What the models predict for a drawing, ready to be shown.

    Attributes:
        drawing: what was read.
        image: the input of the first model, (28, 28) uint8, of a whole number's first digit.
        prediction: of the first model for that image.
        answer: HTML of the digit or the number.
        details: HTML of the bars, or of a number's digits.
        stages: HTML of the normalization; empty for a number.
    """

    drawing: Drawing
    image: NDArray[np.uint8]
    prediction: Prediction
    answer: str
    details: str
    stages: str = ""


def show_drawing_hint(is_number: bool, is_live: bool) -> None:
    """What to do while nothing is drawn. `is_live`: the drawing is read while it is drawn."""
    what = "Write a whole number" if is_number else "Draw a digit from 0 to 9"
    st.info(f"{what}. The prediction appears {'while you draw' if is_live else 'when you lift the pen'}.")


def read_digit(drawing: Drawing, choices: list[str]) -> Reading | None:
    """Returns each model's prediction for a digit, with the stages of normalization; None if there is no ink.

    Args:
        drawing: of one digit.
        choices: of the models, at least one.
    """
    plain = st.session_state[state.PLAIN]
    classifiers = _classifiers(choices)
    began = time.perf_counter()
    normalized = plain_resize(drawing.image) if plain else normalize_drawing(drawing.image, drawing.brush)
    if normalized.blank:
        return None
    normalization_seconds = time.perf_counter() - began
    predictions, answers = list[Prediction](), list[str]()
    for choice, classifier in zip(choices, classifiers, strict=True):
        began = time.perf_counter()
        predictions.append(classifier.predict(normalized.image))
        seconds = normalization_seconds + time.perf_counter() - began
        seen = None if answers else normalized.image  # both models see the same
        answers.append(prediction_view.answer_html(predictions[-1], _title(choice, choices), seen, seconds))
    return Reading(
        drawing,
        normalized.image,
        predictions[0],
        prediction_view.columns_html(answers, "answer"),
        prediction_view.columns_html([prediction_view.bars_html(prediction) for prediction in predictions], "bars"),
        thumbnails.strip_html([(stage.image, stage.name, stage.explanation) for stage in normalized.stages]),
    )


def read_number(drawing: Drawing, choices: list[str]) -> Reading | None:
    """Returns each model's prediction for a whole number, with its digits one by one; None if there is no ink."""
    answers, details, first = list[str](), list[str](), None
    for choice, classifier in zip(choices, _classifiers(choices), strict=True):
        began = time.perf_counter()
        number = recognize_number(drawing.image, classifier, drawing.brush, drawing.strokes)
        seconds = time.perf_counter() - began
        if not number.parts:
            return None
        first = first or number.parts[0]
        answers.append(prediction_view.number_html(number, _title(choice, choices), seconds))
        details.append(prediction_view.parts_html(number, drawing.image))
    if first is None:
        return None
    return Reading(drawing, first.image, first.prediction, "".join(answers), "".join(details))


def _classifiers(choices: list[str]) -> list[Classifier]:
    """The models, loaded before an answer is timed."""
    return [caches.classifier(model_menu.model_path(choice)) for choice in choices]


def _title(choice: str, choices: list[str]) -> str:
    """The name of a model if there are several, otherwise empty."""
    return model_menu.distinct_names(choices)[choice] if len(choices) > 1 else ""
