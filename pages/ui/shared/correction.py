"""Under an answer: "it was a 7". The drawing is kept, with consent, to teach the model later."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.handwriting.corrections import save_correction
from mnist_core.models.classifier import Prediction
from pages.ui.shared import guard, state, visitor
from pages.ui.shared.sketchpad import Drawing

CONSENT = (
    "Keep this drawing on this server. Everyone who uses this app can see it on the Data page, download it "
    "and teach a model with it; you can delete it there."
)


def label_name(label: int) -> str:
    """A label for people."""
    return "no digit" if label == NOT_A_DIGIT else str(label)


def show_correction_form(drawing: Drawing, image: NDArray[np.uint8], reading: Prediction) -> None:
    """Asks what the drawing really is. `image`: (28, 28) uint8, as the model saw it."""
    with st.popover("It was something else", icon=":material/edit:"):
        truth = st.segmented_control(
            "What did you draw?", range(NOT_A_DIGIT + 1), format_func=label_name, key=state.CORRECT_LABEL
        )
        agreed = st.checkbox(CONSENT, key=state.CONSENT)
        pressed = st.button("Keep it", type="primary", disabled=truth is None or not agreed)
        if pressed and truth is not None and agreed:
            guard.try_action(lambda: _keep(drawing, image, truth, reading), True)
        if truth is not None and st.session_state.get(state.LAST_CORRECTION) == (image.tobytes(), truth):
            st.success(f"Kept as {label_name(truth)}. On the Data page you can teach it to a model, or delete it.")
            st.page_link(
                "pages/data.py", label="Kept drawings", icon=":material/database:", query_params={"view": "kept"}
            )


def _keep(drawing: Drawing, image: NDArray[np.uint8], truth: int, reading: Prediction) -> None:
    this = (image.tobytes(), truth)
    if st.session_state.get(state.LAST_CORRECTION) != this:
        read_as = NOT_A_DIGIT if reading.rejected else reading.digit
        save_correction(image, truth, read_as, drawing.strokes, drawing.brush or 0.0, visitor.owner_id())
        st.session_state[state.LAST_CORRECTION] = this
