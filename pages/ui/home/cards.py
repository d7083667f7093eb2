"""The three cards on Home, each of which opens a page with everything set up."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs.lifecycle import start_run
from mnist_core.runs.spec import make_spec
from pages.ui.shared import caches, canvas_edits, guard, state, visitor

QUICK_RECIPE = "fast"
SAMPLE_EPOCHS = 10
"""Epochs on the offline sample, which a laptop trains in as little time as one epoch on the full MNIST."""


def show_cards() -> None:
    """The cards, one below the other."""
    if _show_card(
        "Teach a network in 10 seconds",
        "It starts with random numbers. Watch it learn to read.",
        "Train",
        ":material/model_training:",
        primary=True,
    ):
        guard.try_action(_train, True)
    if _show_card(
        "See inside", "What each layer computes for a digit, and why it decides so.", "Look", ":material/visibility:"
    ):
        _open_explain("layers")
    if _show_card("Fool it", "A few pixels, and the network reads another digit.", "Fool", ":material/theater_comedy:"):
        _open_explain("mind")


def _show_card(title: str, text: str, label: str, icon: str, primary: bool = False) -> bool:
    """A card with a button. Returns whether the button was pressed."""
    with st.container(border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{title}**  \n{text}")
        return st.button(label, f"card_{label.lower()}", icon=icon, type="primary" if primary else "secondary")


def _train() -> None:
    """Starts the fastest recipe on the data that is here, and opens the Train page with the run."""
    data = caches.available_dataset()
    spec = make_spec(QUICK_RECIPE, {"epochs": SAMPLE_EPOCHS} if data == "sample" else {}, data)
    run = start_run(caches.backend(), spec, visitor.owner_id())
    st.switch_page("pages/train.py", query_params={"run": run.id})


def _open_explain(view: str) -> None:
    """Opens a view of the Explain page with the drawing on the canvas, or with a test image if there is none."""
    st.session_state[state.EXPLAIN_SOURCE] = "draw" if canvas_edits.drawn_objects(state.CANVAS) else "test"
    st.switch_page("pages/explain.py", query_params={"view": view})
