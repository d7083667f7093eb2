"""The Evaluate page: a model on test images. Confusions, mistakes, metrics, calibration, robustness, comparison."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_core.evaluation import findings
from pages.ui.evaluate.calibration import show_calibration
from pages.ui.evaluate.evaluated_model import EvaluatedModel, evaluate_model, image_menu
from pages.ui.evaluate.mistakes import show_confusion_matrix, show_worst_mistakes
from pages.ui.evaluate.model_comparison import show_model_comparison
from pages.ui.evaluate.picked_digit import show_picked_digit
from pages.ui.evaluate.robustness import show_robustness
from pages.ui.evaluate.scores import show_scores
from pages.ui.shared import formatting, guard, model_menu, navigation, state

VIEWS: dict[str, tuple[str, Callable[[EvaluatedModel], None]]] = {
    "confusion": ("Confusion matrix", show_confusion_matrix),
    "worst": ("Worst mistakes", show_worst_mistakes),
    "spoilt": ("Robustness", show_robustness),
    "scores": ("Metrics", show_scores),
    "sure": ("Calibration", show_calibration),
    "other": ("Compare models", show_model_comparison),
}
"""Name in the address -> title of the view, and the function that shows it."""
SPECIALIST_VIEWS = ("scores", "sure", "other")


def show_evaluate_page() -> None:
    """The page below its title: menus of model, images and digit, the headline, the menu of views, and the chosen view.

    The menus are outside the fragment: a fragment ignores its widgets while the model reads images for the first time.
    """
    model_column, image_column, digit_column = st.columns(3, vertical_alignment="bottom")
    with model_column:
        choice = model_menu.select_model("Model", state.MODEL)
    with image_column:
        images = image_menu()
    with digit_column:
        guard.render_fragment(lambda: show_picked_digit(choice))
    headline = st.container()
    view = navigation.select_view(VIEWS, state.EVALUATED_VIEW, SPECIALIST_VIEWS)
    with headline:
        guard.render(lambda: show_headline(evaluate_model(choice, images)))
    guard.render_fragment(lambda: show_view(choice, images, view))


def show_headline(model: EvaluatedModel) -> None:
    """How good the model is, in a sentence, and what to bear in mind about it."""
    st.markdown(f"### {formatting.escape_markdown(findings.headline(model.counts, model.noun))}")
    st.caption(formatting.escape_markdown(" ".join(model.caveats)))


def show_view(choice: str, images: str, view: str) -> None:
    """One view of the evaluated model; a fragment."""
    VIEWS[view][1](evaluate_model(choice, images))


navigation.ensure_app_ran()
model_menu.select_linked_model(state.MODEL)
st.title("Evaluate")
guard.render(show_evaluate_page)
