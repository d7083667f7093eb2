"""The note on an imported run, and the button that evaluates it on this machine."""

from __future__ import annotations

import subprocess  # noqa: S404 - only for the name of an error

import streamlit as st

from mnist_core.errors import RunError
from mnist_core.export import measure
from mnist_core.processes import cpu_count, last_error_line, run_module
from mnist_core.runs.imports import ImportMark, read_import
from mnist_core.runs.run import Run
from pages.ui.shared import caches, feedback, formatting, guard, visitor

DATA_TITLES = {"full": "MNIST", "sample": "the offline sample"}


def show_import_note(run: Run) -> None:
    """Shows where the scores of an imported run come from, with the button. Shows nothing for a run trained here."""
    mark = read_import(run.path)
    if mark is None:
        return
    note, button = st.columns([4, 1], vertical_alignment="center")
    note.caption(formatting.escape_markdown(import_note(mark)))
    if not run.has_model:
        return
    label = "Evaluate again" if mark.measured else "Evaluate here"
    pressed = button.button(label, key=f"measure_{run.id}", disabled=visitor.is_locked(run), width="stretch")
    if pressed:
        with st.spinner("Classifying the validation and test images …"):
            done = guard.try_action(lambda: visitor.change_run(run, _measure_in_process, run), True)
        if done:
            caches.clear_run_caches()
            feedback.confirm("Evaluated on this machine.")
            st.rerun()


def import_badge(run: Run) -> str:
    """Markdown for a badge next to the name of an imported run; empty for a run that was trained here."""
    mark = read_import(run.path)
    return "" if mark is None else f" :orange-badge[{'imported' if mark.measured else 'imported, not evaluated here'}]"


def import_note(mark: ImportMark) -> str:
    """Where the run and its scores come from."""
    origin = f"Imported; its id was {mark.run}." if mark.run else "Imported."
    if not mark.measured:
        return f"{origin} Its scores and curves come from the zip; it has not been evaluated on this machine."
    scores = mark.measured
    return (
        f"{origin} Evaluated on this machine, on {DATA_TITLES.get(scores['data'], 'custom data')}: validation accuracy "
        f"{scores['val_accuracy']:.2%}, test accuracy {scores['test_accuracy']:.2%}. It may have been "
        "trained on some of these images."
    )


def _measure_in_process(run: Run) -> None:
    """Evaluates the run in a process of its own. Raises RunError if that fails or takes too long."""
    folder = str(run.path.resolve())
    try:
        done = run_module("mnist_core.export.measure", folder, threads=cpu_count(), timeout=measure.MAX_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        raise RunError(f"{run.id} could not be evaluated within {measure.MAX_SECONDS // 60} minutes.") from None
    if done.returncode:
        raise RunError(f"{run.id} cannot be evaluated: {last_error_line(done)[:300]}")
