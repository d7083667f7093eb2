"""Search the settings of a training: choose what varies, watch the trials come, see what matters, take the best."""

from __future__ import annotations

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.sweeps.store import Sweep, find_sweep, list_sweeps
from pages.ui.shared import components, navigation, state
from pages.ui.shared.cluster_status import show_cluster_status
from pages.ui.sweep import menu
from pages.ui.sweep.form import show_sweep_form
from pages.ui.sweep.monitor import show_sweep


def shown() -> Sweep | None:
    """The sweep that the address names, else the one shown last in this session, else the newest."""
    name = st.query_params.get("sweep") or st.session_state.get(state.SWEEP)
    st.session_state[state.SWEEP] = None  # one that cannot be opened is not tried again
    named: Sweep | None = components.attempt(lambda: find_sweep(name), bool(name))
    found = named or next(iter(list_sweeps(runs_dir())), None)
    if found is None:
        st.query_params.pop("sweep", None)
        return None
    st.query_params["sweep"] = st.session_state[state.SWEEP] = found.id
    return found


def page() -> None:
    """The whole of it."""
    left, right = st.columns([1.2, 2.4], gap="large")
    with left:
        show_cluster_status()
        show_sweep_form()
    with right:
        sweep = shown()
        if sweep is None:
            st.info("No sweep yet. Start one on the left; the ready one takes less than three minutes.")
            return
        sweep = menu.choose(sweep)
        show_sweep(sweep)


navigation.through_app()
st.title("Sweep")
st.write("Many trainings with different settings, one after another: which are good, and which settings matter?")
components.guarded(page)
