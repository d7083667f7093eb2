"""The view "neighbours" of the Explain page: the training digits that look most alike to the model."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import digits as digit_charts
from mnist_core.explain import neighbors
from pages.ui.shared import analysis_caches, caches, components, figure, layer_outputs


def show_neighbors(choice: str, image: NDArray[np.uint8]) -> None:
    """The ten nearest. `choice`: of components.model_menu; `image`: (28, 28) uint8."""
    layers = layer_outputs.opened(choice, "convert_neighbours")
    if layers is None:
        return
    path, source = components.model_path(choice), caches.at_hand()
    described, digits = analysis_caches.described(choice, path, source), caches.mnist(source)
    found = neighbors.nearest_neighbors(described, layers.penultimate(image[None])[0])
    places = [each.index for each in found]
    images, labels = digits.x_train[places], digits.y_train[places]
    read = caches.classifier(path).predict(image).digit
    agree = int((labels == read).sum())
    figure.image(
        digit_charts.digit_grid(images, labels, str(read) * len(found), 5),
        f"The ten training digits most alike to the model: {agree} of them are {read}, as it answers",
        "Ten digits, nearest first, two rows of five; their labels: " + ", ".join(map(str, labels.tolist())) + ".",
        "neighbours",
        "neighbours",
        5 * 100,
    )
    rows = [
        {"rank": rank, "label": int(label), "similarity": round(each.similarity, 4), "number of the image": each.index}
        for rank, (each, label) in enumerate(zip(found, labels, strict=True), 1)
    ]
    figure.table(rows, f"Their labels, of {len(digits.x_train):,} training digits", "neighbours", "neighbours_table")
    st.caption(f"Compared by the {described.shape[1]:,} numbers that the last dense layer gets.")
