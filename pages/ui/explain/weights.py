"""The weight view: the filters of the first layer as pictures, and the distribution of the weights of each layer."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.models.activations import layer_kind
from mnist_core.models.convert import output_name
from mnist_core.runs.model_card import load_architecture
from mnist_core.training.fine_tune import model_folder
from mnist_core.wording import plural
from pages.ui.shared import analysis_caches, figure, layer_outputs

MAX_FILTERS = 64
PIXELS = 56
"""Width of a filter on the page."""


def show_weights(choice: str, image: NDArray[np.uint8]) -> None:
    """The view, which is the same for every image.

    Args:
        choice: of model_menu.select_model.
        image: unused; every view of the Explain page takes one.
    """
    folder = model_folder(choice)
    network = load_architecture(folder)
    names = [output_name(position, layer) for position, layer in enumerate(network.layers, 1)]
    kernels = {
        layer_outputs.layer_title(name): weights[0]
        for name, weights in zip(names, analysis_caches.model_weights(folder / "model.keras"), strict=True)
        if weights and layer_kind(name) != "BatchNormalization"
    }
    if not kernels:
        st.info("This network has no weights.")
        return
    first, kernel = next(iter(kernels.items()))
    show_first_filters(first, filter_images(kernel, network.input_size))
    widest = max(kernels, key=lambda name: float(kernels[name].std()))
    figure.show_chart(
        layer_charts.weight_histograms(kernels),
        "Distribution of the weights of each layer",
        f"{plural(len(kernels), 'histogram')}; the widest is of {widest}.",
        "weight histograms",
        "weight_histograms",
        finding=f"The weights of {widest} are spread widest.",
    )


def show_first_filters(layer: str, filters: NDArray[np.float32] | None) -> None:
    """The filters of the first layer with weights.

    Args:
        layer: title of the layer.
        filters: (k, k, filters) float32; None if they cannot be shown as pictures.
    """
    if filters is None:
        st.info("The weights of the first layer cannot be shown as pictures: they do not map to pixels.")
        return
    count = filters.shape[2]
    shown = f"the first {MAX_FILTERS} of {count}" if count > MAX_FILTERS else f"all {count}"
    figure.show_picture(
        layer_charts.activation_grid(filters, PIXELS, MAX_FILTERS, 5),
        f"Filters of {layer} ({shown})",
        f"{plural(min(count, MAX_FILTERS), 'picture')} of {filters.shape[0]} by {filters.shape[1]} weights, "
        f"from {filters.min():.2g} to {filters.max():.2g}.",
        "first filters",
        "first_filters",
    )


def filter_images(kernel: NDArray[np.float32], size: int) -> NDArray[np.float32] | None:
    """The weights of the first layer as pictures.

    Args:
        kernel: (k, k, channels, filters) of a convolution, or (inputs, units) of a dense layer.
        size: of the image, in pixels.

    Returns:
        (k, k, filters), or (size, size, units); None for a convolution on several channels, or a dense layer that
        does not see the pixels.
    """
    if kernel.ndim == 4:
        return kernel[:, :, 0] if kernel.shape[2] == 1 else None
    return kernel.reshape(size, size, -1) if len(kernel) == size * size else None
