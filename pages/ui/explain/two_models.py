"""The comparison view: predictions and layer outputs of two models for the same digit, side by side."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.shared import caches, layer_outputs, model_menu, prediction_view, state


def show_two_models(choice: str, image: NDArray[np.uint8]) -> None:
    """A menu of the second model, and both models side by side.

    Args:
        choice: of model_menu.select_model.
        image: (28, 28) uint8.
    """
    other = model_menu.select_model("Compare with", state.COMPARED_MODEL, optional=True, exclude=choice)
    if other == model_menu.NO_MODEL:
        st.info("Choose a second model to compare with, or train one first.")
        return
    names = model_menu.distinct_names([choice, other])
    for number, (column, model) in enumerate(zip(st.columns(2, gap="large"), (choice, other), strict=True)):
        with column:
            prediction = caches.classifier(model_menu.model_path(model)).predict(image)
            prediction_view.show_prediction(prediction, names[model])
            layers = layer_outputs.open_model_layers(model, f"convert_beside_{number}")
            if layers is not None:
                outputs = layer_outputs.image_outputs(layers, image)
                blocks = layer_outputs.fold_outputs(outputs, layer_outputs.matching_network(model, outputs))
                layer_outputs.show_block_outputs(blocks, outputs, f"wall_{number}")
