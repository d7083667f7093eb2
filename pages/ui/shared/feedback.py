"""Says in a toast that something took effect which is not in view: on another page, or further down.

delete_drawing(name)
feedback.confirm("Drawing deleted.")
st.rerun()
"""

from __future__ import annotations

import streamlit as st

from pages.ui.shared import formatting, state


def confirm(text: str, icon: str = ":material/check:") -> None:
    """Shows a toast as soon as the page, or its fragment, is complete.

    Not at once: a toast right before st.rerun may never reach the browser.

    Args:
        text: a sentence, without Markdown.
        icon: a Material icon.
    """
    st.session_state.setdefault(state.CONFIRMATIONS, []).append((text, icon))


def show_confirmations() -> None:
    """Shows the toasts that are due. Called at the end of a run of the app or of a fragment."""
    for text, icon in st.session_state.pop(state.CONFIRMATIONS, []):
        st.toast(formatting.escape_markdown(text), icon=icon)
