"""The history as tables: what to list, one's own runs and the others', rows to choose, and the best of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from mnist_core.charts import runs as run_charts
from mnist_core.runs import ranking
from pages.ui.shared import figure, state, visitor

Row = dict[str, Any]

COLUMNS = {
    "starred": "★",
    "name": "name",
    "changed": "changed",
    "state": "state",
    "test_accuracy": st.column_config.NumberColumn("test accuracy", format="%.2f %%"),
    "test_loss": st.column_config.NumberColumn("test loss", format="%.4f"),
    "parameters": st.column_config.NumberColumn("parameters", format="localized"),
    "epochs": "epochs",
    "data": "data",
    "train_seconds": st.column_config.NumberColumn("seconds", format="%.1f"),
    "images_per_second": st.column_config.NumberColumn("images/s", format="%.0f"),
    "recipe": "recipe",
    "note": "note",
    "sweep": "sweep",
    "run": "run",
}
BEST = ("place", "name", "test_accuracy", "parameters", "train_seconds", "epochs", "mark", "run")
AGAINST = {"parameters": "parameters", "train_seconds": "seconds of training"}
DATA = {"full": "MNIST, 10,000 test digits", "sample": "offline sample, 1,000 test digits"}


def found(rows: list[Row]) -> list[Row]:
    """The rows that the search and the menus leave, starred ones first."""
    words, states, recipes, mine = st.columns([3, 2, 2, 1], vertical_alignment="bottom")
    text = words.text_input("Search", key=state.SEARCH, placeholder="name, recipe, setting, state, note")
    of_states = _menu(states, "State", state.STATES, {row["state"] for row in rows})
    of_recipes = _menu(recipes, "Recipe", state.RECIPES, {row["recipe"] for row in rows if row["recipe"]})
    only_mine = mine.toggle("Mine", key=state.MINE)
    left = ranking.search(rows, text, of_states, of_recipes)
    return ranking.divide(left, visitor.me())[0] if only_mine else left


def _menu(place: Any, label: str, key: str, options: set[str]) -> list[str]:
    """A choice among what there is; what was chosen and is there no more is forgotten."""
    st.session_state[key] = [value for value in st.session_state.get(key, []) if value in options]
    return list(place.multiselect(label, sorted(options), key=key, placeholder="any"))


def tables(rows: list[Row]) -> None:
    """One's own runs, and below them the others'."""
    mine, others = ranking.divide(rows, visitor.me())
    if mine:
        st.markdown("##### Your runs")
        _table("mine", mine)
    if mine and others:
        st.markdown("##### Other runs")
    if others:
        _table("others", others)


def _table(name: str, rows: list[Row]) -> None:
    """A table whose ticked rows are those that the page compares, also when other rows have come between."""
    key, ids = f"table-{name}", [row["run"] for row in rows]
    compared = set(st.session_state.get(state.COMPARED, []))
    wanted = [index for index, run in enumerate(ids) if run in compared]
    if set(_ticked(key)) != set(wanted):
        st.session_state[key] = {"selection": {"rows": wanted, "columns": []}}
    st.dataframe(
        [_cells(row, COLUMNS) for row in rows],
        column_config=COLUMNS,
        hide_index=True,
        key=key,
        selection_mode="multi-row",
        on_select=lambda: _tick(key, ids),
    )


def _cells(row: Row, columns: Iterable[str]) -> Row:
    """The columns of a row as they are read: per cent with two places, and a star where there is one."""
    accuracy = row["test_accuracy"]
    told = {"starred": "★" if row["starred"] else "", "test_accuracy": None if accuracy is None else 100 * accuracy}
    return {name: told.get(name, row.get(name)) for name in columns}


def _ticked(key: str) -> list[int]:
    return list(st.session_state.get(key, {}).get("selection", {}).get("rows", []))


def _tick(key: str, ids: list[str]) -> None:
    """A row was ticked or let go. `ids`: of the rows as the browser had them, whatever has come since."""
    ticked = [ids[index] for index in _ticked(key) if index < len(ids)]
    kept = [run for run in st.session_state.get(state.COMPARED, []) if run in ticked or run not in ids]
    st.session_state[state.COMPARED] = kept + [run for run in ticked if run not in kept]


def best(rows: list[Row]) -> None:
    """The leaderboard of each data set, and accuracy against size and time."""
    boards = ranking.leaderboards(rows)
    if not boards:
        return
    with st.expander("The best, and accuracy against size and time", icon=":material/leaderboard:"):
        if st.session_state.get(state.LEADERBOARD) not in boards:
            st.session_state[state.LEADERBOARD] = next(iter(boards))
        chosen = str(st.radio("Tested with", list(boards), format_func=_data, key=state.LEADERBOARD, horizontal=True))
        shown = [{**row, "mark": _mark(row)} for row in boards[chosen]]
        columns = {"place": "", "mark": "", **COLUMNS}
        st.dataframe([_cells(row, BEST) for row in shown], column_config=columns, hide_index=True)
        tested = [row for row in rows if row["data"] == chosen]
        for column, against in zip(st.columns(2), AGAINST, strict=True):
            title = f"Test accuracy against {AGAINST[against]}"
            with column:
                figure.chart(
                    run_charts.accuracy_scatter(tested, against),
                    title,
                    f"{title} of {len(tested)} runs",
                    "accuracy against cost",
                    f"against_{against}",
                )


def _data(name: str) -> str:
    return DATA.get(name, "digits of one's own" if name == "custom" else name)


def _mark(row: Row) -> str:
    """What sets a run apart from one that was trained to its end from new weights."""
    marks = ["taught"] * row["taught"] + [row["state"]] * (row["state"] != "finished")
    return ", ".join(marks)
