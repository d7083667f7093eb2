"""The view of nearest neighbors: the training digits that are most similar to the image as the model represents it."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import digits as digit_charts
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.explain import findings
from mnist_core.explain.neighbors import nearest_neighbors
from pages.ui.shared import analysis_caches, caches, figure, formatting, layer_outputs, model_menu

COLUMNS = 5
PIXELS = 100
"""Width of a digit on the page."""


def show_neighbors(choice: str, image: NDArray[np.uint8]) -> None:
    """The ten nearest training digits, their labels and similarities.

    Args:
        choice: of model_menu.select_model.
        image: (28, 28) uint8.
    """
    layers = layer_outputs.open_model_layers(choice, "convert_neighbours")
    if layers is None:
        return
    path, data = model_menu.model_path(choice), caches.available_dataset()
    descriptors, mnist = analysis_caches.training_descriptors(choice, path, data), caches.mnist(data)
    neighbors = nearest_neighbors(descriptors, layers.penultimate(image[None])[0])
    if not neighbors:
        st.info(
            "The last hidden layer is all zeros for this digit, so it cannot be compared with others. Choose another "
            "digit or model."
        )
        return
    indices = [neighbor.index for neighbor in neighbors]
    images, labels = mnist.x_train[indices], mnist.y_train[indices]
    predicted = caches.classifier(path).predict(image).label
    expected = "".join(str(label if predicted == NOT_A_DIGIT else predicted) for label in labels)
    figure.show_picture(
        digit_charts.digit_grid(images, labels, expected, COLUMNS),
        f"The {len(neighbors)} most similar training digits",
        "Ten digits, nearest first, two rows of five; their labels: " + ", ".join(map(str, labels.tolist())) + ".",
        "neighbors",
        "neighbors",
        COLUMNS * PIXELS,
        findings.neighbors(labels.tolist(), predicted),
    )
    rows = [
        {
            "rank": rank,
            "label": int(label),
            "similarity": round(neighbor.similarity, 4),
            "number of the image": neighbor.index,
        }
        for rank, (neighbor, label) in enumerate(zip(neighbors, labels, strict=True), 1)
    ]
    figure.show_table(rows, f"Nearest of {len(mnist.x_train):,} training digits", "neighbors", "neighbours_table")
    layer = formatting.escape_markdown(layers.compared_layer)
    st.caption(f"Compared by the {descriptors.shape[1]:,} inputs of {layer}.")
