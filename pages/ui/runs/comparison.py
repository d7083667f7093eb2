"""Runs compared: learning curves in one chart, settings that differ, confusion matrices, one drawing for all models."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts import runs as run_charts
from mnist_core.runs.comparison import live_changes, settings_table
from mnist_core.runs.labels import run_title
from mnist_core.runs.reports import METRICS
from mnist_core.runs.run import Run
from pages.ui.shared import caches, figure, formatting, guard, prediction_view, sketchpad, state, theme
from pages.ui.shared.sketchpad import show_sketchpad

MAX_RUNS = 10
"""Runs compared at once. More curves in one chart cannot be told apart."""
PER_ROW = 3
"""Confusion matrices, or predictions, in a row."""


def show_run_comparison(runs: list[Run]) -> None:
    """The whole comparison, of one run or more."""
    if len(runs) > MAX_RUNS:
        st.caption(f"Comparing the first {MAX_RUNS} of {len(runs)} runs.")
    runs = runs[:MAX_RUNS]
    show_curves(runs)
    show_settings(runs)
    show_confusion_matrices(runs)
    guard.render_fragment(lambda: show_predictions(runs))


def show_curves(runs: list[Run]) -> None:
    """One metric of each run, in one chart."""
    st.subheader("Learning curves")
    columns = st.columns([1.2, 1.2, 1.5, 0.8], vertical_alignment="bottom")
    metric = str(columns[0].selectbox("Metric", METRICS, format_func=metric_title))
    axis = str(
        columns[1].selectbox("x-axis", list(run_charts.CURVE_AXES), format_func=run_charts.CURVE_AXES.__getitem__)
    )
    smoothing = columns[2].slider("Smoothing", 0.0, 0.99, 0.0)
    logarithmic = columns[3].toggle("Log scale")
    reports = {unique_name(run): caches.comparable_reports(run) for run in runs}
    title = f"{metric_title(metric)} by {run_charts.CURVE_AXES[axis].lower()}"
    figure.show_chart(
        run_charts.run_curves(reports, metric, axis, smoothing, logarithmic),
        title.capitalize(),
        f"{title} of {', '.join(reports)}",
        "learning curves",
        "overlay",
    )


def metric_title(metric: str) -> str:
    """`validation loss` for `val_loss`."""
    return metric.replace("val_", "validation ")


def unique_name(run: Run) -> str:
    """The name of a run with the end of its id, so that runs of the same name stay two."""
    return f"{run_title(run)} · {run.id[-4:]}"


def show_settings(runs: list[Run]) -> None:
    """The settings that differ, and all of them in a fold. Nothing if one of the runs has no readable spec."""
    specs = [spec for run in runs if (spec := guard.try_action(run.spec, True)) is not None]
    if len(specs) != len(runs):
        return
    live = [live_changes(run, spec) for run, spec in zip(runs, specs, strict=True)]
    rows, names = settings_table(specs, live), [unique_name(run) for run in runs]
    st.subheader("Settings")
    if len(runs) > 1:
        differing = [row for row in rows if row["differs"]]
        if differing:
            st.table(
                _settings_columns([formatting.escape_markdown(name) for name in names], differing)
            )  # Markdown in st.table
        else:
            st.write("All settings are the same.")
    with st.expander("All settings"):
        st.dataframe(_settings_columns(names, rows), hide_index=True)


def _settings_columns(names: list[str], rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """A row for each setting, a column for each run."""
    return [{"setting": row["setting"], **dict(zip(names, row["values"], strict=True))} for row in rows]


def show_confusion_matrices(runs: list[Run]) -> None:
    """The confusion matrix of every run that has been tested."""
    cards = [(run, run.card()) for run in runs if run.has_model]
    tested = [(run, card) for run, card in cards if isinstance(card.get("test"), dict)]
    if not tested:
        return
    st.subheader("Confusion matrices")
    for start in range(0, len(tested), PER_ROW):
        for column, (run, card) in zip(st.columns(PER_ROW), tested[start : start + PER_ROW], strict=False):
            accuracy = f"{100 * card['test_accuracy']:.2f} %"
            with column:
                figure.show_chart(
                    run_charts.confusion_matrix(card["test"]["confusion"]),
                    f"{formatting.escape_markdown(unique_name(run))}: {accuracy}",
                    f"Confusion matrix of {unique_name(run)}: {accuracy}",
                    "confusion matrix",
                    f"confusion_{run.id}",
                )


def show_predictions(runs: list[Run]) -> None:
    """A canvas, and what each model predicts for the drawing on it."""
    models = [run for run in runs if run.has_model]
    if not models:
        return
    st.subheader("One drawing, every model")
    image = sketchpad.normalized_digit(show_sketchpad(state.COMPARISON_CANVAS, theme.CANVAS_PIXELS))
    if image is None:
        st.info("Draw a digit to see what each model predicts.")
        return
    for start in range(0, len(models), PER_ROW):
        for column, run in zip(st.columns(PER_ROW), models[start : start + PER_ROW], strict=False):
            with column:
                reading = caches.classifier(run.model).predict(image)
                prediction_view.show_prediction(reading, unique_name(run), image if start == 0 else None)
