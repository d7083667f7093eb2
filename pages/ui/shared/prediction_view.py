"""What a model predicts for a drawing: the digit or the whole number, its confidence, and the probabilities."""

from __future__ import annotations

import html

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import data_url, format_percent
from mnist_core.drawing.whole_numbers import WholeNumber
from mnist_core.models.classifier import Prediction
from pages.ui.shared import theme, thumbnails

UNSURE_BELOW = 0.5
"""Confidence below which a prediction is shown faintly."""


def show_prediction(reading: Prediction, title: str = "", seen: NDArray[np.uint8] | None = None) -> None:
    """The predicted digit, its confidence, the model's input, and a bar for each digit's probability.

    Args:
        reading: the prediction.
        title: name of the model; empty if there is only one.
        seen: the model's input, (28, 28) uint8; None to leave it out.
    """
    model_input = "" if seen is None else thumbnails.captioned_html(seen, "what the model sees", "28×28 pixels")
    confidence = "That does not look like a digit" if reading.rejected else format_percent(reading.confidence)
    st.html(
        f'{_title_html(title)}<div class="lab-answer" role="status" data-digit="{reading.digit}">'
        f'<div class="lab-digit{_unsure_class(reading.rejected, reading.confidence)}">{reading.digit}</div>'
        f'<div class="lab-sure">{confidence}</div>{model_input}</div>{probability_bars(reading.probabilities)}'
    )


def show_number(number: WholeNumber, drawing: NDArray[np.uint8], title: str = "") -> None:
    """The predicted whole number, where each digit was found, and the model's input for each.

    Args:
        number: has at least one part.
        drawing: what it was found in, (H, W), (H, W, 3) or (H, W, 4) uint8.
        title: name of the model; empty if there is only one.
    """
    confidence = "That does not look like a number" if number.rejected else format_percent(number.confidence)
    boxes = data_url(_with_boxes(number, drawing))
    st.html(
        f'{_title_html(title)}<div class="lab-answer" role="status" data-number="{number.text}">'
        f'<div class="lab-digit{_unsure_class(number.rejected, number.confidence)}">{number.text}</div>'
        f'<div class="lab-sure">{confidence}</div></div>'
        f'<img class="lab-boxes" alt="where each digit was found" src="{boxes}">'
    )
    readings = [(part.image, part.prediction) for part in number.parts]
    thumbnails.show_strip([(image, str(reading.digit), _digit_confidence(reading)) for image, reading in readings], 84)


def probability_bars(probabilities: NDArray[np.float32]) -> str:
    """HTML of ten bars. `probabilities`: (10,) float32."""
    first = int(probabilities.argmax())
    rows = []
    for digit, value in enumerate(probabilities.tolist()):
        name = f"<b>{digit}</b>" if digit == first else str(digit)
        mark = " first" if digit == first else ""
        rows.append(
            f'<span>{name}</span><span class="lab-track"><span class="lab-bar{mark}" style="width:{100 * value:.1f}%">'
            f'</span></span><span class="lab-value">{html.escape(format_percent(value))}</span>'
        )
    return f'<div class="lab-bars">{"".join(rows)}</div>'


def _title_html(title: str) -> str:
    return f'<div class="lab-note">{html.escape(title)}</div>' if title else ""


def _unsure_class(rejected: bool, confidence: float) -> str:
    return " unsure" if rejected or confidence < UNSURE_BELOW else ""


def _digit_confidence(reading: Prediction) -> str:
    return "not a digit" if reading.rejected else format_percent(reading.confidence)


def _with_boxes(number: WholeNumber, drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The drawing with a frame around each digit, (H, W, 3) uint8."""
    framed = np.ascontiguousarray(np.broadcast_to(np.atleast_3d(drawing)[..., :3], (*drawing.shape[:2], 3)))
    width = max(1, drawing.shape[0] // 140)
    for part in number.parts:
        left, top, right, bottom = part.box
        color = theme.REJECTED if part.prediction.rejected else theme.FRAME
        cv2.rectangle(framed, (left - width, top - width), (right - 1 + width, bottom - 1 + width), color, width)
    return framed
