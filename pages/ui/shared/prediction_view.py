"""What a model predicts for a drawing: the digit or the whole number, its confidence, and the probabilities."""

from __future__ import annotations

import html
from collections.abc import Sequence

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import data_url, format_percent
from mnist_core.drawing.whole_numbers import WholeNumber
from mnist_core.models.classifier import REJECT_ABOVE, Prediction
from pages.ui.shared import theme, thumbnails
from pages.ui.shared.thumbnails import PictureHtml

UNSURE_BELOW = 0.5
"""Confidence below which a prediction is shown faintly."""
NOTHING = "?"
"""Shown in place of the digit if a drawing is rejected."""
NOT_A_DIGIT_NAME = "not a digit"


def show_prediction(reading: Prediction, title: str = "", seen: NDArray[np.uint8] | None = None) -> None:
    """The prediction for one image, with a bar for each output. The arguments are those of `answer_html`."""
    show_answer(reading, title, seen)
    show_bars(reading)


def show_answer(reading: Prediction, title: str = "", seen: NDArray[np.uint8] | None = None) -> None:
    """The prediction for one image. The arguments are those of `answer_html`."""
    st.html(PictureHtml(answer_html(reading, title, seen)))


def answer_html(
    reading: Prediction, title: str = "", seen: NDArray[np.uint8] | None = None, seconds: float | None = None
) -> str:
    """HTML of the predicted digit or "not a digit", its confidence, and the model's input.

    Args:
        reading: the prediction.
        title: name of the model; empty if there is only one.
        seen: the model's input, (28, 28) uint8; None to leave it out.
        seconds: how long it took; None to leave it out.
    """
    model_input = "" if seen is None else thumbnails.captioned_html(seen, "what the model sees", "28×28 pixels")
    if reading.rejected:
        attribute, digit, confidence = "data-rejected", NOTHING, "That does not look like a digit"
    else:
        digit, confidence = f"{reading.digit:d}", format_percent(reading.confidence)
        attribute = f'data-digit="{digit}"'
    is_unsure = not reading.rejected and reading.confidence < UNSURE_BELOW
    return (
        f'{_title_html(title)}<div class="lab-answer" role="status" {attribute}>'
        f"{_digit_html(digit, is_unsure)}"
        f"{_confidence_html(confidence, seconds)}{model_input}</div>"
    )


def columns_html(columns: Sequence[str], part: str) -> str:
    """HTML of one column for each model. `part`: "answer" or "bars", as of `live_reading.show_place`."""
    return f'<div class="lab-models" data-part="{part}">{"".join(f"<div>{column}</div>" for column in columns)}</div>'


def show_bars(reading: Prediction) -> None:
    """A bar for each output of the model."""
    st.html(bars_html(reading))


def bars_html(reading: Prediction) -> str:
    """HTML of a bar for each output of the model."""
    return probability_bars(reading.probabilities, reading.not_a_digit)


def prediction_text(reading: Prediction) -> str:
    """A prediction in words: `3, 98.5%` or `not a digit, 99.0%`."""
    if reading.rejected:
        return f"{NOT_A_DIGIT_NAME}, {format_percent(reading.not_a_digit)}"
    return f"{reading.digit}, {format_percent(reading.confidence)}"


def number_html(number: WholeNumber, title: str = "", seconds: float | None = None) -> str:
    """HTML of the predicted whole number and its confidence. A digit that does not look like one is a question mark.

    Args:
        number: has at least one part.
        title: name of the model; empty if there is only one.
        seconds: how long it took; None to leave it out.
    """
    confidence = "That does not look like a number" if number.rejected else format_percent(number.confidence)
    digits = "".join(NOTHING if part.prediction.rejected else f"{part.prediction.digit:d}" for part in number.parts)
    return (
        f'{_title_html(title)}<div class="lab-answer" role="status" data-number="{html.escape(number.text)}">'
        f"{_digit_html(digits, number.rejected or number.confidence < UNSURE_BELOW)}"
        f"{_confidence_html(confidence, seconds)}</div>"
    )


