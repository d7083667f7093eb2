"""The leaderboard: the best runs on each data set by validation accuracy, and in Expert mode accuracy against cost."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core.charts import runs as run_charts
from mnist_core.runs import findings, ranking
from pages.ui.runs.run_tables import COLUMNS, Row, cells
from pages.ui.shared import figure, formatting, mode, state

SIMPLE_SIZE = 3
"""Places in Simple mode."""
LEADERBOARD_COLUMNS = ("place", "name", "val_accuracy", "what", "parameters", "train_seconds", "mark")
COSTS = {"parameters": "parameters", "train_seconds": "seconds of training"}
"""What accuracy is plotted against -> its name."""
DATA_TITLES = {"full": "MNIST", "sample": "the offline sample", "custom": "custom data"}


def show_leaderboard(rows: list[Row]) -> None:
    """The best runs on each data set that has two runs or more.

    Args:
        rows: of single runs, and of sweeps only the best.
    """
    boards = ranking.leaderboards(rows, ranking.LEADERBOARD_SIZE if mode.is_expert() else SIMPLE_SIZE)
    boards = {data: board for data, board in boards.items() if len(board) > 1}
    if not boards:
        return
    st.markdown("##### Leaderboard")
    data = _data_menu(boards)
    best = boards[data][0]
    st.markdown(
        f"**{formatting.escape_markdown(best['name'])}** has the highest validation accuracy on "
        f"{_data_title(data)}: {best['val_accuracy']:.2%}."
    )
    shown = [{"place": row["place"], **cells(row), "mark": _mark(row)} for row in boards[data]]
    st.dataframe(
        shown,
        column_config={"place": st.column_config.NumberColumn("", width=30), "mark": "", **COLUMNS},
        column_order=LEADERBOARD_COLUMNS if any(row["mark"] for row in shown) else LEADERBOARD_COLUMNS[:-1],
        hide_index=True,
        placeholder="",
    )
    imported = sum(bool(row.get("imported")) for row in rows)
    if imported:
        st.caption(f"Not ranked: {formatting.plural(imported, 'imported run')}.")
    if mode.is_expert():
        _show_costs([row for row in rows if row["data"] == data and ranking.is_ranked(row)])


def _data_menu(boards: dict[str, Any]) -> str:
    """A choice of the data set, if there are several."""
    if st.session_state.get(state.LEADERBOARD) not in boards:
        st.session_state[state.LEADERBOARD] = next(iter(boards))
    if len(boards) == 1:
        return next(iter(boards))
    return str(
        st.radio(
            "Data",
            list(boards),
            format_func=_data_title,
            key=state.LEADERBOARD,
            horizontal=True,
        )
    )


def _data_title(data: str) -> str:
    """Markdown of the name of a data set; an imported run may name any."""
    return DATA_TITLES.get(data) or formatting.escape_markdown(data)


def _show_costs(rows: list[Row]) -> None:
    for column, (cost, name) in zip(st.columns(2), COSTS.items(), strict=True):
        title = f"Validation accuracy against {name}"
        with column:
            figure.show_chart(
                run_charts.accuracy_scatter(rows, cost),
                title,
                f"{title} of {len(rows)} runs",
                "accuracy against cost",
                f"against_{cost}",
                finding=findings.accuracy_against_cost(rows, cost),
            )


def _mark(row: Row) -> str:
    """How a run differs from one trained from scratch to the end: `fine-tuned`, its state, or both."""
    marks = []
    if row["taught"]:
        marks.append("fine-tuned")
    if row["state"] != "finished":
        marks.append(row["state"])
    return ", ".join(marks)
