"""A model with its predictions for a set of labeled images: what every view of the Evaluate page shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.evaluation import caveats
from mnist_core.evaluation.metrics import Evaluation, confusion_matrix, evaluate
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, locate_pen_digits
from mnist_core.runs.imports import read_import
from mnist_core.runs.store import find_run
from mnist_core.training import fine_tune
from pages.ui.shared import analysis_caches, caches, model_menu, state

MNIST = "MNIST's test images"


@dataclass(frozen=True, eq=False)
class EvaluatedModel:
    """The predictions of one model for one set of images.

    Attributes:
        choice: the model, as model_menu.select_model returns it.
        name: of the model, for people.
        source: MNIST, or one of pen_digits.DRAWING_CONDITIONS.
        images: (N, 28, 28) uint8, ink bright.
        labels: (N,) uint8.
        probabilities: (N, C) float32.
        caveats: what to bear in mind when reading the metrics, in sentences.
    """

    choice: str
    name: str
    source: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    caveats: tuple[str, ...]

    @property
    def metrics(self) -> Evaluation:
        """Accuracy, loss and the other metrics on these images."""
        return evaluate(self.probabilities, self.labels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """The confusion matrix with an eleventh column for "not a digit", (10, 11)."""
        return confusion_matrix(self.probabilities, self.labels)

    @property
    def noun(self) -> str:
        """What its images are called, in the plural."""
        return "test digits" if self.on_mnist else "pen digits"

    @property
    def on_mnist(self) -> bool:
        """True if these are MNIST's test images, which the Explain page can open by index."""
        return self.source == MNIST


def image_menu() -> str:
    """A menu of image sets: MNIST, and pen digits under several drawing conditions if their file is available."""
    sources = [MNIST, *(DRAWING_CONDITIONS if locate_pen_digits() else ())]
    if st.session_state.get(state.EVALUATED_ON) not in sources:
        st.session_state[state.EVALUATED_ON] = MNIST
    missing = "Pen digits are not available on this server. Set `DIGITLAB_PEN` to use them; see docs/settings.md."
    return str(
        st.selectbox(
            "Images",
            sources,
            key=state.EVALUATED_ON,
            format_func=_source_title,
            help=missing if len(sources) == 1 else None,
        )
    )


def _source_title(source: str) -> str:
    return source if source == MNIST else f"Pen digits, {source}"


def evaluate_model(choice: str, source: str) -> EvaluatedModel:
    """Classifies the images with the model. Predictions are cached.

    Args:
        choice: of model_menu.select_model.
        source: of image_menu.

    Raises:
        RunNotFoundError: there is no such run.
        ModelError: the model cannot be loaded.
        DataError: the images cannot be read.
    """
    path, card = model_menu.model_path(choice), fine_tune.base_card(choice)
    model = caches.classifier(path)
    if source == MNIST:
        data = caches.available_dataset()
        mnist = caches.mnist(data)
        images, labels = mnist.x_test, mnist.y_test
        probabilities = caches.predictions(path, data, "test")
        notes = caveats.mnist_caveats(card, mnist)
    else:
        pen_path = str(locate_pen_digits())
        images, labels, writers = analysis_caches.pen_digits(pen_path, source)
        probabilities = analysis_caches.pen_predictions(path, pen_path, source)
        notes = caveats.pen_caveats(card, writers)
    if choice != model_menu.SHIPPED and read_import(find_run(choice).path):
        notes.append("The model is imported. It may have been trained on some of these images.")
    notes += caveats.input_caveats(model.input_size, probabilities.shape[1])
    return EvaluatedModel(choice, model_menu.model_name(choice), source, images, labels, probabilities, tuple(notes))