def parts_html(number: WholeNumber, drawing: NDArray[np.uint8]) -> str:
    """HTML of where each digit of a whole number was found, and the model's input for each.

    Args:
        number: has at least one part.
        drawing: what it was found in, (H, W), (H, W, 3) or (H, W, 4) uint8.
    """
    boxes = data_url(_with_boxes(number, drawing))
    alt = f"your drawing with a frame around each of {len(number.parts)} digits"
    parts = [(part.image, *_digit_caption(part.prediction)) for part in number.parts]
    return f'<img class="lab-boxes" alt="{alt}" src="{boxes}">{thumbnails.strip_html(parts, 84)}'


def probability_bars(probabilities: NDArray[np.float32], not_a_digit: float = 0.0) -> str:
    """HTML of a bar for each output: the ten digits, and "not a digit" for a model that has this output.

    Args:
        probabilities: (10,) float32, 0..1.
        not_a_digit: 0..1; 0 for a model that has only ten outputs.
    """
    outputs = {str(digit): value for digit, value in enumerate(probabilities.tolist())}
    first = str(int(probabilities.argmax()))
    if not_a_digit > 0:
        outputs[NOT_A_DIGIT_NAME] = not_a_digit
        first = NOT_A_DIGIT_NAME if not_a_digit > REJECT_ABOVE else first
    rows = []
    for name, value in outputs.items():
        label, mark = (f"<b>{name}</b>", " first") if name == first else (name, "")
        rows.append(
            f'<span>{label}</span><span class="lab-track"><span class="lab-bar{mark}" style="width:{100 * value:.1f}%">'
            f'</span></span><span class="lab-value">{html.escape(format_percent(value))}</span>'
        )
    return f'<div class="lab-bars">{"".join(rows)}</div>'


def _title_html(title: str) -> str:
    return f'<div class="lab-note">{html.escape(title)}</div>' if title else ""


def _confidence_html(confidence: str, seconds: float | None) -> str:
    """The confidence, and below it how long the answer took: `in 4 ms`, as `answer_view.js` writes it."""
    time = "" if seconds is None else f'<div class="lab-note lab-time">in {max(1, round(1000 * seconds))} ms</div>'
    return f'<div><div class="lab-sure">{confidence}</div>{time}</div>'


def _digit_html(text: str, is_unsure: bool) -> str:
    return f'<div class="lab-digit{" unsure" if is_unsure else ""}">{text}</div>'


def _digit_caption(reading: Prediction) -> tuple[str, str]:
    """Name and text under one digit of a number."""
    if reading.rejected:
        return NOTHING, NOT_A_DIGIT_NAME
    return str(reading.digit), format_percent(reading.confidence)


def _with_boxes(number: WholeNumber, drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The drawing with a frame around each digit, (H, W, 3) uint8."""
    framed = np.array(np.broadcast_to(_on_paper(np.atleast_3d(drawing)), (*drawing.shape[:2], 3)), order="C")
    width = max(1, drawing.shape[0] // 140)
    for part in number.parts:
        left, top, right, bottom = part.box
        color = theme.REJECTED if part.prediction.rejected else theme.FRAME
        cv2.rectangle(framed, (left - width, top - width), (right - 1 + width, bottom - 1 + width), color, width)
    return framed


def _on_paper(drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawing without its transparency, (H, W, 1 or 3) uint8: on white, or on black if its ink is light.

    Args:
        drawing: (H, W, 1), (H, W, 3) or (H, W, 4) uint8.
    """
    colors, alpha = drawing[..., :3], drawing[..., 3:]
    if alpha.size == 0 or alpha.min() == 255:
        return colors
    ink = colors.astype(np.uint16) * alpha
    paper = 0 if ink.sum() > 128 * 3 * alpha.sum() else 255
    return ((ink + np.uint16(paper) * (255 - alpha)) // 255).astype(np.uint8)
