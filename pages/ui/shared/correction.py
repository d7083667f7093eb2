"""Corrections: "it was a 7". With the visitor's consent, a misread drawing is kept to fine-tune a model later."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.handwriting.corrections import Correction, save_correction
from mnist_core.models.classifier import Prediction
from pages.ui.shared import feedback, guard, state, visitor
from pages.ui.shared.sketchpad import Drawing

CONSENT = (
    "Keep this drawing on this server. Everyone who uses this app can see it on the Data page, download it, and "
    "fine-tune a model on it. You can delete it there."
)


def label_name(label: int) -> str:
    """A label as the page shows it."""
    return "not a digit" if label == NOT_A_DIGIT else f"{label:d}"


def show_correction_form(drawing: Drawing, image: NDArray[np.uint8], prediction: Prediction) -> None:
    """Asks what a drawing shows, and keeps it with this label.

    Args:
        drawing: what was drawn.
        image: the model's input, (28, 28) uint8.
        prediction: what the model took it for.
    """
    if st.session_state.get(state.CORRECTED_IMAGE) != image.tobytes():  # another drawing: no label is chosen for it
        st.session_state[state.CORRECTED_IMAGE], st.session_state[state.CORRECT_LABEL] = image.tobytes(), None
    with st.popover("Correct the prediction", icon=":material/edit:"):
        label = st.segmented_control(
            "What did you draw?", range(NOT_A_DIGIT + 1), format_func=label_name, key=state.CORRECT_LABEL
        )
        agreed = st.checkbox(CONSENT, key=state.CONSENT)
        pressed = st.button("Keep drawing", type="primary", disabled=label is None or not agreed)
        if label is None:
            return
        guard.try_action(lambda: _keep_drawing(drawing, image, label, prediction), pressed and agreed)
        if (kept := _last_correction(image)) and kept.label == label:
            st.success(f"Kept as {label_name(label)}. You can delete it or fine-tune a model on it on the Data page.")
            st.page_link(
                "pages/data.py", label="Kept drawings", icon=":material/database:", query_params={"view": "kept"}
            )


def has_label() -> bool:
    """Whether a label is chosen in the form, which another stroke takes back."""
    return st.session_state.get(state.CORRECT_LABEL) is not None


def follow_drawing(image: NDArray[np.uint8]) -> None:
    """Lets the next chosen label be that of this image, (28, 28) uint8. Call it when a stroke changes the image."""
    if not has_label():
        st.session_state[state.CORRECTED_IMAGE] = image.tobytes()


def _last_correction(image: NDArray[np.uint8]) -> Correction | None:
    """What this session kept last, if it is this image."""
    last: Correction | None = st.session_state.get(state.LAST_CORRECTION)
    return last if last and np.array_equal(last.image, image) else None


def _keep_drawing(drawing: Drawing, image: NDArray[np.uint8], label: int, prediction: Prediction) -> None:
    """Saves the correction, unless it is the one saved last. Another label for the same image replaces it."""
    last = _last_correction(image)
    if last and last.label == label:
        return
    st.session_state[state.LAST_CORRECTION] = save_correction(
        image,
        label,
        prediction.label,
        drawing.strokes,
        drawing.brush or 0.0,
        visitor.owner_id(),
        replaces=last.name if last else None,
    )
    feedback.confirm(f"Kept as {label_name(label)} on the Data page.")
