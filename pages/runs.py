"""The Runs page: the leaderboard, every run in a searchable table, one of them to manage, several to compare."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.errors import RunNotFoundError
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run
from mnist_core.runs.trash import trashed_runs
from mnist_core.sweeps import folding
from pages.ui.runs import disk_space, run_tables, trash
from pages.ui.runs.comparison import show_run_comparison
from pages.ui.runs.leaderboard import show_leaderboard
from pages.ui.runs.run_detail import show_one_run
from pages.ui.shared import caches, export, guard, navigation, state, visitor

MAX_MISSING_NAMED = 5
"""How many runs of a link that are not there have a message of their own."""


def select_linked_runs(known: Collection[str]) -> None:
    """Selects the runs that the address names, `?compare=ID,ID`, and drops selected runs that no longer exist.

    An address that this page wrote itself is not followed: it would undo what has been selected since.

    Args:
        known: the ids of all runs.
    """
    linked = st.query_params.get("compare")
    if linked is not None and linked != st.session_state.get(state.LINKED_COMPARISON):
        ids = [run_id for run_id in dict.fromkeys(linked.split(",")) if run_id]
        st.session_state[state.COMPARED] = ids
        show_missing_runs([run_id for run_id in ids if run_id not in known])
    selected = st.session_state.get(state.COMPARED, [])
    st.session_state[state.COMPARED] = [run_id for run_id in selected if run_id in known]


def show_missing_runs(ids: list[str]) -> None:
    """Says why the first few of these runs cannot be compared, and how many more there are."""
    for run_id in ids[:MAX_MISSING_NAMED]:
        guard.try_action(partial(find_linked_run, run_id), True)
    if len(ids) > MAX_MISSING_NAMED:
        st.error(f"This link names {len(ids) - MAX_MISSING_NAMED:,} more runs that are not here.")


def find_linked_run(run_id: str) -> Run:
    """The run that a link names.

    Raises:
        RunNotFoundError: there is no such run. For a deleted run the message says how to restore it.
    """
    if run_id in trashed_runs():
        raise RunNotFoundError(f"The run {run_id} was deleted. Restore it from the trash at the end of this page.")
    return find_run(run_id)


def run_menu(rows: list[run_tables.Row]) -> list[Run]:
    """A menu of runs, in sync with the selected rows and with the address. Returns the selected runs."""
    names = run_tables.selectable_runs(rows)
    ids = st.multiselect(
        "Selected runs: select rows in the table, or choose runs here",
        list(names),
        format_func=names.__getitem__,
        key=state.COMPARED,
    )
    st.session_state[state.LINKED_COMPARISON] = ",".join(ids) or None
    if ids:
        st.query_params["compare"] = ",".join(ids)
    else:
        st.query_params.pop("compare", None)
    runs = [guard.try_action(partial(find_run, run_id), True) for run_id in ids]
    return [run for run in runs if run is not None]  # None: deleted a moment ago


def show_delete_button(runs: list[Run]) -> None:
    """A button that deletes those of several runs that this visitor may delete."""
    mine = [run for run in runs if not visitor.is_locked(run)]
    everything = len(mine) == len(runs)
    label = f"Delete {len(runs)} runs" if everything else f"Delete my runs ({len(mine)} of {len(runs)})"
    st.button(label, key="delete", on_click=trash.delete_runs, args=(mine,), disabled=not mine)


def show_history(rows: list[run_tables.Row]) -> None:
    """The leaderboard, the search, and the tables of the runs that match, each sweep in one row."""
    heads = caches.sweep_heads(runs_dir())
    single, bests = folding.split_trials(rows, heads)
    show_leaderboard([*single, *bests])
    if not rows:
        st.info("No runs yet. Train a network on the Train page.")
        return
    matches = run_tables.search(rows)
    if matches:
        run_tables.show_run_tables(folding.fold_sweeps(matches, heads))
    else:
        st.info("No run matches. Change the search or clear the filters.")


def show_runs_page() -> None:
    """The page below its title."""
    rows = caches.run_history(runs_dir())
    by_id = {row["run"]: row for row in rows}
    select_linked_runs(by_id)
    trash.show_undo()
    disk_space.show_disk_space()
    show_history(rows)
    runs = run_menu(rows)
    if len(runs) == 1:
        guard.render(partial(show_one_run, runs[0], by_id[runs[0].id]))
    elif runs:
        show_delete_button(runs)
    if runs:
        guard.render(partial(show_run_comparison, runs))
    else:
        state.restore_canvases()  # that of the comparison is hidden
    with st.expander("Import a run", icon=":material/upload:"):
        export.show_import()
    trash.show_trash()
    visitor.show_administrator_form()


navigation.ensure_app_ran()
st.title("Runs")
st.write(
    "Click a name to open a run or a sweep. Select a run to rename, export or delete it, or several to compare them."
)
guard.render(show_runs_page)
