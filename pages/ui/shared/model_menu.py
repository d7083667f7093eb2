"""The menu of models: the one that comes with Digit Lab, those of runs, and of each sweep the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.errors import ModelError
from mnist_core.models.classifier import DEFAULT_MODEL, SHIPPED_NAME
from mnist_core.runs import history, ranking
from mnist_core.runs.names import memorable_name
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run
from mnist_core.sweeps import folding
from mnist_core.training import fine_tune
from pages.ui.shared import caches, formatting, guard, state, visitor

SHIPPED = fine_tune.SHIPPED_MODEL
"""The choice of the model that comes with Digit Lab."""
NO_MODEL = "none"
"""The choice of an optional menu that selects no model."""


def select_model(label: str, key: str, optional: bool = False, exclude: str | None = None) -> str:
    """Shows the menu.

    Args:
        label: of the menu.
        key: session key of the choice.
        optional: offers NO_MODEL, and starts with it.
        exclude: a model that is not offered, since it is selected already.

    Returns:
        SHIPPED, a run id, or NO_MODEL.
    """
    choices = [*([NO_MODEL] if optional else []), *model_choices(st.session_state.get(key, ""))]
    choices = [choice for choice in choices if choice != exclude]
    if st.session_state.get(key) not in choices:
        st.session_state[key] = choices[0] if choices else NO_MODEL
    names = distinct_names(choices)
    choice = str(st.selectbox(label, choices, format_func=names.__getitem__, key=key))
    if key == state.MODEL and st.session_state.get(state.BAR_MODEL, choice) != choice:
        st.session_state[state.BAR_MODEL] = choice
        st.rerun(scope="app")  # the bar is above: a fragment does not redraw it, and a link is followed below it
    return choice


def model_choices(selected: str = "") -> list[str]:
    """The shipped model, the visitor's own runs, the runs of others, then the best of each sweep.

    Args:
        selected: also a choice if it has a model: a link may open any trial of a sweep.
    """
    rows = caches.model_rows(runs_dir())
    single, bests = folding.split_trials(rows.values(), caches.sweep_heads(runs_dir()))
    mine, others = ranking.split_by_owner(single, visitor.owner_id())
    choices = [SHIPPED, *(row["run"] for row in (*mine, *others, *bests))]
    return choices if selected in choices or selected not in rows else [*choices, selected]


def current_model() -> str:
    """The model that the visitor selected last, on any page: SHIPPED, or the id of a run that has a model."""
    choice = str(st.session_state.get(state.MODEL))
    return choice if choice in caches.model_rows(runs_dir()) else SHIPPED


def model_name(choice: str) -> str:
    """The name of a choice, as the menu shows it: `calm-otter-47 · fast · 97.20%`, with its validation accuracy."""
    return model_names([choice])[choice]


def model_names(choices: Iterable[str]) -> dict[str, str]:
    """Choice -> its name, as `model_name` returns it. A thousand names take milliseconds."""
    rows, heads = caches.model_rows(runs_dir()), caches.sweep_heads(runs_dir())
    fixed = {NO_MODEL: "none", SHIPPED: SHIPPED_NAME}
    return {
        choice: fixed.get(choice) or (_run_name(rows[choice], heads) if choice in rows else memorable_name(choice))
        for choice in choices
    }


def distinct_names(choices: Iterable[str]) -> dict[str, str]:
    """Choice -> its name, different for each: what a view calls the models that it compares."""
    return formatting.distinct(model_names(choices))


def _run_name(row: dict[str, Any], heads: Mapping[str, folding.SweepHead]) -> str:
    head = heads.get(folding.sweep_of(row))
    origin = row["recipe"] or "unreadable"
    if head is not None:
        origin = f"{'best' if head.best == row['run'] else 'trial'} of the sweep {head.title}"
    score = "no score" if row["val_accuracy"] is None else f"{row['val_accuracy']:.2%}"
    if row["imported"]:
        origin, score = f"imported {origin}", score if row["imported"] == history.MEASURED else "not evaluated here"
    return " · ".join([row["name"], origin, score])


def select_linked_model(key: str) -> None:
    """Selects the model that the address names, `?model=RUN_ID`, once."""
    run_id = st.query_params.pop("model", None)
    if run_id is not None and guard.try_action(lambda: _run_with_model(run_id), True):
        st.session_state[key] = run_id


def _run_with_model(run_id: str) -> Run:
    run = find_run(run_id)
    if not run.has_model:
        raise ModelError(f"The run {run_id} has no model: it is {run.status().state}. Choose another from the menu.")
    return run


def model_path(choice: str) -> Path:
    """The model file of a choice. Raises RunNotFoundError if the run is gone."""
    return DEFAULT_MODEL if choice == SHIPPED else find_run(choice).model
