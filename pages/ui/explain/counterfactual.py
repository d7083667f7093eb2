"""The view "mind" of the Explain page: what would change the model's answer."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import layers as layer_charts
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.explain.counterfactual import MAX_PATCHES, Counterfactual
from pages.ui.shared import analysis_caches, components, figure

TIMES = 8  # pixels of the page for one of the image


def show_counterfactual(choice: str, image: NDArray[np.uint8]) -> None:
    """The change, before and after. `choice`: of components.model_menu; `image`: (28, 28) uint8."""
    change = analysis_caches.change_of_mind(components.model_path(choice), image)
    first, second = (_name(answer) for answer in change.answers)
    count = len(change.patches)
    done = {"rub out": "rubbed out", "draw": "drawn"}[change.way]
    patches = f"{count} {'patch' if count == 1 else 'patches'} of 2×2 pixels {done}"
    if not change.found:
        st.info(
            f"Nothing was found: neither {MAX_PATCHES} patches of 2×2 pixels rubbed out nor as many drawn on to the ink, "
            f"one after another, make the model read anything but {first}. It is sure of this digit."
        )
        return
    figure.image(
        picture(change),
        f"From {first} to {second}: {patches}",
        f"Three pictures: the digit, read as {first}; what changes, {patches}; the changed digit, read as {second}.",
        "change of mind",
        "change_of_mind",
        3 * 28 * TIMES,
    )


def picture(change: Counterfactual) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: before, what changes on the faint digit, after."""
    before, after = (np.repeat(image[..., None], 3, axis=2) for image in (change.before, change.after))
    difference = change.after.astype(np.float32) - change.before
    marked = np.where((difference == 0)[..., None], before // 3, layer_charts.colorize(np.sign(difference), 1))
    gap = np.full((len(before), 1, 3), 110, np.uint8)
    row = np.hstack([before, gap, marked.astype(np.uint8), gap, after])
    return row.repeat(TIMES, axis=0).repeat(TIMES, axis=1)


def _name(answer: int) -> str:
    return "no digit" if answer == NOT_A_DIGIT else str(answer)
