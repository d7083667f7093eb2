"""The issues of a custom network, each with buttons that fix it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_core.networks.diagnose import Issue
from mnist_core.networks.fixes import Fix
from pages.ui.shared import custom_network, formatting

MAX_ISSUES = 6
"""Issues shown at once."""


def show_issues(issues: Sequence[Issue]) -> None:
    """The first issues, errors before hints."""
    for number, issue in enumerate(issues[:MAX_ISSUES]):
        where = f"Layer {issue.position}: " if issue.position else ""
        text = formatting.escape_markdown(f"{where}{issue.message}")
        if issue.is_error:
            st.error(text, icon=":material/error:")
        else:
            st.info(text, icon=":material/info:")
        with st.container(horizontal=True):
            for fix in issue.fixes:
                _fix_button(fix, issue, number)
    if len(issues) > MAX_ISSUES:
        st.caption(f"And {len(issues) - MAX_ISSUES} more.")


def _fix_button(fix: Fix, issue: Issue, number: int) -> None:
    selected = issue.position - 1 if issue.position else None
    st.button(
        formatting.escape_markdown(fix.title),
        key=f"network_fix_{number}_{fix.title}",
        icon=":material/build:",
        on_click=custom_network.replace_layers,
        args=(fix.layers, selected),
    )
