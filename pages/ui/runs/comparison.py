"""Runs compared: learning curves in one chart, settings that differ, confusion matrices, one drawing for all models."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from mnist_core.charts import evaluation as evaluation_charts
from mnist_core.charts import runs as run_charts
from mnist_core.evaluation import findings
from mnist_core.runs import findings as run_findings
from mnist_core.runs.comparison import settings_table
from mnist_core.runs.imports import read_import
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from pages.ui.shared import caches, figure, formatting, guard, mode, prediction_view, sketchpad, state, theme
from pages.ui.shared.figure_guides import CURVE_GUIDES
from pages.ui.shared.sketchpad import show_sketchpad

MAX_RUNS = 10
"""Runs compared at once. More curves in one chart cannot be told apart."""
REDRAW_SECONDS = 2.0
"""How often the curves are redrawn while one of the runs is training."""
MEASURES = ("val_accuracy", "val_loss", "accuracy", "loss")
"""What the curves can show. Runs are compared on validation images."""
PER_ROW = 3
"""Confusion matrices, or predictions, in a row."""


def show_run_comparison(runs: list[Run]) -> None:
    """The whole comparison, of one run or more."""
    if len(runs) > MAX_RUNS:
        st.caption(f"Comparing the first {MAX_RUNS} of {len(runs)} runs.")
    runs = runs[:MAX_RUNS]
    live = is_training(runs)
    guard.render_fragment(lambda: show_curves(runs, live), every=REDRAW_SECONDS if live else None)
    show_settings(runs)
    if len(runs) == 1 or mode.is_expert():
        show_confusion_matrices(runs)
    guard.render_fragment(lambda: show_predictions(runs))


def is_training(runs: list[Run]) -> bool:
    """Whether one of the runs has not ended."""
    return any(not run.status().final for run in runs)


def show_curves(runs: list[Run], live: bool) -> None:
    """One metric of each run, in one chart. `live`: whether it was redrawn so far because a run is training."""
    if live != is_training(runs):
        st.rerun()  # the last run has ended, or one was resumed: stop or begin to redraw
    st.subheader("Learning curves")
    columns = st.columns([1.2, 1.2, 1.5, 0.8], vertical_alignment="bottom")
    metric = str(columns[0].selectbox("Metric", MEASURES, format_func=metric_title))
    axis, smoothing, logarithmic = "epoch", 0.0, False
    if mode.is_expert():
        axes = run_charts.CURVE_AXES
        axis = str(columns[1].selectbox("x-axis", list(axes), list(axes).index(axis), format_func=axes.__getitem__))
        smoothing = columns[2].slider("Smoothing", 0.0, 0.99, 0.0)
        logarithmic = columns[3].toggle("Log scale")
    reports = {name: caches.comparable_reports(run) for name, run in zip(unique_names(runs), runs, strict=True)}
    drawn = {metric, f"estimated_{metric}"}
    if not any(drawn & report.keys() for rows in reports.values() for report in rows):
        none = f"No {metric_title(metric)} yet. The first point comes at the end of the first epoch."
        st.info(none if live else f"There is no {metric_title(metric)} to show.")
        return
    title = f"{metric_title(metric)} by {run_charts.CURVE_AXES[axis].lower()}"
    figure.show_chart(
        run_charts.run_curves(reports, metric, axis, smoothing, logarithmic),
        title.capitalize(),
        f"{title} of {', '.join(reports)}",
        CURVE_GUIDES[metric.removeprefix("val_")],
        "overlay",
        live=live,
        finding=run_findings.run_curves(reports, metric),
    )


def metric_title(metric: str) -> str:
    """`validation loss` for `val_loss`."""
    return metric.replace("val_", "validation ") if metric.startswith("val_") else f"training {metric}"


def unique_names(runs: list[Run]) -> list[str]:
    """The names of runs, with the end of the id where several have the same."""
    titles = {run.id: f"{run_title(run)} (imported)" if read_import(run.path) else run_title(run) for run in runs}
    return list(formatting.distinct(titles).values())


def show_settings(runs: list[Run]) -> None:
    """The settings that differ; in Expert mode all, in a fold. Nothing if one of the runs has no readable spec."""
    specs = [spec for run in runs if (spec := guard.try_action(run.spec, True)) is not None]
    if len(specs) != len(runs):
        return
    live = [caches.live_changes(run) for run in runs]
    rows, names = settings_table(specs, live), unique_names(runs)
    if len(runs) > 1 or mode.is_expert():
        st.subheader("Settings")
    if len(runs) > 1:
        differing = [row for row in rows if row["differs"]]
        if differing:
            st.table(formatting.escape_table(_settings_columns(names, differing)))
        else:
            st.write("All settings are the same.")
    if mode.is_expert():
        with st.expander("All settings"):
            st.dataframe(_settings_columns(names, rows), hide_index=True)


def _settings_columns(names: list[str], rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """A row for each setting, a column for each run."""
    first = "setting" if "setting" not in names else "setting "  # a run may have this name
    return [{first: row["setting"], **dict(zip(names, row["values"], strict=True))} for row in rows]


def show_confusion_matrices(runs: list[Run]) -> None:
    """The confusion matrix of every run that has been tested."""
    cards = [(name, run, run.card()) for name, run in zip(unique_names(runs), runs, strict=True) if run.has_model]
    tested = [each for each in cards if isinstance(each[2].get("test"), dict)]
    if not tested:
        return
    st.subheader("Confusion matrices")
    for start in range(0, len(tested), PER_ROW):
        for column, (name, run, card) in zip(st.columns(PER_ROW), tested[start : start + PER_ROW], strict=False):
            accuracy = f"{card['test_accuracy']:.2%}"
            with column:
                figure.show_chart(
                    evaluation_charts.confusion_matrix(np.array(card["test"]["confusion"])),
                    f"{name}: {accuracy}",
                    f"Confusion matrix of {name}: {accuracy}",
                    "confusion matrix",
                    f"confusion_{run.id}",
                    finding=findings.confusion(np.array(card["test"]["confusion"])),
                )


def show_predictions(runs: list[Run]) -> None:
    """A canvas, and what each model predicts for the drawing on it."""
    models = [(name, run) for name, run in zip(unique_names(runs), runs, strict=True) if run.has_model]
    if not models:
        return
    st.subheader("One drawing, every model")
    image = sketchpad.normalized_digit(show_sketchpad(state.COMPARISON_CANVAS, theme.CANVAS_PIXELS))
    if image is None:
        st.info("Draw a digit to see what each model predicts.")
        return
    for start in range(0, len(models), PER_ROW):
        for column, (name, run) in zip(st.columns(PER_ROW), models[start : start + PER_ROW], strict=False):
            with column:
                reading = caches.classifier(run.model).predict(image)
                prediction_view.show_prediction(reading, name, image if start == 0 else None)
