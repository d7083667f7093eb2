"""Presenter mode, `?present=1`: the tour for an audience, with large type, no menu, and keys that move through it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui.shared import state

ADDRESS = "present"
"""The query parameter."""
KEYS = Path(__file__).with_name("presenter_keys.js").read_text(encoding="utf-8")
STYLE = """
html { font-size: 24px !important; } /* one and a half times the usual size, and with it everything given in rem */
[data-testid="stHeader"] { display: none; }
[data-testid="stMain"] .stMainBlockContainer { padding: 1rem 2rem; max-width: none; }
[data-testid="stHeading"]:has(h1) { display: none; } /* the step says what is shown */
.st-key-answer .lab-figure figcaption { white-space: normal; } /* the large type is wider than the picture above it */
.st-key-tour { padding: .5rem .8rem; }
.st-key-digit_workbench {
  grid-template-columns: max(280px, min(50%, 560px, 100svh - 14rem)) minmax(0, 1fr) !important;
}
"""


def follow_address() -> None:
    """Enters presenter mode if the address says so, and keeps it in the address. Call it before the page runs."""
    if st.query_params.get(ADDRESS) == "1":
        start()
    elif is_presenting():
        st.query_params[ADDRESS] = "1"
    else:
        st.query_params.pop(ADDRESS, None)


def is_presenting() -> bool:
    """Whether the visitor presents."""
    return bool(st.session_state.get(state.PRESENTING))


def start() -> None:
    """Enters presenter mode."""
    st.session_state[state.PRESENTING] = True


def leave() -> None:
    """Leaves presenter mode. The next run shows the page as usual."""
    st.session_state.pop(state.PRESENTING, None)
    st.query_params.pop(ADDRESS, None)


def address() -> dict[str, str]:
    """The query parameters of a page that is opened while presenting."""
    return {ADDRESS: "1"} if is_presenting() else {}


def show_presenter_style() -> None:
    """Large type, no menu, and the keys. The class tells the script that presenter mode is on."""
    st.html(
        f'<span class="lab-keep lab-presenting"></span><style>{STYLE}</style><script>{KEYS}</script>',
        unsafe_allow_javascript=True,
    )
