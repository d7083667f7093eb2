"""The Explain page: what happens inside a model when it classifies one digit, drawn by the user or a test image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.explain.attribution import show_attribution
from pages.ui.explain.counterfactual import show_counterfactual
from pages.ui.explain.growth import show_growth
from pages.ui.explain.layers import show_layers
from pages.ui.explain.neighbors import show_neighbors
from pages.ui.explain.two_models import show_two_models
from pages.ui.explain.weights import show_weights
from pages.ui.shared import caches, digit_picker, guard, model_menu, navigation, prediction_view, state

Image = NDArray[np.uint8]

VIEWS: dict[str, tuple[str, Callable[[str, Image], None]]] = {
    "layers": ("Layers", show_layers),
    "reasons": ("Attribution", show_attribution),
    "mind": ("Counterfactual", show_counterfactual),
    "growth": ("Epoch by epoch", show_growth),
    "learned": ("Weights", show_weights),
    "neighbours": ("Nearest neighbors", show_neighbors),
    "beside": ("Compare models", show_two_models),
}
"""Name in the address -> title of the view, and the function that shows it for a model and a (28, 28) uint8 image."""
SPECIALIST_VIEWS = ("learned", "neighbours", "beside")


def show_explain_page() -> None:
    """The page below its title: a model, a digit, the prediction, and one view; a fragment that reruns on strokes."""
    inputs, answer, bars = st.columns([3, 2, 4], gap="medium")
    with inputs:
        choice = model_menu.select_model("Model", state.MODEL)
        digit = digit_picker.pick_digit()
    reading = caches.classifier(model_menu.model_path(choice)).predict(digit.image)
    with answer:
        prediction_view.show_answer(reading, "", digit.image)
        digit_picker.show_whether_wrong(digit, reading)
    with bars:
        prediction_view.show_bars(reading)
    view = navigation.select_view(VIEWS, state.EXPLAIN_VIEW, SPECIALIST_VIEWS)
    guard.render(lambda: VIEWS[view][1](choice, digit.image))


navigation.ensure_app_ran()
model_menu.select_linked_model(state.MODEL)
st.title("Explain")
guard.render_fragment(show_explain_page)
