"""Look into a model while it reads one digit: a drawing of one's own, or one of the test images."""

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
from pages.ui.shared import caches, components, navigation, sketchpad, state, theme
from pages.ui.shared.sketchpad import show_sketchpad

SOURCES = {"draw": "Draw a digit", "test": "A test image"}
View = Callable[[str, NDArray[np.uint8]], None]
VIEWS: dict[str, tuple[str, View]] = {
    "layers": ("Layer by layer", show_layers),
    "learned": ("What it has learned", show_weights),
    "reasons": ("Why this answer", show_attribution),
    "mind": ("What would change its mind", show_counterfactual),
    "neighbours": ("Nearest training digits", show_neighbors),
    "growth": ("Before and after training", show_growth),
    "beside": ("Two models", show_two_models),
}
"""Name in the address -> its title, and what shows it, given the choice of a model and a (28, 28) uint8 image."""


def digit() -> NDArray[np.uint8] | None:
    """The (28, 28) uint8 image to look at; None where nothing is drawn."""
    source = st.segmented_control(
        "Digit",
        list(SOURCES),
        format_func=SOURCES.get,
        key=state.EXPLAINED,
        required=True,
        on_change=state.enter_canvases,
        label_visibility="collapsed",
    )
    if source == "test":
        found = caches.mnist(caches.at_hand())
        index = int(st.number_input("Number of the test image", 0, len(found.x_test) - 1, key=state.EXPLAINED_INDEX))
        st.caption(f"It is a {found.y_test[index]}.")
        return found.x_test[index]
    return sketchpad.digit(show_sketchpad(state.CANVAS, theme.CANVAS_PIXELS))


def page() -> None:
    """All that a stroke makes run again."""
    paper, reading = st.columns([1, 2], gap="large")
    with paper:
        choice = components.model_menu("Model", state.MODEL)
        image = digit()
    with reading:
        if image is None:
            st.info("Draw a digit, or choose a test image.")
            return
        components.answer(caches.classifier(components.model_path(choice)).predict(image), "", image)
    view = navigation.view(VIEWS, state.EXPLAIN_VIEW)
    components.guarded(lambda: VIEWS[view][1](choice, image))


navigation.through_app()
state.default(state.EXPLAINED, "draw")
state.default(state.EXPLAINED_INDEX, 0)
components.choose_from_link(state.MODEL)
st.title("Look inside")
st.write("What each layer of a network makes of a digit, and why it answers as it does.")
components.fragment(page)
