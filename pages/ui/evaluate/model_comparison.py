"""The comparison view: is one of two models significantly better, and which images does only one get right?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.data.labels import correct_mask
from mnist_core.evaluation import significance
from mnist_core.wording import plural
from pages.ui.evaluate.evaluated_model import EvaluatedModel, evaluate_model
from pages.ui.evaluate.mistakes import show_gallery
from pages.ui.shared import figure, formatting, model_menu, state


def show_model_comparison(model: EvaluatedModel) -> None:
    """A menu of the other model, McNemar's test, both models' metrics, and the images that only one gets right."""
    choice = model_menu.select_model("Compare with", state.COMPARED_MODEL, optional=True, exclude=model.choice)
    if choice == model_menu.NO_MODEL:
        st.info("Choose a second model to compare with, or train one first.")
        return
    names = model_menu.distinct_names([model.choice, choice])
    model = replace(model, name=names[model.choice])
    other = replace(evaluate_model(choice, model.source), name=names[choice])
    correct = correct_mask(model.probabilities, model.labels)
    other_correct = correct_mask(other.probabilities, other.labels)
    test = significance.mcnemar(correct, other_correct)
    sentence = formatting.escape_markdown(test.sentence(model.name, other.name))
    st.markdown(f"##### Is one significantly better?\n\n**{sentence}**")
    method = "exact binomial" if test.exact else "chi-square with continuity correction"
    discordant = plural(test.only_first + test.only_second, "image")
    st.caption(f"McNemar's test, {method}, on the {discordant} that only one of the two classifies correctly.")
    show_both_metrics(model, other, test)
    show_exclusive_images(correct & ~other_correct, model.name, other, "first")
    show_exclusive_images(other_correct & ~correct, other.name, model, "second")


def show_both_metrics(model: EvaluatedModel, other: EvaluatedModel, test: significance.McNemarResult) -> None:
    """A table with a row for each model."""
    rows = []
    for each, only_this in ((model, test.only_first), (other, test.only_second)):
        metrics = each.metrics
        low, high = metrics.interval
        rows.append(
            {
                "model": each.name,
                "accuracy": f"{metrics.accuracy:.2%}",
                "95% interval": f"{100 * low:.2f} – {high:.2%}",
                "loss": f"{metrics.loss:.4f}",
                "top-2 accuracy": f"{metrics.top2_accuracy:.2%}",
                "calibration error": f"{metrics.calibration_error:.2%}",
                "only this correct": only_this,
                "both correct": test.both,
                "both wrong": test.neither,
            }
        )
    figure.show_table(rows, "Both models", "mcnemar", "side_by_side")


def show_exclusive_images(where: NDArray[np.bool_], correct_name: str, wrong: EvaluatedModel, key: str) -> None:
    """The images that one model alone classifies correctly, with the predictions of the other.

    Args:
        where: (N,), True for these images.
        correct_name: name of the model that is right.
        wrong: the other model.
        key: prefix of the widgets' keys.
    """
    with st.expander(
        f"Only {formatting.escape_markdown(correct_name)} is correct: {plural(int(where.sum()), 'image')}"
    ):
        st.caption(f"Predictions of {formatting.escape_markdown(wrong.name)}:")
        show_gallery(wrong, np.flatnonzero(where), key)
