"""Every run that was made: what it came to, what it is called, and any of them laid over one another."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core import figures, history
from mnist_core.runs import Run, find_run, runs_dir
from pages.ui import caches, comparison, components, navigation, state

COLUMNS = {
    "starred": st.column_config.CheckboxColumn("★"), "name": "name", "changed": "changed", "state": "state",
    "test_accuracy": st.column_config.NumberColumn("test accuracy", format="percent"),
    "test_loss": st.column_config.NumberColumn("test loss", format="%.4f"),
    "parameters": st.column_config.NumberColumn("parameters", format="localized"),
    "epochs": "epochs", "data": "data",
    "train_seconds": st.column_config.NumberColumn("seconds", format="%.1f"),
    "images_per_second": st.column_config.NumberColumn("images/s", format="%.0f"),
    "note": "note", "run": "run",
}  # fmt: skip


def found() -> list[dict[str, Any]]:
    """The runs that the search leaves, starred ones first."""
    rows = caches.history(runs_dir())
    words = st.text_input("Search", key=state.SEARCH, placeholder="name, recipe, setting, state, note").lower().split()
    text = ("name", "recipe", "changed", "state", "note", "run", "data")
    left = [row for row in rows if all(word in " ".join(str(row[part]) for part in text).lower() for word in words)]
    return sorted(left, key=lambda row: not row["starred"])


def table(rows: list[dict[str, Any]]) -> None:
    """The history, and the best of it drawn."""
    st.dataframe([{name: row[name] for name in COLUMNS} for row in rows], column_config=COLUMNS, hide_index=True)
    with st.expander("Accuracy against size and time"):
        for column, against in zip(st.columns(2), ("parameters", "train_seconds"), strict=True):
            column.altair_chart(figures.scatter(rows, against), width="stretch", key=f"against_{against}")


def chosen(rows: list[dict[str, Any]]) -> list[Run]:
    """The runs to look at: of the address once, then of the menu, and back into the address."""
    known = {row["run"]: row["name"] for row in rows}
    if linked := st.query_params.pop("compare", None):
        names = [name for name in linked.split(",") if components.attempt(lambda name=name: find_run(name), True)]
        st.session_state[state.COMPARED] = [name for name in names if name in known]
    kept = [name for name in st.session_state.get(state.COMPARED, []) if name in known]
    st.session_state[state.COMPARED] = kept
    names = st.multiselect("Runs to look at", list(known), format_func=known.get, key=state.COMPARED)
    if names:
        st.query_params["compare"] = ",".join(names)
    return [find_run(name) for name in names]


def one(run: Run) -> None:
    """What can be done with one run."""
    said = history.label(run)
    with st.form(f"label-{run.id}"):
        name = st.text_input("Name", said.name, placeholder=history.title(run))
        starred = st.checkbox("Star", said.starred)
        note = st.text_area("Note", said.note)
        pressed = st.form_submit_button("Save")
    if components.attempt(lambda: history.relabel(run, name=name, starred=starred, note=note), pressed):
        changed()
    watch, again, remove = st.columns(3)
    watch.page_link("pages/train.py", label="Open", icon=":material/monitoring:", query_params={"run": run.id})
    again.page_link("pages/train.py", label="Train again with a change", icon=":material/replay:",
                    query_params={"like": run.id})  # fmt: skip
    pressed = remove.button("Delete", key=f"delete-{run.id}")
    if components.attempt(lambda: history.delete(run) is None, pressed):
        changed()


def wastebasket() -> None:
    """Deleted runs, to be had back for a day."""
    history.empty_bin()
    gone = history.deleted()
    if not gone:
        return
    with st.expander(f"Deleted: {len(gone)}, kept for a day"):
        for name in gone:
            label, undo = st.columns([4, 1], vertical_alignment="center")
            label.write(name)
            pressed = undo.button("Undo", key=f"undo-{name}")
            if components.attempt(lambda name=name: history.restore(name), pressed):
                changed()


def changed() -> None:
    """Shows the page anew after something about the runs has changed."""
    caches.history.clear()
    caches.models.clear()
    st.rerun()


def page() -> None:
    """The whole of it."""
    rows = found()
    if not rows:
        st.info("No run yet, or none that fits. Train one on the Train page.")
    else:
        table(rows)
        runs = chosen(rows)
        if len(runs) == 1:
            one(runs[0])
        if runs:
            comparison.show(runs)
    wastebasket()


navigation.through_app()
st.title("Runs")
components.guarded(page)
