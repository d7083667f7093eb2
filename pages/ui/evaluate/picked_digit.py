"""The digit that Explain and Evaluate share, and the prediction for it, behind a button of the Evaluate page."""

from __future__ import annotations

import streamlit as st

from pages.ui.shared import caches, digit_picker, formatting, model_menu, prediction_view


def show_picked_digit(choice: str) -> None:
    """A button that opens the picker and the prediction. `choice`: of model_menu.select_model."""
    with st.popover(
        f"Digit: {formatting.escape_markdown(digit_picker.picked_name())}",
        icon=":material/edit:",
        width="stretch",
        key="picked_digit",
    ):
        digit = digit_picker.pick_digit()
        reading = caches.classifier(model_menu.model_path(choice)).predict(digit.image)
        prediction_view.show_answer(reading, digit.name, digit.image)
        digit_picker.show_whether_wrong(digit, reading)
        st.page_link("pages/explain.py", label="See inside the model for this digit", icon=":material/visibility:")
