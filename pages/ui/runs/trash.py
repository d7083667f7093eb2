"""Deleting runs, and restoring them from the trash, which keeps them for a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from mnist_core import owners
from mnist_core.errors import DigitLabError
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run
from mnist_core.runs.trash import empty_trash, find_in_trash, move_to_trash, restore_from_trash, trashed_runs
from pages.ui.shared import caches, feedback, formatting, state, visitor


def delete_runs(runs: list[Run]) -> None:
    """Callback: moves runs to the trash. Those that cannot be deleted are reported and stay selected."""
    deleted = _apply_to_each([run.id for run in runs], _delete)
    st.session_state[state.LAST_DELETED] = deleted
    if deleted:
        feedback.confirm(
            f"{formatting.plural(len(deleted), 'run')} deleted. Undo is at the top of the page.", ":material/delete:"
        )
    st.session_state[state.COMPARED] = [name for name in st.session_state[state.COMPARED] if name not in deleted]


def _delete(run_id: str) -> None:
    run = find_run(run_id)
    visitor.change_run(run, move_to_trash, run)


def restore_runs(run_ids: Iterable[str]) -> None:
    """Callback: takes runs out of the trash. Those that cannot be restored are reported."""
    if restored := _apply_to_each(run_ids, _restore):
        feedback.confirm(f"{formatting.plural(len(restored), 'run')} restored.", ":material/undo:")
    st.session_state[state.LAST_DELETED] = []


def _restore(run_id: str) -> None:
    owners.check_may_change(
        owners.read_owner(find_in_trash(run_id).path), visitor.current_visitor(), f"The run {run_id}"
    )
    restore_from_trash(run_id)


def _apply_to_each(run_ids: Iterable[str], action: Callable[[str], None]) -> list[str]:
    """Calls the action for each run and reports failures in a toast. Returns the ids for which it succeeded."""
    done = []
    for run_id in run_ids:
        try:
            action(run_id)
            done.append(run_id)
        except DigitLabError as error:
            st.toast(formatting.escape_markdown(str(error)), icon=":material/block:")
    caches.clear_run_caches()
    return done


def show_undo() -> None:
    """An *Undo* button right after a deletion."""
    deleted = [run_id for run_id in st.session_state.get(state.LAST_DELETED, []) if run_id in trashed_runs()]
    if not deleted:
        return
    message, button = st.columns([4, 1], vertical_alignment="center")
    message.info(f"{len(deleted)} runs deleted." if len(deleted) > 1 else "Run deleted.")
    button.button("Undo", on_click=restore_runs, args=(deleted,), width="stretch")


def show_trash() -> None:
    """The runs deleted within the last day, to restore."""
    empty_trash()
    deleted = list(trashed_runs())
    if not deleted:
        return
    with st.expander(f"Trash: {len(deleted)} deleted in the last 24 hours", icon=":material/delete:"):
        titles = {run_id: f"{run_title(find_in_trash(run_id))} · {run_id}" for run_id in deleted}
        chosen = st.multiselect("Runs to restore", deleted, format_func=titles.__getitem__, key=state.RESTORED)
        st.button("Restore", on_click=restore_runs, args=(chosen,), disabled=not chosen)
