"""What each augmentation does to one digit, slider by slider."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.data import augmentation, augmentation_preview
from pages.ui.shared import caches, figure, state

DRAWS = 20
COLUMNS = 10
USUAL = augmentation.AUGMENTATIONS["hand"]


def show_augmentation_preview() -> None:
    """A digit, a slider for each change, each change by itself, and all together."""
    setting, pictures = st.columns([1, 2], gap="large")
    with setting:
        image, name = digit()
        how = sliders()
    with pictures:
        single(image, name, how)
        everything(image, name, how)


def digit() -> tuple[NDArray[np.uint8], str]:
    """The (28, 28) uint8 training digit that is changed, and its name."""
    mnist = caches.mnist(caches.at_hand())
    last = len(mnist.x_train) - 1
    st.session_state[state.CHANGED_INDEX] = min(st.session_state.get(state.CHANGED_INDEX, 0), last)
    label = f"Number of the training digit, 0 to {last:,}"
    number = int(st.number_input(label, 0, last, key=state.CHANGED_INDEX))
    return mnist.x_train[number], f"training digit {number:,}, a {mnist.y_train[number]}"


def sliders() -> augmentation.Augmentation:
    """One for each change, at first as the trainings have it."""
    st.caption("The sliders begin where a training with augmentation has them.")
    for name, most in augmentation_preview.PREVIEW_LIMITS.items():
        state.default(state.change(name), float(getattr(USUAL, name)))
        unit = (
            f" ({augmentation_preview.AUGMENTATION_UNITS[name].strip()})"
            if augmentation_preview.AUGMENTATION_UNITS[name]
            else ""
        )
        st.slider(f"{name.capitalize()}{unit}", 0.0, most, step=most / 60, key=state.change(name))
    return augmentation.Augmentation(
        **{name: st.session_state[state.change(name)] for name in augmentation_preview.PREVIEW_LIMITS}
    )


def single(image: NDArray[np.uint8], name: str, how: augmentation.Augmentation) -> None:
    """Each change by itself."""
    amounts = {change: float(getattr(how, change)) for change in augmentation_preview.AUGMENTATION_NAMES}
    alt = f"The {name}, changed in one way at a time: " + ", ".join(
        f"{change} {amounts[change]:g}{augmentation_preview.AUGMENTATION_UNITS[change]}"
        for change in augmentation_preview.AUGMENTATION_NAMES
    )
    pictures = {change: augmentation_preview.preview_one(image, change, amount) for change, amount in amounts.items()}
    rows = [{"change": change, "amount": amount} for change, amount in amounts.items()]
    drawn = data_charts.augmentation_grid(pictures, amounts)
    figure.chart(drawn, "One change at a time", f"{alt}.", "augmentation", "changes", rows=lambda: rows)


def everything(image: NDArray[np.uint8], name: str, how: augmentation.Augmentation) -> None:
    """All at once, at random, as a training does it."""
    drawn = augmentation_preview.preview_all(image, how, DRAWS)
    rows = drawn.reshape(-1, COLUMNS, 28, 28).transpose(0, 2, 1, 3).reshape(-1, COLUMNS * 28)
    figure.image(
        rows,
        f"All together: {DRAWS} random draws",
        f"The {name}, {DRAWS} times, each changed at random in all these ways.",
        "augmentation",
        "draws",
        2 * COLUMNS * 28,
    )
