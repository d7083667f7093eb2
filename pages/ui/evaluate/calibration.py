"""Whether a model is as sure as it is right, and what comes of letting it be silent where it is not sure."""

from __future__ import annotations

import streamlit as st

from mnist_core.charts import evaluation as charts
from mnist_core.evaluation import calibration
from pages.ui.evaluate.evaluated import Measured
from pages.ui.shared import figure

WANTED = 0.999


def show_calibration(found: Measured) -> None:
    """The reliability diagram and the curve by threshold."""
    reliability(found)
    coverage(found)


def reliability(found: Measured) -> None:
    """Bars of accuracy by confidence, and the calibration error."""
    error = found.figures.calibration_error
    apart = f"on average the two are {100 * error:.2f} points apart"
    alt = f"Accuracy in fifteen stretches of confidence, for {found.name}; {apart}."
    chart = charts.reliability_diagram(calibration.reliability(found.probabilities, found.labels))
    figure.chart(chart, "Is it right as often as it is sure?", alt, "reliability diagram", "reliability")
    st.markdown(f"Calibration error: **{100 * error:.2f} %**. The numbers over the bars are images.")


def coverage(found: Measured) -> None:
    """Accuracy of the answers that are sure enough, against the threshold."""
    rows = calibration.coverage(found.probabilities, found.labels)
    reached = next((row for row in rows if row.accuracy is not None and row.accuracy >= WANTED), None)
    alt = f"Accuracy of the answers of {found.name}, and how many it gives, by the least confidence asked for."
    figure.chart(
        charts.coverage_curve(rows),
        "What if it may say nothing where it is not sure?",
        alt,
        "accuracy by threshold",
        "coverage",
    )
    if reached is None:
        st.markdown("No threshold makes 99.9 % of its answers right.")
    else:
        st.markdown(
            f"Asked to be {100 * reached.threshold:g} % sure, it answers {100 * reached.answered:.2f} % of the images, "
            f"and {100 * (reached.accuracy or 0):.2f} % of those right: {reached.wrong:,} wrong answers are left."
        )
