"""Home: what Digit Lab is, a canvas that works at once, and three ways to begin."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.home.cards import show_cards
from pages.ui.shared import (
    caches,
    guard,
    live_reading,
    model_menu,
    navigation,
    prediction_view,
    sketchpad,
    state,
    theme,
)
from pages.ui.tour import guide


def show_home() -> None:
    """The whole page; a fragment, so that a stroke reruns nothing else."""
    with st.container(key="home_workbench"):
        answer = st.container(key="answer")
        pad = st.container(key="pad")
        details = st.container(key="details")
    with pad:
        paper, buttons = sketchpad.lay_out_pad(state.CANVAS, theme.LARGE_CANVAS_PIXELS)
        with paper:
            drawing = sketchpad.show_canvas(state.CANVAS, theme.CANVAS_PIXELS)
        with buttons:
            sketchpad.show_buttons(state.CANVAS, examples=True)
        models = live_reading.models_in_browser([model_menu.current_model()])
    with answer:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.title("Digit Lab", width="content")
            guide.show_tour_button()
        st.write("Train neural networks that read handwriting, and look inside them while they learn.")
        image = sketchpad.normalized_digit(drawing)
        with st.container(key="home_answer"):
            live_reading.show_place(state.CANVAS, "answer")
            if image is None:
                when = "while you draw" if models else "when you lift the pen"
                st.info(f"Draw a digit from 0 to 9. A network reads it {when}.")
            else:
                caches.backend().prepare()  # whoever draws is likely to train next
                guard.render(partial(show_prediction, image))
    with details:
        show_cards(image)
    with pad:
        live_reading.show_live_reading(state.CANVAS, models)


def show_prediction(image: NDArray[np.uint8]) -> None:
    """What the current model reads. `image`: (28, 28) uint8."""
    model = caches.classifier(model_menu.model_path(model_menu.current_model()))
    prediction_view.show_answer(model.predict(image), seen=image)


navigation.ensure_app_ran()
guard.render_fragment(show_home)
