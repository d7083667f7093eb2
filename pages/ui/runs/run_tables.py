"""The history of runs as tables: search and filters, the visitor's runs and those of others, the leaderboard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from mnist_core.charts import runs as run_charts
from mnist_core.runs import ranking
from pages.ui.shared import figure, state, visitor

Row = dict[str, Any]

COLUMNS: dict[str, ColumnConfig | str | None] = {
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
"""Column of the run tables -> how it is shown."""
LEADERBOARD_COLUMNS = ("place", "name", "test_accuracy", "parameters", "train_seconds", "epochs", "mark", "run")
COSTS = {"parameters": "parameters", "train_seconds": "seconds of training"}
"""What accuracy is plotted against -> its name."""
DATA_TITLES = {
    "full": "MNIST, 10,000 test digits",
    "sample": "offline sample, 1,000 test digits",
    "custom": "custom data",
}


def search(rows: list[Row]) -> list[Row]:
    """The search field and the filters. Returns the rows that match, starred runs first."""
    text_column, state_column, recipe_column, mine_column = st.columns([3, 2, 2, 1], vertical_alignment="bottom")
    text = text_column.text_input("Search", key=state.SEARCH, placeholder="name, recipe, setting, state, note")
    states = _filter(state_column, "State", state.STATE_FILTER, {row["state"] for row in rows})
    recipes = _filter(recipe_column, "Recipe", state.RECIPE_FILTER, {row["recipe"] for row in rows if row["recipe"]})
    only_mine = mine_column.toggle("Only mine", key=state.ONLY_MINE)
    matches = ranking.search_rows(rows, text, states, recipes)
    return ranking.split_by_owner(matches, visitor.owner_id())[0] if only_mine else matches


def _filter(column: Any, label: str, key: str, options: set[str]) -> list[str]:
    """A multiselect that forgets values that are no longer among the options."""
    st.session_state[key] = [value for value in st.session_state.get(key, []) if value in options]
    return list(column.multiselect(label, sorted(options), key=key, placeholder="any"))


def show_run_tables(rows: list[Row]) -> None:
    """The visitor's own runs, and below them everybody else's."""
    mine, others = ranking.split_by_owner(rows, visitor.owner_id())
    if mine:
        st.markdown("##### Your runs")
        _show_run_table("mine", mine)
    if mine and others:
        st.markdown("##### Other runs")
    if others:
        _show_run_table("others", others)


def _show_run_table(name: str, rows: list[Row]) -> None:
    """A table in which the selected runs are ticked, also after rows have been inserted between them."""
    key, ids = f"table-{name}", [row["run"] for row in rows]
    selected = set(st.session_state.get(state.COMPARED, []))
    indices = [index for index, run_id in enumerate(ids) if run_id in selected]
    if set(_ticked_rows(key)) != set(indices):
        st.session_state[key] = {"selection": {"rows": indices, "columns": []}}
    st.dataframe(
        [_cells(row, COLUMNS) for row in rows],
        column_config=COLUMNS,
        hide_index=True,
        key=key,
        selection_mode="multi-row",
        on_select=lambda: _select_ticked(key, ids),
    )


def _cells(row: Row, columns: Iterable[str]) -> Row:
    """The cells of a row: accuracy in percent, a star for starred runs."""
    accuracy = row["test_accuracy"]
    shown = {"starred": "★" if row["starred"] else "", "test_accuracy": None if accuracy is None else 100 * accuracy}
    return {name: shown.get(name, row.get(name)) for name in columns}


def _ticked_rows(key: str) -> list[int]:
    return list(st.session_state.get(key, {}).get("selection", {}).get("rows", []))


def _select_ticked(key: str, ids: list[str]) -> None:
    """Callback: selects the runs whose rows are ticked.

    Args:
        key: of the table.
        ids: run ids of its rows as the browser had them; others may have been added since.
    """
    ticked = [ids[index] for index in _ticked_rows(key) if index < len(ids)]
    kept = [run_id for run_id in st.session_state.get(state.COMPARED, []) if run_id in ticked or run_id not in ids]
    st.session_state[state.COMPARED] = kept + [run_id for run_id in ticked if run_id not in kept]


def show_leaderboard(rows: list[Row]) -> None:
    """The best runs on each test set, and charts of accuracy against size and training time."""
    boards = ranking.leaderboards(rows)
    if not boards:
        return
    with st.expander("Leaderboard", icon=":material/leaderboard:"):
        if st.session_state.get(state.LEADERBOARD) not in boards:
            st.session_state[state.LEADERBOARD] = next(iter(boards))
        data = str(
            st.radio(
                "Test set",
                list(boards),
                format_func=lambda name: DATA_TITLES.get(name, name),
                key=state.LEADERBOARD,
                horizontal=True,
            )
        )
        st.dataframe(
            [_cells({**row, "mark": _mark(row)}, LEADERBOARD_COLUMNS) for row in boards[data]],
            column_config={"place": "", "mark": "", **COLUMNS},
            hide_index=True,
        )
        tested = [row for row in rows if row["data"] == data]
        for column, (cost, name) in zip(st.columns(2), COSTS.items(), strict=True):
            title = f"Test accuracy against {name}"
            with column:
                figure.show_chart(
                    run_charts.accuracy_scatter(tested, cost),
                    title,
                    f"{title} of {len(tested)} runs",
                    "accuracy against cost",
                    f"against_{cost}",
                )


def _mark(row: Row) -> str:
    """How a run differs from one trained from scratch to the end: `fine-tuned`, its state, or both."""
    marks = []
    if row["taught"]:
        marks.append("fine-tuned")
    if row["state"] != "finished":
        marks.append(row["state"])
    return ", ".join(marks)
