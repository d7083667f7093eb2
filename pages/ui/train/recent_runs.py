"""Links to the latest runs, with their state as it is now."""

from __future__ import annotations

from itertools import islice

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.store import list_runs
from pages.ui.shared import formatting, guard, state

RECENT_RUNS = 10
REDRAW_SECONDS = 2.0


def show_recent_runs() -> None:
    """The expander. While it is open, it is redrawn until all of the runs have ended."""
    runs = _recent_runs()
    if not runs:
        return
    expander = st.expander("Recent runs", key=state.RECENT_RUNS_OPEN, on_change="rerun")
    if expander.open:
        live = any(not run.status().final for run in runs)
        with expander:
            guard.render_fragment(_show_links, every=REDRAW_SECONDS if live else None)


def _recent_runs() -> list[Run]:
    """The latest runs, without the trials of sweeps."""
    return list(islice((run for run in list_runs(runs_dir()) if not sweep_mark(run)), RECENT_RUNS))


def _show_links() -> None:
    for run in _recent_runs():
        kind = run.id[16:].rpartition("-")[0]
        label = f"{run_title(run)} · {kind} · {formatting.run_time(run.id)} · {run.status().state}"
        st.page_link("pages/train.py", label=formatting.escape_markdown(label), query_params={"run": run.id})
