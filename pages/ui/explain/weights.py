"""The view "learned" of the Explain page: the first layer's filters, and how all weights are spread."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.models.activations import layer_kind
from mnist_core.models.convert import output_name
from pages.ui.shared import analysis_caches, figure, layer_outputs

MOST_FILTERS = 64


def show_weights(choice: str, image: NDArray[np.uint8]) -> None:
    """All of it, the same for every digit. `choice`: of components.model_menu."""
    network = analysis_caches.network(choice)
    names = [output_name(position, layer) for position, layer in enumerate(network.layers, 1)]
    kernels = {
        layer_outputs.title(name): found[0]
        for name, found in zip(names, analysis_caches.weights(choice), strict=True)
        if found and layer_kind(name) != "BatchNormalization"
    }
    if not kernels:
        st.info("This network has no weights: there is nothing it could have learned.")
        return
    first, kernel = next(iter(kernels.items()))
    pictures = _filters(kernel, network.input_size)
    if pictures is None:
        st.info("The first layer with weights sees several channels or places at once: it has no pictures of its own.")
    else:
        some = f"the first {MOST_FILTERS} of {pictures.shape[2]}" if pictures.shape[2] > MOST_FILTERS else "all"
        figure.image(
            layer_charts.activation_grid(pictures, 56, MOST_FILTERS, 5),
            f"What the first layer looks for: {first}, {some}",
            f"{min(pictures.shape[2], MOST_FILTERS)} pictures of {pictures.shape[0]} by {pictures.shape[1]} weights, "
            f"from {pictures.min():.2g} to {pictures.max():.2g}.",
            "first filters",
            "first_filters",
        )
    widest = max(kernels, key=lambda name: float(kernels[name].std()))
    figure.chart(
        layer_charts.weight_histograms(kernels),
        "How the weights of each layer are spread",
        f"{len(kernels)} histograms; the widest is of {widest}.",
        "weight histograms",
        "weight_histograms",
    )


def _filters(kernel: NDArray[np.float32], size: int) -> NDArray[np.float32] | None:
    """(k, k, filters) of a convolution on the image, or (size, size, units) of a dense layer on its pixels."""
    if kernel.ndim == 4:
        return kernel[:, :, 0] if kernel.shape[2] == 1 else None
    return kernel.reshape(size, size, -1) if len(kernel) == size * size else None
