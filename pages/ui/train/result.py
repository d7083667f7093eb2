"""The result of a run that has a model: its scores, a test digit, and the exports."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.data.mnist import DATA_SETS
from mnist_core.explain.findings import output_name
from mnist_core.recipes import recipes
from mnist_core.runs.card import trained_on
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from pages.ui.shared import caches, formatting, guard, prediction_view, state, thumbnails
from pages.ui.shared.export import show_export
from pages.ui.shared.imported import show_import_note


def show_result(run: Run, spec: RunSpec) -> None:
    """The result, from the run's card."""
    card = run.card()
    accuracy, error, loss, duration = st.columns(4)
    # A trial of a sweep is not tested, and the card of an old one has no validation scores.
    images, part = ("Test", "test") if "test_accuracy" in card else ("Validation", "val")
    if f"{part}_accuracy" in card:
        accuracy.metric(f"{images} accuracy", f"{card[f'{part}_accuracy']:.2%}")
        error.metric("Error", f"{1 - card[f'{part}_accuracy']:.2%}")
    if f"{part}_loss" in card:
        loss.metric(f"{images} loss", f"{card[f'{part}_loss']:.4f}")
    if "train_seconds" in card:
        duration.metric("Training time", format_duration(card["train_seconds"]))
    show_import_note(run)
    st.caption(formatting.escape_markdown(f"{_published_note(spec)} {_data_note(card)}"))
    if card.get("taught"):
        _show_fine_tuning(card)
    guard.render(lambda: _show_test_digit(run, spec, card))
    with st.expander("Export", icon=":material/download:"):
        show_export(run)


def _published_note(spec: RunSpec) -> str:
    """The published result of the recipe; empty if there is none or the run is not comparable."""
    recipe = recipes.RECIPES.get(spec.kind)
    return f"Published: {recipe.published.text}." if recipe and recipe.published and not spec.base else ""


def _data_note(card: dict[str, Any]) -> str:
    """Says so if the model was not trained on the full MNIST; otherwise empty."""
    return "Trained on the offline sample, 5,000 digits." if trained_on(card) == "sample" else ""


def _show_fine_tuning(card: dict[str, Any]) -> None:
    """What fine-tuning gained on the kept drawings and lost on MNIST."""
    before, accuracy = card["taught"], card.get("test_accuracy")
    drawings, mnist = st.columns(2)
    drawings.metric(
        "Kept drawings read correctly",
        formatting.escape_markdown(f"{before['right_after']} of {before['drawings']}"),
        formatting.change(before["right_after"] - before["right_before"], "d", "by fine-tuning"),
    )
    if accuracy is not None:
        mnist.metric(
            "Test accuracy after fine-tuning",
            f"{accuracy:.2%}",
            formatting.change(100 * (accuracy - before["test_accuracy_before"]), ".2f", "points"),
        )


def _show_test_digit(run: Run, spec: RunSpec, card: dict[str, Any]) -> None:
    """A test digit of the visitor's choice and its prediction."""
    settings = spec.settings
    data = "sample" if trained_on(card) == "sample" else spec.data
    if data not in DATA_SETS:
        st.caption(
            "This run was trained on its own data file, which pages cannot open, so there is no test digit to show."
        )
        return
    images, labels = caches.test_images(data, settings.split, settings.uncentered)
    last = len(labels) - 1
    st.session_state[state.TEST_INDEX] = min(int(st.session_state.get(state.TEST_INDEX, 0)), last)
    st.markdown("##### A test digit")
    index = int(st.number_input(f"Index, 0 to {last:,}", 0, last, key=state.TEST_INDEX))
    prediction = caches.classifier(run.model).predict(images[index])
    left, right = st.columns([1, 2])
    with left:
        thumbnails.show_strip([(images[index], f"index {index}", f"label {labels[index]}")])
    with right:
        prediction_view.show_prediction(prediction)
        is_right = prediction.label == labels[index]
        st.caption("Correct." if is_right else f"Wrong: it is {output_name(int(labels[index]))}.")
