"""The figures of a model: accuracy with its interval, loss, calibration, and each digit's own."""

from __future__ import annotations

import streamlit as st

from mnist_core.evaluation.metrics import Evaluation
from pages.ui.evaluate.evaluated import Measured
from pages.ui.shared import figure


def show_scores(found: Measured) -> None:
    """All of them."""
    figures = found.figures
    headline(figures)
    by_digit(figures)


def headline(figures: Evaluation) -> None:
    """The figures in a row, and where the accuracy lies."""
    low, high = figures.interval
    columns = iter([*st.columns(3), *st.columns(3)])
    next(columns).metric("Accuracy", f"{100 * figures.accuracy:.2f} %")
    next(columns).metric("95 % interval", f"{100 * low:.2f} – {100 * high:.2f} %")
    next(columns).metric("Error", f"{figures.error_percent:.2f} %")
    next(columns).metric("Loss", f"{figures.loss:.4f}")
    next(columns).metric("Top-2 accuracy", f"{100 * figures.top2_accuracy:.2f} %")
    next(columns).metric("Calibration error", f"{100 * figures.calibration_error:.2f} %")
    wrong = figures.images - round(figures.accuracy * figures.images)
    st.caption(f"{wrong:,} of {figures.images:,} images are read wrong.")
    figure.how_to_read("headline figures")


def by_digit(figures: Evaluation) -> None:
    """Precision, recall, F1 and support of each digit."""
    rows = [
        {
            "digit": each["digit"],
            **{name: 100 * each[name] for name in ("precision", "recall", "f1")},
            "support": each["support"],
        }
        for each in figures.to_json()["classes"]
    ]
    percent = st.column_config.NumberColumn(format="%.2f %%")
    columns = {
        "precision": percent,
        "recall": percent,
        "f1": st.column_config.NumberColumn("F1", format="%.2f %%"),
        "support": st.column_config.NumberColumn("support (images)", format="localized"),
    }
    figure.table(rows, "Each digit's own figures", "class figures", "class_figures", column_config=columns)
