"""The comparison view: predictions and activations of two models for the same digit, side by side."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.shared import caches, components, layer_outputs, state


def show_two_models(choice: str, image: NDArray[np.uint8]) -> None:
    """A menu of the second model, and both models side by side.

    Args:
        choice: of components.model_menu.
        image: (28, 28) uint8.
    """
    other = components.model_menu("Compare with", state.BESIDE_MODEL, optional=True)
    if other == components.NOBODY:
        st.info("Choose a second model to compare with.")
        return
    for number, (column, model) in enumerate(zip(st.columns(2, gap="large"), (choice, other), strict=True)):
        with column:
            prediction = caches.classifier(components.model_path(model)).predict(image)
            components.answer(prediction, components.model_name(model))
            layers = layer_outputs.opened(model, f"convert_beside_{number}")
            if layers is not None:
                layer_outputs.wall(layer_outputs.outputs(layers, image), f"wall_{number}")
