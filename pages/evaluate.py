"""How good a model is: on the whole, digit by digit, where it errs, how sure it is, what spoils it, beside another."""

from __future__ import annotations

import streamlit as st

from pages.ui.evaluate import evaluated, mistakes
from pages.ui.evaluate.calibration import show_calibration
from pages.ui.evaluate.model_comparison import show_model_comparison
from pages.ui.evaluate.robustness import show_robustness
from pages.ui.evaluate.scores import show_scores
from pages.ui.shared import components, navigation, state

VIEWS = {
    "scores": ("Figures", show_scores),
    "confusion": ("Confusions", mistakes.confusions),
    "worst": ("Worst mistakes", mistakes.worst),
    "sure": ("How sure it is", show_calibration),
    "spoilt": ("Spoilt digits", show_robustness),
    "other": ("Against another", show_model_comparison),
}
"""Name in the address -> its title, and what shows it, given what a model made of the images."""


def menus() -> None:
    """A model, images, and one of the views of both.

    Outside the fragment: its widgets are not heard while the images are read for the first time.
    """
    model, images = st.columns(2)
    with model:
        choice = components.model_menu("Model", state.MODEL)
    with images:
        source = evaluated.source_menu()
    view = navigation.view(VIEWS, state.EVALUATED_VIEW)
    components.fragment(lambda: page(choice, source, view))


def page(choice: str, source: str, view: str) -> None:
    """What its own widgets make run again."""
    found = evaluated.of(choice, source)
    st.caption(" ".join(found.caveats))
    VIEWS[view][1](found)


navigation.through_app()
components.choose_from_link(state.MODEL)
st.title("Evaluate")
st.write("How good a model is on digits it did not learn from: how often it is right, where it errs, what spoils it.")
components.guarded(menus)
