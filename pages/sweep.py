"""The Sweeps page: start a hyperparameter search, follow its trials, see which settings matter, use the best trial."""

from __future__ import annotations

from functools import partial

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.sweeps.store import Sweep, find_sweep, list_sweeps
from pages.ui.shared import guard, navigation, state
from pages.ui.shared.cluster_status import show_cluster_status
from pages.ui.sweep.form import show_sweep_form
from pages.ui.sweep.menu import sweep_menu
from pages.ui.sweep.monitor import show_sweep


def current_sweep() -> Sweep | None:
    """The sweep that the address names, else the one shown last in this session, else the newest; None without any."""
    sweep_id = st.query_params.get("sweep") or st.session_state.get(state.SWEEP) or ""
    st.session_state[state.SWEEP] = None  # so that one that cannot be opened is not tried again
    named: Sweep | None = guard.try_action(partial(find_sweep, sweep_id), bool(sweep_id))
    sweep = named or next(iter(list_sweeps(runs_dir())), None)
    if sweep is None:
        st.query_params.pop("sweep", None)
        return None
    st.query_params["sweep"] = st.session_state[state.SWEEP] = sweep.id
    return sweep


def show_sweep_page() -> None:
    """The page below its title: the form on the left, a sweep on the right."""
    left, right = st.columns([1.2, 2.4], gap="large")
    with left:
        show_cluster_status()
        show_sweep_form()
    with right:
        sweep = current_sweep()
        if sweep is None:
            st.info("No sweeps yet. Press *Start sweep*: the predefined sweep takes less than three minutes.")
        else:
            show_sweep(sweep_menu(sweep))


navigation.ensure_app_ran()
st.title("Sweeps")
st.write("Train many runs with different settings, to find good ones and see which settings matter.")
guard.render(show_sweep_page)
