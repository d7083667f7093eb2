"""Every run that was made: what it came to, what it is called, and any of them laid over one another."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.errors import RunNotFoundError
from mnist_core.runs import history
from mnist_core.runs.run import Run, find_run
from pages.ui.runs import run_tables, trash
from pages.ui.runs.comparison import show_run_comparison
from pages.ui.runs.trash import show_trash
from pages.ui.shared import caches, components, export, navigation, state, visitor
from pages.ui.shared.export import show_export


def follow_link(known: dict[str, str]) -> None:
    """Chooses the runs that the address names, where it is another address than the page itself wrote last."""
    linked = st.query_params.get("compare")
    if linked is not None and linked != st.session_state.get(state.LINKED):
        names = [name for name in linked.split(",") if components.attempt(lambda name=name: linked_run(name), True)]
        st.session_state[state.COMPARED] = [name for name in dict.fromkeys(names) if name in known]
    kept = [name for name in st.session_state.get(state.COMPARED, []) if name in known]
    st.session_state[state.COMPARED] = kept


def linked_run(name: str) -> Run:
    """The run of a link. Raises RunNotFoundError, which says of a deleted one how to have it back."""
    if name in history.deleted():
        raise RunNotFoundError(f"The run {name} was deleted. At the end of this page it can be had back for a day.")
    return find_run(name)


def chosen(known: dict[str, str]) -> list[Run]:
    """The runs to look at, which the address then names."""
    names = st.multiselect(
        "Runs to look at: tick them in the table, or choose them here",
        list(known),
        format_func=known.get,
        key=state.COMPARED,
    )
    st.session_state[state.LINKED] = ",".join(names) or None
    if names:
        st.query_params["compare"] = ",".join(names)
    else:
        st.query_params.pop("compare", None)
    found = [components.attempt(lambda name=name: find_run(name), True) for name in names]
    return [run for run in found if run is not None]  # one may have been deleted a moment ago


def one(run: Run) -> None:
    """What can be done with one run."""
    said, locked = history.label(run), visitor.locked(run)
    visitor.say_whose(run)
    with st.form(f"label-{run.id}"):
        name = st.text_input("Name", said.name, placeholder=history.title(run), disabled=locked)
        starred = st.checkbox("Star", said.starred, disabled=locked)
        note = st.text_area("Note", said.note, disabled=locked)
        pressed = st.form_submit_button("Save", disabled=locked)
    wanted: dict[str, Any] = {"name": name, "starred": starred, "note": note}
    if components.attempt(lambda: visitor.change(run, history.relabel, run, **wanted), pressed):
        caches.forget_runs()
        st.rerun()
    watch, again, remove = st.columns(3)
    watch.page_link("pages/train.py", label="Open", icon=":material/monitoring:", query_params={"run": run.id})
    again.page_link(
        "pages/train.py", label="Train again with a change", icon=":material/replay:", query_params={"like": run.id}
    )
    remove.button("Delete", key="delete", on_click=trash.remove, args=([run],), disabled=locked)
    with st.expander("Take it home", icon=":material/download:"):
        show_export(run)


def many(runs: list[Run]) -> None:
    """What can be done with several."""
    own = [run for run in runs if not visitor.locked(run)]
    label = f"Delete these {len(runs)}" if len(own) == len(runs) else f"Delete the {len(own)} of these that are yours"
    st.button(label, key="delete", on_click=trash.remove, args=(own,), disabled=not own)


def page() -> None:
    """The whole of it."""
    rows = caches.history(runs_dir())
    known = {row["run"]: row["name"] for row in rows}
    follow_link(known)
    trash.undo()
    left = run_tables.found(rows)
    if left:
        run_tables.tables(left)
        run_tables.best(left)
    else:
        st.info("No run yet, or none that fits. Train one on the Train page.")
    if runs := chosen(known):
        one(runs[0]) if len(runs) == 1 else many(runs)
        show_run_comparison(runs)
    with st.expander("Bring in a run", icon=":material/upload:"):
        export.bring_in()
    show_trash()
    visitor.administrator()


navigation.through_app()
st.title("Runs")
st.write("Every training so far: what it came to, and any of them laid over one another.")
components.guarded(page)
