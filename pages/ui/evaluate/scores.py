"""The metrics view: accuracy with its confidence interval, loss, calibration error, and metrics of each digit."""

from __future__ import annotations

import streamlit as st

from mnist_core.evaluation import findings
from mnist_core.evaluation.metrics import Evaluation
from pages.ui.evaluate.evaluated_model import EvaluatedModel
from pages.ui.shared import figure


def show_scores(model: EvaluatedModel) -> None:
    """All metrics of a model."""
    metrics = model.metrics
    show_headline_metrics(metrics)
    show_class_metrics(metrics)


def show_headline_metrics(metrics: Evaluation) -> None:
    """Six metrics over all images."""
    low, high = metrics.interval
    headline = {
        "Accuracy": f"{metrics.accuracy:.2%}",
        "95% interval": f"{100 * low:.2f} – {high:.2%}",
        "Error": f"{metrics.error_percent:.2f}%",
        "Loss": f"{metrics.loss:.4f}",
        "Top-2 accuracy": f"{metrics.top2_accuracy:.2%}",
        "Calibration error": f"{metrics.calibration_error:.2%}",
    }
    for column, (label, value) in zip([*st.columns(3), *st.columns(3)], headline.items(), strict=True):
        column.metric(label, value)
    figure.show_guide("headline figures")


def show_class_metrics(metrics: Evaluation) -> None:
    """Precision, recall, F1 and support of each digit."""
    rows = [
        {
            "digit": row["digit"],
            **{name: 100 * row[name] for name in ("precision", "recall", "f1")},
            "support": row["support"],
        }
        for row in metrics.to_json()["classes"]
    ]
    columns = {
        "precision": st.column_config.NumberColumn(format="%.2f%%"),
        "recall": st.column_config.NumberColumn(format="%.2f%%"),
        "f1": st.column_config.NumberColumn("F1", format="%.2f%%"),
        "support": st.column_config.NumberColumn("support (images)", format="localized"),
    }
    finding = findings.weakest_digit(metrics.recall, metrics.support)
    figure.show_table(rows, "Metrics of each digit", "class figures", "class_figures", finding, column_config=columns)
