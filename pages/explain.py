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
from pages.ui.shared import caches, guard, model_menu, navigation, prediction_view, sketchpad, state, theme
from pages.ui.shared.sketchpad import show_sketchpad

Image = NDArray[np.uint8]

SOURCES = {"draw": "Draw a digit", "test": "Test image"}
VIEWS: dict[str, tuple[str, Callable[[str, Image], None]]] = {
    "layers": ("Layers", show_layers),
    "learned": ("Weights", show_weights),
    "reasons": ("Attribution", show_attribution),
    "mind": ("Counterfactual", show_counterfactual),
    "neighbours": ("Nearest neighbors", show_neighbors),
    "growth": ("Epoch by epoch", show_growth),
    "beside": ("Compare models", show_two_models),
}
"""Name in the address -> title of the view, and the function that shows it for a model and a (28, 28) uint8 image."""


def choose_image() -> Image | None:
    """A canvas, or a field for the index of a test image. Returns (28, 28) uint8; None if the canvas is empty."""
    source = st.segmented_control(
        "Digit",
        list(SOURCES),
        format_func=SOURCES.__getitem__,
        key=state.EXPLAIN_SOURCE,
        required=True,
        on_change=state.restore_canvases,
        label_visibility="collapsed",
    )
    if source != "test":
        return sketchpad.normalized_digit(show_sketchpad(state.CANVAS, theme.CANVAS_PIXELS))
    mnist = caches.mnist(caches.available_dataset())
    last = len(mnist.x_test) - 1
    index = int(st.number_input(f"Test image (0 to {last:,})", 0, last, key=state.EXPLAINED_INDEX))
    st.caption(f"It is a {mnist.y_test[index]}.")
    image: Image = mnist.x_test[index]
    return image


def show_explain_page() -> None:
    """The page below its title: a model, an image, the prediction, and one view; a fragment that reruns on strokes."""
    inputs, prediction = st.columns([1, 2], gap="large")
    with inputs:
        choice = model_menu.select_model("Model", state.MODEL)
        image = choose_image()
    with prediction:
        if image is None:
            st.info("Draw a digit, or choose a test image.")
            return
        prediction_view.show_prediction(caches.classifier(model_menu.model_path(choice)).predict(image), "", image)
    view = navigation.select_view(VIEWS, state.EXPLAIN_VIEW)
    guard.render(lambda: VIEWS[view][1](choice, image))


navigation.ensure_app_ran()
st.session_state.setdefault(state.EXPLAIN_SOURCE, "draw")
st.session_state.setdefault(state.EXPLAINED_INDEX, 0)
model_menu.select_linked_model(state.MODEL)
st.title("Explain")
st.write("What each layer of a model does with a digit, and why the model makes its prediction.")
guard.render_fragment(show_explain_page)
