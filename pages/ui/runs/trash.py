"""Deleting runs, one or many, and having them back for a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from mnist_core import owners
from mnist_core.errors import DigitLabError
from mnist_core.runs import history
from mnist_core.runs.run import Run
from pages.ui.shared import caches, components, state, visitor


def remove(runs: list[Run]) -> None:
    """Callback: deletes those that may be; the others are said, and stay chosen."""
    gone = _each([run.id for run in runs], lambda name: _delete({run.id: run for run in runs}[name]))
    st.session_state[state.LAST_DELETED] = gone
    st.session_state[state.COMPARED] = [name for name in st.session_state[state.COMPARED] if name not in gone]


def _delete(run: Run) -> None:
    visitor.change(run, history.delete, run)


def _have_back(names: Iterable[str]) -> None:
    """Callback: takes runs out of the bin."""
    _each(names, _restore)
    st.session_state[state.LAST_DELETED] = []


def _restore(name: str) -> None:
    owners.require(owners.read(history.find_deleted(name).path), visitor.visitor(), f"The run {name}")
    history.restore(name)


def _each(names: Iterable[str], action: Callable[[str], None]) -> list[str]:
    """Does it to each, and says of which it could not be done. Returns those it was done to."""
    done = []
    for name in names:
        try:
            action(name)
            done.append(name)
        except DigitLabError as error:
            st.toast(components.plain(str(error)), icon=":material/block:")
    caches.forget_runs()
    return done


def undo() -> None:
    """Right after a deletion: its undoing."""
    gone = [name for name in st.session_state.get(state.LAST_DELETED, []) if name in history.deleted()]
    if not gone:
        return
    said, button = st.columns([4, 1], vertical_alignment="center")
    said.info(f"{len(gone)} runs are deleted." if len(gone) > 1 else "The run is deleted.")
    button.button("Undo", on_click=_have_back, args=(gone,), width="stretch")


def show_trash() -> None:
    """What was deleted within a day, to be had back."""
    history.empty_bin()
    gone = list(history.deleted())
    if not gone:
        return
    with st.expander(f"Deleted: {len(gone)}, kept for a day", icon=":material/delete:"):
        titles = {name: f"{history.title(history.find_deleted(name))} · {name}" for name in gone}
        chosen = st.multiselect("Runs to have back", gone, format_func=titles.get, key=state.HAD_BACK)
        st.button("Have them back", on_click=_have_back, args=(chosen,), disabled=not chosen)
