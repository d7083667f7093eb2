"""What the views of the Evaluate page are about: a model, labelled images, and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.evaluation import caveats
from mnist_core.evaluation.metrics import Evaluation, evaluate
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, locate_pen_digits
from mnist_core.training import fine_tune
from pages.ui.shared import analysis_caches, caches, components, state

MNIST = "MNIST's test images"


@dataclass(frozen=True, eq=False)
class Measured:
    """One model on one set of images.

    Attributes:
        choice, name: of the model, as model_menu gives it, and for people.
        source: MNIST, or one of pen.CONDITIONS.
        images, labels: (N, 28, 28) uint8, ink bright, and (N,) uint8.
        probabilities: (N, C) float32.
        caveats: what has to be said beside the figures.
    """

    choice: str
    name: str
    source: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    caveats: tuple[str, ...]

    @property
    def figures(self) -> Evaluation:
        """Accuracy and the rest."""
        return evaluate(self.probabilities, self.labels)

    @property
    def of_mnist(self) -> bool:
        """Whether the Explain page has these images by their number."""
        return self.source == MNIST


def source_menu() -> str:
    """Which images: MNIST, or a condition that pen digits are drawn in, where their file is at hand."""
    choices = [MNIST, *(DRAWING_CONDITIONS if locate_pen_digits() else ())]
    if st.session_state.get(state.EVALUATED_ON) not in choices:
        st.session_state[state.EVALUATED_ON] = MNIST
    chosen = st.selectbox("Images", choices, key=state.EVALUATED_ON, format_func=_source_name)
    if len(choices) == 1:
        st.caption("Pen digits are not on this computer: the README says where `DIGITLAB_PEN` looks for them.")
    return str(chosen)


def _source_name(source: str) -> str:
    return source if source == MNIST else f"Pen digits, drawn: {source}"


def of(choice: str, source: str) -> Measured:
    """Reads the images with the model; at once where it has been done before.

    Raises:
        RunNotFoundError, ModelError: there is no such model, or it is broken.
        DataError: the images cannot be read.
    """
    path, card = components.model_path(choice), fine_tune.card_of(choice)
    model = caches.classifier(path)
    if source == MNIST:
        data = caches.at_hand()
        mnist = caches.mnist(data)
        images, labels, said = mnist.x_test, mnist.y_test, caveats.of_mnist(card, mnist)
        probabilities = caches.predictions(path, data, "test")
    else:
        strokes = str(locate_pen_digits())
        images, labels, writers = analysis_caches.pen_digits(strokes, source)
        probabilities, said = analysis_caches.pen_predictions(path, strokes, source), caveats.of_pen(card, writers)
    said += caveats.of_input(model.input_size, probabilities.shape[1])
    return Measured(choice, components.model_name(choice), source, images, labels, probabilities, tuple(said))
