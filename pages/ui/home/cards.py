"""The three cards on Home: train a network, look inside one, fool one."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.jobs.lifecycle import start_run
from mnist_core.runs.spec import make_spec
from pages.ui.explain.counterfactual import show_counterfactual
from pages.ui.shared import caches, digit_picker, formatting, guard, model_menu, state, visitor

QUICK_RECIPE = "fast"
SAMPLE_EPOCHS = 10
"""Epochs on the offline sample, which a laptop trains in as little time as one epoch on the full MNIST."""


def show_cards(drawn: NDArray[np.uint8] | None) -> None:
    """The cards, one below the other. `drawn`: the drawing, (28, 28) uint8, ink bright; None if there is none."""
    if _show_card(
        "Teach a network in 10 seconds",
        "It starts with random numbers. Watch it learn to read.",
        "Train",
        ":material/model_training:",
        primary=True,
    ):
        guard.try_action(_train, True)
    if _show_card(
        "See inside",
        "What each layer computes for a digit, and why the network predicts what it does.",
        "Look",
        ":material/visibility:",
    ):
        st.session_state[state.EXPLAIN_SOURCE] = digit_picker.TEST if drawn is None else digit_picker.DRAWING
        st.switch_page("pages/explain.py", query_params={"view": "layers"})
    if _show_card(
        "Fool it", "Change a few pixels, and the network reads another digit.", "Fool", ":material/theater_comedy:"
    ):
        _show_fooled(drawn)


def _show_card(title: str, text: str, label: str, icon: str, primary: bool = False) -> bool:
    """A card with a button. Returns whether the button was pressed."""
    with st.container(
        border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False
    ):
        st.markdown(f"**{title}**  \n{text}")
        return st.button(label, f"card_{label.lower()}", icon=icon, type="primary" if primary else "secondary")


def _train() -> None:
    """Starts the fastest recipe on the data that is here, and opens the Train page with the run."""
    data = caches.available_dataset()
    spec = make_spec(QUICK_RECIPE, {"epochs": SAMPLE_EPOCHS} if data == "sample" else {}, data)
    run = start_run(caches.backend(), spec, visitor.owner_id())
    st.switch_page("pages/train.py", query_params={"run": run.id})


@st.dialog("Fool it", width="medium")
def _show_fooled(drawn: NDArray[np.uint8] | None) -> None:
    """The smallest change of the drawing, or of a test digit, that changes the prediction."""
    st.session_state[state.EXPLAIN_SOURCE] = digit_picker.TEST if drawn is None else digit_picker.DRAWING
    if drawn is None:
        digit_picker.start_with_a_digit()
        digit = digit_picker.picked_test_digit()
        st.write(f"Nothing is drawn yet, so this is {formatting.escape_markdown(digit.name)}.")
        drawn = digit.image
    guard.render(lambda: show_counterfactual(model_menu.current_model(), drawn))
    st.page_link(
        "pages/explain.py", label="Why it predicts this", icon=":material/visibility:", query_params={"view": "reasons"}
    )
