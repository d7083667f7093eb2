"""Clicks on a chart that choose something, which a menu or a number field chooses, too.

A chart keeps its selection: a click on the selected mark is no event, even if something else was chosen since. So the
chart starts over, under another key, once its selection is no longer what is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.shared import state


def widget_key(chart: str, chosen: Mapping[str, object]) -> str:
    """Session key of a clickable chart, another one if its selection is no longer what is chosen.

    Args:
        chart: key of its figure.
        chosen: field of a row -> its value in the chosen row.
    """
    count_key = state.chart_restarts_key(chart)
    restarts = st.session_state.setdefault(count_key, 0)
    clicked = clicked_row(f"{chart}_{restarts}")
    if any(clicked.get(field, value) != value for field, value in chosen.items()):
        restarts = st.session_state[count_key] = restarts + 1
    return f"{chart}_{restarts}"


def clicked_row(key: str) -> dict[str, Any]:
    """The fields of the row that is selected in a chart of `widget_key`; none without a selection."""
    selections = st.session_state[key].selection.values() if key in st.session_state else ()
    return next((dict(rows[0]) for rows in selections if rows), {})
