"""The menu of models: the one that comes with Digit Lab, and every run that has one."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.errors import ModelError
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.runs.run import Run
from mnist_core.runs.spec import OWN
from mnist_core.runs.store import find_run
from mnist_core.training import fine_tune
from pages.ui.shared import caches, formatting, guard

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
    cards = caches.model_cards(runs_dir())
    choices = [*([NO_MODEL] if optional else []), *(model for model in (SHIPPED, *cards) if model != exclude)]
    if st.session_state.get(key) not in choices:
        st.session_state[key] = choices[0]
    names = {choice: _name(choice, cards) for choice in choices}
    return str(st.selectbox(label, choices, format_func=names.__getitem__, key=key))


def model_name(choice: str) -> str:
    """The name of a choice, as the menu shows it."""
    return _name(choice, caches.model_cards(runs_dir()))


def _name(choice: str, cards: dict[str, dict[str, object]]) -> str:
    if choice == NO_MODEL:
        return "none"
    if choice == SHIPPED:
        return "Digit Lab's model"
    card = cards.get(choice, {})
    accuracy = card.get("test_accuracy")
    score = f"{100 * accuracy:.2f} %" if isinstance(accuracy, float) else "no score"
    overrides = card.get("overrides")
    has_own_network = isinstance(overrides, dict) and LAYERS_KEY in overrides
    return f"{OWN if has_own_network else card.get('recipe', choice)} · {score} · {formatting.run_time(choice)}"


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
