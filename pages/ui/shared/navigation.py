"""The pages of the app, the menu with its four places, the tabs of a place, and the menu of views on a page."""

from __future__ import annotations

import html
import runpy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.shared import mode, state

APP = Path(__file__).parents[3] / "app.py"
APP_NAME = "Digit Lab"


@dataclass(frozen=True)
class PageEntry:
    """A page as it is listed.

    Attributes:
        title: in the browser's tab, and in the tabs of its place.
        icon: in the menu.
        place: the entry of the menu that the page belongs to. The entry opens the first page of its place, and tabs
            lead to the others. None: the page is not in the menu.
    """

    title: str
    icon: str
    place: str | None


HOME = "pages/home.py"
DRAW = "pages/draw.py"
PAGES = {
    HOME: PageEntry("Home", ":material/home:", None),
    DRAW: PageEntry("Draw", ":material/draw:", "Play"),
    "pages/train.py": PageEntry("Train", ":material/model_training:", "Train"),
    "pages/runs.py": PageEntry("Runs", ":material/history:", "Train"),
    "pages/sweep.py": PageEntry("Sweeps", ":material/tune:", "Train"),
    "pages/explain.py": PageEntry("Explain", ":material/visibility:", "Understand"),
    "pages/evaluate.py": PageEntry("Evaluate", ":material/grading:", "Understand"),
    "pages/data.py": PageEntry("Data", ":material/database:", "Data"),
}

HIGHLIGHT = """
[data-testid="stTopNavLink"][href$="/{path}"] {{ background: rgba(128, 128, 128, .18); font-weight: 600; }}
"""
"""Style of a menu entry while one of the hidden pages of its place is shown. Streamlit highlights visible ones only."""


def menu_pages() -> list[StreamlitPage]:
    """All pages, for st.navigation. The app opens on Home; the menu lists the first page of each place."""
    firsts = {entry.place: page for page, entry in reversed(PAGES.items()) if entry.place}
    return [
        st.Page(
            page,
            title=entry.place or entry.title,
            icon=entry.icon,
            default=page == HOME,
            url_path=page_url_path(page),
            visibility="visible" if page in firsts.values() else "hidden",
        )
        for page, entry in PAGES.items()
    ]


def page_url_path(page: str) -> str:
    """The path in the address of a page, given its file; empty for Home."""
    return "" if page == HOME else Path(page).stem


def page_at(path: str) -> str:
    """The file of the page with a path in its address."""
    return next(page for page in PAGES if page_url_path(page) == path)


def tab_title(path: str) -> str:
    """The title of the browser's tab for the page with a path in its address."""
    page = page_at(path)
    return APP_NAME if page == HOME else f"{PAGES[page].title} · {APP_NAME}"


def open_draw_for_old_link(path: str) -> None:
    """Opens Draw for a link to a model from when Draw was the first page, `/?model=RUN_ID`."""
    if path == page_url_path(HOME) and "model" in st.query_params:
        st.switch_page(DRAW, query_params=st.query_params.to_dict())


def show_tabs(path: str) -> None:
    """Links to the pages of a place, if it has several, and its entry in the menu highlighted.

    Args:
        path: of the page that is shown, in the address.
    """
    place = PAGES[page_at(path)].place
    pages = [page for page, entry in PAGES.items() if place and entry.place == place]
    if len(pages) < 2:
        return
    st.html(f"<style>{HIGHLIGHT.format(path=html.escape(page_url_path(pages[0])))}</style>")
    with st.container(horizontal=True, key="place_tabs"):
        for page in pages:
            st.page_link(page, label=PAGES[page].title, width="content")


SCROLL_TO_TOP = (
    '<span class="lab-keep" data-arrival="{count}"></span>'
    "<script>document.querySelector('[data-testid=\"stMain\"]')?.scrollTo(0, 0)</script>"
)
"""HTML that scrolls up when it reaches the browser. The browser runs it again only if it has changed."""


def start_at_top(path: str) -> None:
    """Scrolls up when a page is opened, or filled by a link from itself: Streamlit keeps the position of the last page.

    Args:
        path: URL path of the page.
    """
    last, count = st.session_state.get(state.ARRIVAL, (None, 0))
    count += path != last or "like" in st.query_params
    st.session_state[state.ARRIVAL] = (path, count)
    st.html(SCROLL_TO_TOP.format(count=count), unsafe_allow_javascript=True)


def select_view(
    views: Mapping[str, tuple[str, Callable[..., None]]], key: str, specialist: Collection[str] = ()
) -> str:
    """Shows the menu of a page's views. The address names the selected view (`?view=map`), so a link can open it.

    Args:
        views: name in the address -> title, and the function that shows the view. The first is the default.
        key: session key of the selected view.
        specialist: views that Simple mode hides behind "More views", unless one of them is selected.

    Returns:
        The name of the selected view.
    """
    linked, last = st.query_params.get("view"), state.linked_view_key(key)
    if linked in views and linked != st.session_state.get(last):  # we did not put it there, so a link was followed
        st.session_state[key] = linked
    st.session_state.setdefault(key, next(iter(views)))
    all_shown = mode.is_expert() or st.session_state.get(state.all_views_key(key), False)
    hidden = [name for name in specialist if not all_shown and name != st.session_state[key]]
    with st.container(horizontal=True, vertical_alignment="center"):
        name = str(
            st.segmented_control(
                "View",
                [name for name in views if name not in hidden],
                format_func=lambda name: views[name][0],
                key=key,
                required=True,
                label_visibility="collapsed",
                width="content",
            )
        )
        if hidden:
            st.button(
                "More views", key=f"{key}_more", type="tertiary", icon=":material/add:", on_click=_show_all, args=(key,)
            )
    st.session_state[last] = name
    if linked != name:
        st.query_params["view"] = name
    return name


def _show_all(key: str) -> None:
    """Callback: shows all views of a page. `key`: of its selected view."""
    st.session_state[state.all_views_key(key)] = True


def ensure_app_ran() -> None:
    """Makes sure that app.py has run. Every page calls it first.

    Streamlit learns only from running app.py that the app uses st.navigation. Until then it treats the folder pages/
    as pages of its old kind: the first visitor of a server who opens a link to a page would get the bare script. (So
    does every run of AppTest.) st.rerun would not do: it loses the click that caused the run.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(APP))  # which runs this page again
        st.stop()
