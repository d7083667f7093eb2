"""Which sweep is looked at."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.sweeps.store import Sweep, find_sweep, list_sweeps, summarize_sweep
from pages.ui.shared import state

SHOWN = "sweep_chosen"


def choose(sweep: Sweep) -> Sweep:
    """A menu of all sweeps, where there is more than one."""
    rows = {row["sweep"]: row for row in map(summarize_sweep, list_sweeps(runs_dir()))}
    if len(rows) < 2 or sweep.id not in rows:
        return sweep
    st.session_state[SHOWN] = sweep.id
    name = st.selectbox("Sweep", list(rows), format_func=lambda name: title(rows[name]), key=SHOWN, on_change=_open)
    return find_sweep(name)


def _open() -> None:
    st.query_params["sweep"] = st.session_state[state.SWEEP] = st.session_state[SHOWN]


def title(row: dict[str, Any]) -> str:
    """A line of sweeps.summary for people."""
    when = time.strftime("%d %b %H:%M", time.strptime(row["sweep"][:15], "%Y%m%d-%H%M%S"))
    done = "" if row["of"] is None else f" · {row['trials']} of {row['of']} trials"
    return f"{row['title']} · {when}{done} · {row['state']}"
