"""The view "beside" of the Explain page: two models on the same digit."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.shared import caches, components, layer_outputs, state


def show_two_models(choice: str, image: NDArray[np.uint8]) -> None:
    """Answers and walls, one model to the left and one to the right. Arguments as layers.show takes them."""
    other = components.model_menu("Beside it", state.BESIDE_MODEL, optional=True)
    if other == components.NOBODY:
        st.info("Choose a second model: the shipped one, or a run that has one.")
        return
    for side, (column, each) in enumerate(zip(st.columns(2, gap="large"), (choice, other), strict=True)):
        with column:
            reading = caches.classifier(components.model_path(each)).predict(image)
            components.answer(reading, components.model_name(each))
            layers = layer_outputs.opened(each, f"convert_beside_{side}")
            if layers is not None:
                layer_outputs.wall(layer_outputs.outputs(layers, image), f"wall_{side}")
