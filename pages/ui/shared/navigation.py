"""The pages of the app, in the order of the menu, and the menu of views on a page."""

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
    """The entries of the menu. The app opens on the first."""
    first = next(iter(PAGES))
    return [
        st.Page(path, title=title, icon=icon, default=path == first, url_path=page_url_path(path))
        for path, (title, icon) in PAGES.items()
    ]


def page_url_path(page: str) -> str:
    """The path in the address of a page, given its file; empty for the first."""
    return "" if page == next(iter(PAGES)) else PAGES[page][0].lower()


def select_view(views: Mapping[str, tuple[str, Callable[..., None]]], key: str) -> str:
    """Shows the menu of a page's views. The address names the selected view (`?view=map`), so a link can open it.

    Args:
        views: name in the address -> title, and the function that shows the view. The first is the default.
        key: session key of the selected view.

    Returns:
        The name of the selected view.
    """
    linked, last = st.query_params.get("view"), state.linked_view_key(key)
    if linked in views and linked != st.session_state.get(last):  # we did not put it there, so a link was followed
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
    """Makes sure that app.py has run. Every page calls it first.

    Streamlit learns only from running app.py that the app uses st.navigation. Until then it treats the folder pages/
    as pages of its old kind: the first visitor of a server who opens a link to a page would get the bare script. (So
    does every run of AppTest.) st.rerun would not do: it loses the click that caused the run.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(APP))  # which runs this page again
        st.stop()
