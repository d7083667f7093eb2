"""The bar above every page: the tabs of its place on the left, the switch between Simple and Expert on the right."""

from __future__ import annotations

import streamlit as st

from pages.ui.shared import mode, navigation


def show_app_bar(path: str) -> None:
    """Shows the bar. `path`: of the page, in the address."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="app_bar"):
        navigation.show_tabs(path)
        mode.show_mode_switch()
