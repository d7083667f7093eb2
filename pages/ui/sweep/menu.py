"""The menu of all sweeps."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.runs.status import FINAL_STATES
from mnist_core.sweeps.store import Sweep, find_sweep, list_sweeps, summarize_sweep
from pages.ui.shared import caches, formatting, state

MENU_KEY = "sweep_chosen"
"""Session key of the menu."""


def sweep_menu(sweep: Sweep) -> Sweep:
    """A menu of all sweeps if there are several. Returns the chosen one; `sweep` is preselected."""
    summaries = summaries_by_id()
    if len(summaries) < 2 or sweep.id not in summaries:
        return sweep
    st.session_state[MENU_KEY] = sweep.id
    titles = sweep_titles(summaries)
    chosen = st.selectbox(
        "Sweep",
        list(summaries),
        format_func=titles.__getitem__,
        key=MENU_KEY,
        on_change=_open_chosen_sweep,
    )
    return find_sweep(str(chosen))


def _open_chosen_sweep() -> None:
    st.query_params["sweep"] = st.session_state[state.SWEEP] = st.session_state[MENU_KEY]


def summaries_by_id() -> dict[str, dict[str, Any]]:
    """Sweep id -> its summary, newest first."""
    return {sweep.id: _summary(sweep) for sweep in list_sweeps(runs_dir())}


def _summary(sweep: Sweep) -> dict[str, Any]:
    kept = _summary_of_version(sweep, caches.modified_ns(sweep.path))
    return kept if kept["state"] in FINAL_STATES else summarize_sweep(sweep)


@lru_cache(maxsize=2000)
def _summary_of_version(sweep: Sweep, modified: int) -> dict[str, Any]:
    """Its summary, as long as no file in its folder is replaced."""
    return summarize_sweep(sweep)


def sweep_titles(summaries: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Sweep id -> its title; all differ."""
    return formatting.distinct({sweep_id: sweep_title(summary) for sweep_id, summary in summaries.items()})


def sweep_title(summary: dict[str, Any]) -> str:
    """A summary in one line: `Batch size × learning rate · 21 Nov 2026, 06:15 · 12 of 20 trials · stopped`.

    The menu is not redrawn while a sweep runs, so its number of trials is left out until it has ended.
    """
    started, state = formatting.run_time(summary["sweep"]), summary["state"]
    if state in ("queued", "running", "stopping"):
        return f"{summary['title']} · {started} · running"
    trials = "" if summary["of"] is None else f" · {summary['trials']} of {formatting.plural(summary['of'], 'trial')}"
    return f"{summary['title']} · {started}{trials} · {state}"
