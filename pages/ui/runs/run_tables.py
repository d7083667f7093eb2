"""The history of runs as tables: search and filters, the visitor's runs and those of others, the runs of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from mnist_core.runs import ranking
from mnist_core.runs.history import MEASURED
from mnist_core.runs.spec import OWN
from mnist_core.sweeps.folding import sweep_of
from mnist_core.sweeps.plan import HELD_OUT_SPLIT
from mnist_core.wording import plural
from pages.ui.shared import formatting, mode, state, visitor

Row = dict[str, Any]
"""As `history.history_row` or, for a sweep, `folding.fold_sweeps` returns it."""

COLUMNS: dict[str, ColumnConfig | str | None] = {
    "name": st.column_config.LinkColumn("name", display_text="#(.*)$"),
    "val_accuracy": st.column_config.NumberColumn("validation accuracy", format="%.2f%%"),
    "what": "recipe and changes",
    "train_seconds": st.column_config.NumberColumn("training time", format="%.0f s"),
    "created": st.column_config.DatetimeColumn("created", format="DD MMM YYYY, HH:mm"),
    "state": "state",
    "test_accuracy": st.column_config.NumberColumn("test accuracy", format="%.2f%%"),
    "test_loss": st.column_config.NumberColumn("test loss", format="%.4f"),
    "parameters": st.column_config.NumberColumn("parameters", format="localized"),
    "epochs": "epochs",
    "data": "data",
    "images_per_second": st.column_config.NumberColumn("images/s", format="%.0f"),
    "note": "note",
    "run": "run",
}
"""Column of the run tables -> how it is shown."""
SIMPLE_COLUMNS = ("name", "val_accuracy", "what", "train_seconds", "created")
"""The columns in Simple mode. In Expert mode there are all."""


def search(rows: list[Row]) -> list[Row]:
    """The search field, and in Expert mode the filters. Returns the rows that match, starred runs first."""
    if not mode.is_expert():
        return ranking.search_rows(rows, _search_field(st))
    text_column, state_column, recipe_column, mine_column = st.columns([3, 2, 2, 1], vertical_alignment="bottom")
    text = _search_field(text_column)
    states = _filter(state_column, "State", state.STATE_FILTER, {row["state"] for row in rows})
    recipes = _filter(recipe_column, "Recipe", state.RECIPE_FILTER, {row["recipe"] for row in rows if row["recipe"]})
    only_mine = mine_column.toggle("Only mine", key=state.ONLY_MINE)
    matches = ranking.search_rows(rows, text, states, recipes)
    return ranking.split_by_owner(matches, visitor.owner_id())[0] if only_mine else matches


def _search_field(place: Any) -> str:
    return str(place.text_input("Search", key=state.SEARCH, placeholder="name, recipe, setting, state, note"))


def _filter(column: Any, label: str, key: str, options: set[str]) -> list[str]:
    """A multiselect that forgets values that are no longer among the options."""
    st.session_state[key] = [value for value in st.session_state.get(key, []) if value in options]
    return list(column.multiselect(label, sorted(options), key=key, placeholder="any"))


def show_run_tables(rows: list[Row]) -> None:
    """The visitor's own runs, and below them everybody else's. Ticking a sweep lists its runs."""
    mine, others = ranking.split_by_owner(rows, visitor.owner_id())
    if mine:
        st.markdown("##### Your runs")
        _show_run_table("mine", mine)
    if mine and others:
        st.markdown("##### Other runs")
    if others:
        _show_run_table("others", others)
    sweeps = {row["run"]: row for row in rows if "runs" in row}
    st.session_state[state.OPENED_SWEEPS] = [
        sweep for sweep in st.session_state.get(state.OPENED_SWEEPS, []) if sweep in sweeps
    ]
    for sweep in st.session_state[state.OPENED_SWEEPS]:
        _show_sweep(sweeps[sweep])


def _show_sweep(row: Row) -> None:
    """The runs of a sweep, and a link to its page."""
    title, link = st.columns([4, 1], vertical_alignment="bottom")
    title.markdown(f"##### Runs of the sweep {formatting.escape_markdown(row['name'])}")
    link.page_link("pages/sweep.py", label="Open sweep", icon=":material/tune:", query_params={"sweep": row["run"]})
    _show_run_table(row["run"], row["runs"])


def _show_run_table(name: str, rows: list[Row]) -> None:
    """A table in which the selected runs are ticked, also after rows have been inserted between them."""
    key, ids = f"table-{name}", [row["run"] for row in rows]
    sweeps = {row["run"] for row in rows if "runs" in row}
    selected = {*st.session_state.get(state.COMPARED, []), *st.session_state.get(state.OPENED_SWEEPS, [])}
    indices = [index for index, run_id in enumerate(ids) if run_id in selected]
    if set(_ticked_rows(key)) != set(indices):
        st.session_state[key] = {"selection": {"rows": indices, "columns": []}}
    st.dataframe(
        [cells(row) for row in rows],
        column_config=COLUMNS,
        column_order=list(COLUMNS) if mode.is_expert() else SIMPLE_COLUMNS,
        hide_index=True,
        placeholder="",
        key=key,
        selection_mode="multi-row",
        on_select=lambda: _select_ticked(key, ids, sweeps),
    )


def cells(row: Row) -> Row:
    """The cells of a row: the name as a link, accuracy in percent, the time of creation as a date."""
    percent = {name: None if row[name] is None else 100 * row[name] for name in ("val_accuracy", "test_accuracy")}
    shown = {"name": _link(row), "what": what_text(row), "created": _date(row["created"]), **percent}
    return {name: shown.get(name, row.get(name)) for name in COLUMNS}


def _link(row: Row) -> str:
    """The address of a run or sweep, with its name at the end, which the column shows."""
    address = "sweep?sweep" if "runs" in row else "train?run"
    return f"{address}={row['run']}#{quote(('★ ' if row['starred'] else '') + row['name'], safe='')}"


def what_text(row: Row) -> str:
    """What a run trains: `fast · epochs 2 · running`; of a sweep `4 runs · best: epochs 2`."""
    changed = (row["changed"] or "").replace("_", " ").replace(f"split {HELD_OUT_SPLIT}, ", "")
    parts = [changed] if row["recipe"] == OWN else [row["recipe"] or "unreadable", changed]
    if "runs" in row:
        parts = [plural(len(row["runs"]), "run"), f"best: {changed}" if changed else ""]
    elif row["sweep"]:
        parts = [row["sweep"].removeprefix(f"{sweep_of(row)} ").replace("winner", "retrained"), changed]
    if row.get("imported"):
        parts.append("imported" if row["imported"] == MEASURED else "imported, not evaluated here")
    if row["state"] != "finished":
        parts.append(row["state"])
    return " · ".join(part for part in parts if part)


def _date(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds)
    except (OverflowError, OSError, ValueError):  # a mistake in the run's file
        return None


def _ticked_rows(key: str) -> list[int]:
    return list(st.session_state.get(key, {}).get("selection", {}).get("rows", []))


def _select_ticked(key: str, ids: list[str], sweeps: set[str]) -> None:
    """Callback: selects the runs whose rows are ticked, and opens the sweeps.

    Args:
        key: of the table.
        ids: of its rows as the browser had them; others may have been added since.
        sweeps: those of the ids that are sweeps.
    """
    ticked = [ids[index] for index in _ticked_rows(key) if index < len(ids)]
    for selection, chosen in (
        (state.COMPARED, [each for each in ticked if each not in sweeps]),
        (state.OPENED_SWEEPS, [each for each in ticked if each in sweeps]),
    ):
        kept = [each for each in st.session_state.get(selection, []) if each in chosen or each not in ids]
        st.session_state[selection] = kept + [each for each in chosen if each not in kept]


def selectable_runs(rows: Iterable[Row]) -> Mapping[str, str]:
    """Run id -> name: runs outside of sweeps, those of opened sweeps, and what is selected."""
    opened, selected = st.session_state.get(state.OPENED_SWEEPS, []), st.session_state.get(state.COMPARED, [])
    return formatting.distinct(
        {
            row["run"]: row["name"]
            for row in rows
            if not row["sweep"] or sweep_of(row) in opened or row["run"] in selected
        }
    )
