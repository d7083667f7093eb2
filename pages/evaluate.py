"""The Evaluate page: a model on test images. Metrics, mistakes, calibration, robustness, comparison with another."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui.evaluate.calibration import show_calibration
from pages.ui.evaluate.evaluated_model import EvaluatedModel, evaluate_model, image_menu
from pages.ui.evaluate.mistakes import show_confusion_matrix, show_worst_mistakes
from pages.ui.evaluate.model_comparison import show_model_comparison
from pages.ui.evaluate.robustness import show_robustness
from pages.ui.evaluate.scores import show_scores
from pages.ui.shared import guard, model_menu, navigation, state

VIEWS: dict[str, tuple[str, Callable[[EvaluatedModel], None]]] = {
    "scores": ("Metrics", show_scores),
    "confusion": ("Confusion matrix", show_confusion_matrix),
    "worst": ("Worst mistakes", show_worst_mistakes),
    "sure": ("Calibration", show_calibration),
    "spoilt": ("Robustness", show_robustness),
    "other": ("Compare models", show_model_comparison),
}
"""Name in the address -> title of the view, and the function that shows it."""


def show_evaluate_page() -> None:
    """The page below its title: menus of models, images and views, and the chosen view.

    The menus are outside the fragment: a fragment ignores its widgets while the model reads images for the first time.
    """
    model_column, image_column = st.columns(2)
    with model_column:
        choice = model_menu.select_model("Model", state.MODEL)
    with image_column:
        images = image_menu()
    view = navigation.select_view(VIEWS, state.EVALUATED_VIEW)
    guard.render_fragment(lambda: show_view(choice, images, view))


def show_view(choice: str, images: str, view: str) -> None:
    """Evaluates the model and shows one view of the result; a fragment."""
    model = evaluate_model(choice, images)
    st.caption(" ".join(model.caveats))
    VIEWS[view][1](model)


navigation.ensure_app_ran()
model_menu.select_linked_model(state.MODEL)
st.title("Evaluate")
st.write("How well a model classifies digits that it was not trained on, and which ones it gets wrong.")
guard.render(show_evaluate_page)
