"""The calibration view: does confidence match accuracy, and what does rejecting uncertain predictions gain?"""

from __future__ import annotations

import streamlit as st

from mnist_core.charts import evaluation as evaluation_charts
from mnist_core.evaluation import calibration, findings
from pages.ui.evaluate.evaluated_model import EvaluatedModel
from pages.ui.shared import figure

TARGET_ACCURACY = 0.999
"""Accuracy for which the view names a confidence threshold."""


def show_calibration(model: EvaluatedModel) -> None:
    """The reliability diagram, and accuracy by confidence threshold."""
    show_reliability_diagram(model)
    show_coverage(model)


def show_reliability_diagram(model: EvaluatedModel) -> None:
    """Accuracy by confidence, and the expected calibration error."""
    error = model.metrics.calibration_error
    figure.show_chart(
        evaluation_charts.reliability_diagram(calibration.reliability_bins(model.probabilities, model.labels)),
        "Is it right as often as it is confident?",
        f"Accuracy in fifteen bins of confidence, for {model.name}; on average the two are {100 * error:.2f} points "
        "apart.",
        "reliability diagram",
        "reliability",
        finding=findings.calibration(model.probabilities, model.labels),
    )
    st.caption(f"Calibration error: {error:.2%}. The number above each bar counts its images.")


def show_coverage(model: EvaluatedModel) -> None:
    """Accuracy and coverage if predictions below a confidence threshold are rejected."""
    rows = calibration.coverage_at_thresholds(model.probabilities, model.labels)
    figure.show_chart(
        evaluation_charts.coverage_curve(rows),
        "What if it rejects what it is not confident about?",
        f"Accuracy of the predictions of {model.name}, and how many it makes, by the confidence required.",
        "accuracy by threshold",
        "coverage",
        finding=findings.coverage(rows, TARGET_ACCURACY),
    )
