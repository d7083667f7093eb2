"""The picker of a digit that Explain and Evaluate share: a test digit, or the visitor's drawing. Both pages keep it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.browse import next_with_label
from mnist_core.explain.findings import output_name
from mnist_core.models.classifier import Prediction
from pages.ui.shared import caches, canvas_edits, formatting, sketchpad, state, theme

TEST, DRAWING = "test", "draw"
"""Where the digit is from, as the session keeps it."""
SOURCES = {TEST: "Test digit", DRAWING: "Your drawing"}


@dataclass(frozen=True, eq=False)
class PickedDigit:
    """A digit.

    Attributes:
        image: (28, 28) uint8, ink bright.
        name: `test image 12, a 7`, or `your drawing`.
        label: what it shows, 0..9; None for a drawing.
    """

    image: NDArray[np.uint8]
    name: str
    label: int | None = None


def pick_digit() -> PickedDigit:
    """Shows the picker. It starts with the drawing on the canvas, or with a test digit if there is none."""
    start_with_a_digit()
    source = st.segmented_control(
        "Digit",
        list(SOURCES),
        format_func=SOURCES.__getitem__,
        key=state.EXPLAIN_SOURCE,
        required=True,
        on_change=state.restore_canvases,
    )
    if source == TEST:
        show_test_digit_menu()
        return picked_test_digit()
    image = sketchpad.normalized_digit(sketchpad.show_sketchpad(state.CANVAS, theme.CANVAS_PIXELS))
    if image is not None:
        return PickedDigit(image, "your drawing")
    digit = picked_test_digit()
    st.caption(f"Draw a digit here. Until then you see {formatting.escape_markdown(digit.name)}.")
    return digit


def show_whether_wrong(digit: PickedDigit, reading: Prediction) -> None:
    """Says so if the model misreads a test digit."""
    if digit.label is not None and reading.label != digit.label:
        st.markdown(f":orange[:material/close: **Wrong: it is {output_name(digit.label)}.**]")


def start_with_a_digit() -> None:
    """Chooses what the picker shows first."""
    drawn = canvas_edits.drawn_objects(state.CANVAS)
    st.session_state.setdefault(state.EXPLAIN_SOURCE, DRAWING if drawn else TEST)
    st.session_state.setdefault(state.EXPLAINED_INDEX, 0)


def pick_test_digit(index: int) -> None:
    """Callback, or called before the picker is shown: makes a test image the picked digit."""
    st.session_state[state.EXPLAIN_SOURCE], st.session_state[state.EXPLAINED_INDEX] = TEST, index


def picked_name() -> str:
    """The name of the picked digit, before the picker is shown."""
    start_with_a_digit()
    return "your drawing" if st.session_state[state.EXPLAIN_SOURCE] == DRAWING else picked_test_digit().name


def picked_test_digit() -> PickedDigit:
    """The test image whose index the picker keeps."""
    index, mnist = int(st.session_state[state.EXPLAINED_INDEX]), caches.mnist(caches.available_dataset())
    label = int(mnist.y_test[index])
    return PickedDigit(mnist.x_test[index], f"test image {index:,}, {output_name(label)}", label)


def show_test_digit_menu() -> None:
    """The ten digits, each of which leads to the next test image of it, and the index of the image."""
    labels = caches.mnist(caches.available_dataset()).y_test
    st.session_state[state.EXPLAINED_LABEL] = int(labels[st.session_state[state.EXPLAINED_INDEX]])
    st.pills(
        "Test digits: click again for another one",
        range(NUM_CLASSES),
        key=state.EXPLAINED_LABEL,
        on_change=_choose_next_image,
    )
    st.number_input(f"Test image (0 to {len(labels) - 1:,})", 0, len(labels) - 1, key=state.EXPLAINED_INDEX)


def _choose_next_image() -> None:
    """Callback: moves on to the next image of the clicked digit. The current one, clicked again, arrives as None."""
    labels = caches.mnist(caches.available_dataset()).y_test
    index, clicked = st.session_state[state.EXPLAINED_INDEX], st.session_state[state.EXPLAINED_LABEL]
    label = int(labels[index]) if clicked is None else clicked
    st.session_state[state.EXPLAINED_INDEX] = next_with_label(labels, label, index)
