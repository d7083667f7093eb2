"""The pages, in the order of the menu. The app opens on the first."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.shared import state

APP = Path(__file__).parents[3] / "app.py"
PAGES = {
    "pages/draw.py": ("Draw", ":material/draw:"),
    "pages/train.py": ("Train", ":material/model_training:"),
    "pages/runs.py": ("Runs", ":material/history:"),
    "pages/sweep.py": ("Sweep", ":material/tune:"),
    "pages/evaluate.py": ("Evaluate", ":material/grading:"),
    "pages/explain.py": ("Explain", ":material/visibility:"),
    "pages/data.py": ("Data", ":material/database:"),
}


def menu_pages() -> list[StreamlitPage]:
    """One entry of the menu for each page."""
    first = next(iter(PAGES))
    return [
        st.Page(path, title=title, icon=icon, default=path == first, url_path=page_url_path(path))
        for path, (title, icon) in PAGES.items()
    ]


def page_url_path(page: str) -> str:
    """The path of a page in the address, given its file; empty for the first."""
    return "" if page == next(iter(PAGES)) else PAGES[page][0].lower()


def select_view(views: Mapping[str, tuple[str, Callable[..., None]]], key: str) -> str:
    """A menu of a page's views. The address names the one that is shown, `?view=map`, and a link opens it.

    Args:
        views: name in the address -> its title, and what shows it; the first one is shown where nobody has chosen.
        key: of the session.

    Returns:
        The name of the view that is shown.
    """
    linked, last = st.query_params.get("view"), state.linked_view_key(key)
    if linked in views and linked != st.session_state.get(last):  # not the one that was put there: a link was followed
        st.session_state[key] = linked
    st.session_state.setdefault(key, next(iter(views)))
    name = str(
        st.segmented_control(
            "View",
            list(views),
            format_func=lambda name: views[name][0],
            key=key,
            required=True,
            label_visibility="collapsed",
        )
    )
    st.session_state[last] = name
    if linked != name:
        st.query_params["view"] = name
    return name


def ensure_app_ran() -> None:
    """The first line of a page: makes sure that app.py has run.

    Streamlit learns that an app calls st.navigation only by running it. Until then it takes the folder pages/ for
    pages of the old kind, and the first visitor of a server who opens the link of a page gets the bare script (AppTest
    forgets before each run, and always does). Not by st.rerun: a click would be lost on the way.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(APP))  # runs this page again, from inside
        st.stop()
