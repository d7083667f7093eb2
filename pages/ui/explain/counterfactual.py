"""The counterfactual view: the smallest change of the image that changes the prediction."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.evaluation.mistakes import prediction_label
from mnist_core.explain.counterfactual import MAX_PATCHES, Counterfactual
from mnist_core.wording import plural
from pages.ui.shared import analysis_caches, figure, model_menu

SCALE = 8
"""Pixels of the page for one of the image."""
PARTICIPLES = {"erase": "erased", "draw": "drawn"}
"""Edit -> what happens to a patch."""


def show_counterfactual(choice: str, image: NDArray[np.uint8]) -> None:
    """The image before and after the change.

    Args:
        choice: of model_menu.select_model.
        image: (28, 28) uint8.
    """
    change = analysis_caches.find_counterfactual(model_menu.model_path(choice), image)
    before, after = (prediction_label(predicted) for predicted in change.classes)
    if not change.changed_class:
        st.info(
            f"No counterfactual found: the prediction stays {before} when up to {MAX_PATCHES} patches of 2×2 pixels "
            "are erased, or as many drawn next to the ink."
        )
        return
    patches = f"{plural(len(change.patches), 'patch', 'patches')} of 2×2 pixels {PARTICIPLES[change.edit]}"
    figure.show_picture(
        before_and_after(change),
        f"From {before} to {after}: {patches}",
        f"Three pictures: the digit, classified as {before}; the change, {patches}; the changed digit, classified as "
        f"{after}.",
        "counterfactual",
        "change_of_mind",
        3 * 28 * SCALE,
    )


def before_and_after(change: Counterfactual) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the image before, the change in color on the dimmed image, the image after."""
    before, after = (np.repeat(image[..., None], 3, axis=2) for image in (change.before, change.after))
    difference = change.after.astype(np.float32) - change.before
    marked = np.where((difference == 0)[..., None], before // 3, layer_charts.colorize(np.sign(difference), 1))
    gap = np.full((len(before), 1, 3), 110, np.uint8)
    row = np.hstack([before, gap, marked.astype(np.uint8), gap, after])
    return row.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
