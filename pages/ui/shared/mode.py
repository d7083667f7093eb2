"""Simple and Expert mode: how much the pages show. A browser remembers the choice, and `?mode=expert` links to it.

if mode.is_expert():
    show_advanced_settings()
"""

from __future__ import annotations

import streamlit as st

from pages.ui.shared import state, visitor

COOKIE = "digitlab_mode"
SIMPLE, EXPERT = "simple", "expert"
"""Values of the cookie and of the parameter `mode` in the address."""


def is_expert() -> bool:
    """Whether the visitor wants to see every setting and figure."""
    return bool(st.session_state.get(state.EXPERT))


def remember_mode() -> None:
    """Takes the mode from the address or the cookie, and stores it in the cookie. Call it before the page runs.

    The parameter is removed from the address: otherwise it would undo the switch at each reload, and the Train page
    would take it for a setting.
    """
    linked = st.query_params.pop("mode", None)
    if linked in (SIMPLE, EXPERT):
        st.session_state[state.EXPERT] = linked == EXPERT
    st.session_state.setdefault(state.EXPERT, visitor.sent_cookie(COOKIE) == EXPERT)
    visitor.store_cookie(COOKIE, EXPERT if is_expert() else "")


def show_mode_switch() -> None:
    """The switch between Simple and Expert."""
    st.toggle(
        "Expert", key=state.EXPERT, help="Show every setting, figure and control. Off: only the most useful ones."
    )
