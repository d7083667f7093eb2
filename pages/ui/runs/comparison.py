"""Runs laid over one another: curves, settings, confusions, and one drawing read by each."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts import runs as run_charts
from mnist_core.runs import history
from mnist_core.runs.reports import MEASURES
from mnist_core.runs.run import Run
from pages.ui.shared import caches, components, figure, sketchpad, state, theme
from pages.ui.shared.sketchpad import show_sketchpad

MOST = 10
"""Runs at once: more curves in one chart nobody can tell apart."""


def show_run_comparison(runs: list[Run]) -> None:
    """All of it, for one run or more."""
    if len(runs) > MOST:
        st.caption(f"The first {MOST} of {len(runs)} runs are laid over one another.")
    runs = runs[:MOST]
    curves(runs)
    settings(runs)
    confusions(runs)
    components.fragment(lambda: drawing(runs))


def curves(runs: list[Run]) -> None:
    """One measure of each run in one chart."""
    st.subheader("Curves")
    which, by, soft, log = st.columns([1.2, 1.2, 1.5, 0.8], vertical_alignment="bottom")
    measure = which.selectbox("Measure", MEASURES, format_func=lambda name: name.replace("val_", "validation "))
    axis = by.selectbox("By", list(run_charts.CURVE_AXES), format_func=run_charts.CURVE_AXES.get)
    smoothing = soft.slider("Smoothing", 0.0, 0.99, 0.0)
    logarithmic = log.toggle("Log scale")
    told = {_name(run): caches.reports(run) for run in runs}
    chart, title = (
        run_charts.run_curves(told, measure, axis, smoothing, logarithmic),
        measure.replace("val_", "validation "),
    )
    alt = f"{title} by {run_charts.CURVE_AXES[axis]} of {', '.join(told)}"
    figure.chart(chart, f"{title.capitalize()} by {run_charts.CURVE_AXES[axis]}", alt, "learning curves", "overlay")


def _name(run: Run) -> str:
    """Two runs of one name must not become one curve."""
    return f"{history.title(run)} · {run.id[-4:]}"


def settings(runs: list[Run]) -> None:
    """Only what differs, and the rest on request."""
    specs = [spec for run in runs if (spec := components.attempt(run.spec, True)) is not None]
    if len(specs) != len(runs):
        return
    rows, names = history.settings_table(specs), [_name(run) for run in runs]
    differing = [row for row in rows if row["differs"]]
    st.subheader("Settings")
    if len(runs) > 1 and differing:
        st.table(_beside([components.plain(name) for name in names], differing))  # a table reads Markdown
    elif len(runs) > 1:
        st.write("All settings are the same.")
    with st.expander("All settings"):
        st.dataframe(_beside(names, rows), hide_index=True)


def _beside(names: list[str], rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"setting": row["setting"], **dict(zip(names, row["values"], strict=True))} for row in rows]


def confusions(runs: list[Run]) -> None:
    """The confusion matrix of each run with a model, side by side."""
    tested = [(run, run.card()) for run in runs if run.has_model]
    tested = [(run, card) for run, card in tested if isinstance(card.get("test"), dict)]
    if not tested:
        return
    st.subheader("What is taken for what")
    for start in range(0, len(tested), 3):
        for column, (run, card) in zip(st.columns(3), tested[start : start + 3], strict=False):
            accuracy = f"{100 * card['test_accuracy']:.2f} %"
            title, alt = f"{components.plain(_name(run))}: {accuracy}", f"Confusion matrix of {_name(run)}: {accuracy}"
            chart = run_charts.confusion_matrix(card["test"]["confusion"])
            with column:
                figure.chart(chart, title, alt, "confusion matrix", f"confusion_{run.id}")


def drawing(runs: list[Run]) -> None:
    """One drawing, read by each."""
    readers = [run for run in runs if run.has_model]
    if not readers:
        return
    st.subheader("The same drawing, read by each")
    image = sketchpad.digit(show_sketchpad(state.COMPARISON_CANVAS, theme.CANVAS_PIXELS))
    if image is None:
        st.info("Draw a digit, and see which of them reads it.")
        return
    for start in range(0, len(readers), 3):
        for column, run in zip(st.columns(3), readers[start : start + 3], strict=False):
            with column:
                reading = caches.classifier(run.model).read(image)
                components.answer(reading, _name(run), image if start == 0 else None)
