"""One run on the Runs page: its scores, name, star and note, links to watch and retrain it, export and deletion."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts.common import format_duration
from mnist_core.errors import RunError
from mnist_core.runs.labels import read_label, run_title, update_label
from mnist_core.runs.run import Run
from pages.ui.runs import trash
from pages.ui.runs.run_tables import Row, what_text
from pages.ui.shared import caches, feedback, formatting, guard, visitor
from pages.ui.shared.export import show_export
from pages.ui.shared.imported import show_import_note


def show_one_run(run: Run, row: Row) -> None:
    """Everything about a run that can be changed, below its scores. `row`: of the history."""
    locked = visitor.is_locked(run)
    st.markdown(f"#### {formatting.escape_markdown(row['name'])}")
    st.caption(formatting.escape_markdown(what_text(row)))
    _show_scores(run, row)
    show_import_note(run)
    open_run, retrain, delete = st.columns(3, vertical_alignment="center")
    open_run.page_link("pages/train.py", label="Open", icon=":material/monitoring:", query_params={"run": run.id})
    retrain.page_link(
        "pages/train.py", label="Retrain with changes", icon=":material/replay:", query_params={"like": run.id}
    )
    delete.button("Delete", key="delete", on_click=trash.delete_runs, args=([run],), disabled=locked)
    visitor.show_owner_note(run)
    with st.expander("Name, star and note", icon=":material/edit:"):
        _show_label_form(run, locked)
    with st.expander("Export", icon=":material/download:"):
        show_export(run)


def _show_scores(run: Run, row: Row) -> None:
    """Validation accuracy first. The test accuracy is only here: nobody should choose a run by it."""
    scores = {
        "Validation accuracy": None if row["val_accuracy"] is None else f"{row['val_accuracy']:.2%}",
        "Test accuracy": None if row["test_accuracy"] is None else f"{row['test_accuracy']:.2%}",
        "Training time": row["train_seconds"] and format_duration(row["train_seconds"]),
        "Parameters": row["parameters"] and f"{row['parameters']:,}",
    }
    known = {label: value for label, value in scores.items() if value}
    for column, (label, value) in zip(st.columns(len(scores)), known.items(), strict=False):
        column.metric(label, value)
    if row["sweep"] and row["test_accuracy"] is None:
        st.caption("A trial of a sweep is not evaluated on the test images. Only the best model of the sweep is, once.")
    elif row["test_accuracy"] is not None and _validates_on_test_images(run):
        st.caption("This recipe validates on the test images, so both accuracies are of the same images.")


def _validates_on_test_images(run: Run) -> bool:
    try:
        return run.spec().settings.split == "test-as-validation"
    except RunError:
        return False


def _show_label_form(run: Run, locked: bool) -> None:
    label = read_label(run)
    with st.form(f"label-{run.id}", border=False):
        name = st.text_input("Name", label.name, placeholder=run_title(run), disabled=locked)
        starred = st.checkbox("Star", label.starred, disabled=locked)
        note = st.text_area("Note", label.note, disabled=locked)
        saved = st.form_submit_button("Save", disabled=locked)
    changes: dict[str, Any] = {"name": name, "starred": starred, "note": note}
    if guard.try_action(lambda: visitor.change_run(run, update_label, run, **changes), saved):
        caches.clear_run_caches()
        feedback.confirm("Saved.")
        st.rerun()
