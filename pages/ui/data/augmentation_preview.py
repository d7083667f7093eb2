"""The augmentation view: what each augmentation does to one digit, with a slider for its strength."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.data import augmentation, augmentation_preview, findings
from mnist_core.data.augmentation_preview import AUGMENTATION_NAMES, AUGMENTATION_UNITS, PREVIEW_LIMITS
from mnist_core.data.labels import predicted_labels
from mnist_core.explain.findings import output_name
from mnist_core.models.classifier import DEFAULT_MODEL
from pages.ui.shared import caches, figure, state

RANDOM_DRAWS = 20
"""Images in the picture of all augmentations together."""
COLUMNS = 10
TRAINING_AUGMENTATION = augmentation.AUGMENTATIONS["hand"]
"""Where the sliders start."""
SLIDER_STEPS = {
    "rotation": 1.0,
    "slant": 0.01,
    "scale": 0.01,
    "stretch": 0.01,
    "shift": 0.1,
    "wobble": 0.05,
    "thickness": 0.02,
}
"""Step of each slider. The values of TRAINING_AUGMENTATION are multiples of it, so that they can be chosen again."""


def show_augmentation_preview() -> None:
    """A digit, a slider for each augmentation, each of them by itself, and random draws of all together."""
    settings, pictures = st.columns([1, 2], gap="large")
    with settings:
        image, label, name = choose_digit()
        strengths = choose_strengths()
    with pictures:
        show_each_augmentation(image, name, strengths)
        show_random_draws(image, label, name, strengths)


def choose_digit() -> tuple[NDArray[np.uint8], int, str]:
    """A field for the index of a training digit. Returns the (28, 28) uint8 image, its label and its name."""
    mnist = caches.mnist(caches.available_dataset())
    last = len(mnist.x_train) - 1
    st.session_state[state.AUGMENTED_INDEX] = min(st.session_state.get(state.AUGMENTED_INDEX, 0), last)
    label = f"Training digit (0 to {last:,})"
    index = int(st.number_input(label, 0, last, key=state.AUGMENTED_INDEX))
    digit = int(mnist.y_train[index])
    return mnist.x_train[index], digit, f"training digit {index:,}, {output_name(digit)}"


def choose_strengths() -> augmentation.Augmentation:
    """A slider for each augmentation, from 0 to the largest strength that the preview allows."""
    st.caption("The sliders start at the strengths used in training.")
    for name, limit in PREVIEW_LIMITS.items():
        st.session_state.setdefault(state.augmentation_key(name), float(getattr(TRAINING_AUGMENTATION, name)))
        unit = AUGMENTATION_UNITS[name].strip()
        label = f"{name.capitalize()} ({unit})" if unit else name.capitalize()
        st.slider(label, 0.0, limit, step=SLIDER_STEPS[name], key=state.augmentation_key(name))
    return augmentation.Augmentation(
        **{name: st.session_state[state.augmentation_key(name)] for name in PREVIEW_LIMITS}
    )


def show_each_augmentation(image: NDArray[np.uint8], name: str, strengths: augmentation.Augmentation) -> None:
    """A row for each augmentation by itself, from one end of its range to the other."""
    amounts = {each: float(getattr(strengths, each)) for each in AUGMENTATION_NAMES}
    pictures = {each: augmentation_preview.preview_one(image, each, amount) for each, amount in amounts.items()}
    in_words = ", ".join(f"{each} {amount:g}{AUGMENTATION_UNITS[each]}" for each, amount in amounts.items())
    figure.show_chart(
        data_charts.augmentation_grid(pictures, amounts),
        "Each augmentation by itself",
        f"The {name}, augmented in one way at a time: {in_words}.",
        "augmentation",
        "changes",
        rows=lambda: [{"change": each, "amount": amount} for each, amount in amounts.items()],
        finding=findings.augmentations(image, pictures),
    )


def show_random_draws(image: NDArray[np.uint8], label: int, name: str, strengths: augmentation.Augmentation) -> None:
    """The digit as a training would see it: all augmentations at once, at random."""
    draws = augmentation_preview.preview_all(image, strengths, RANDOM_DRAWS)
    grid = draws.reshape(-1, COLUMNS, 28, 28).transpose(0, 2, 1, 3).reshape(-1, COLUMNS * 28)
    figure.show_picture(
        grid,
        f"All together: {RANDOM_DRAWS} random draws",
        f"The {name}, {RANDOM_DRAWS} times, each augmented at random in all these ways.",
        "augmentation",
        "draws",
        2 * COLUMNS * 28,
        findings.augmented_digits(predicted_labels(caches.classifier(DEFAULT_MODEL).probabilities(draws)), label),
    )
