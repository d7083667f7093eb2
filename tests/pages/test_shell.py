"""What surrounds every page, through AppTest: menu, tabs, titles, old addresses, Simple and Expert."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui.shared import mode, navigation, state, visitor
from tests.pages.support import DRAW, error_text, open_page

TITLES = {
    "pages/home.py": "Digit Lab",
    DRAW: "Draw · Digit Lab",
    "pages/train.py": "Train · Digit Lab",
    "pages/runs.py": "Runs · Digit Lab",
    "pages/sweep.py": "Sweeps · Digit Lab",
    "pages/explain.py": "Explain · Digit Lab",
    "pages/evaluate.py": "Evaluate · Digit Lab",
    "pages/data.py": "Data · Digit Lab",
}
TABS = {
    "pages/train.py": ["Train", "Runs", "Sweeps"],
    "pages/runs.py": ["Train", "Runs", "Sweeps"],
    "pages/sweep.py": ["Train", "Runs", "Sweeps"],
    "pages/explain.py": ["Explain", "Evaluate"],
    "pages/evaluate.py": ["Explain", "Evaluate"],
}


@pytest.fixture
def newcomer(app: AppTest) -> AppTest:
    """The app for a visitor who has chosen no mode."""
    del app.session_state[state.EXPERT]
    return app


def tabs(app: AppTest) -> list[str]:
    """Labels of the links to the pages of this place, which come first on every page."""
    ours = {navigation.page_url_path(page) for page in navigation.PAGES}
    links = [link.proto for link in app.get("page_link") if not link.proto.query_string]
    return [link.label for link in links if link.page in ours and link.label in {"Train", *sum(TABS.values(), [])}]


def test_every_page_has_its_title_tabs_and_mode_switch(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    set_page_config = st.set_page_config

    def record(**named: Any) -> None:
        titles.extend(filter(None, [named.get("page_title")]))
        set_page_config(**named)

    monkeypatch.setattr(st, "set_page_config", record)
    for page, title in TITLES.items():
        open_page(app, page)
        assert titles[-1] == title
        assert tabs(app) == TABS.get(page, []), page
        assert [toggle.label for toggle in app.toggle if toggle.key == state.EXPERT] == ["Expert"], page
    assert set(TITLES) == set(navigation.PAGES)


def test_the_tabs_icon_is_set_before_the_menu(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every browser fetches the icon of the menu entry from a third party, and tells it the page."""
    calls: list[str] = []
    navigation, set_page_config = st.navigation, st.set_page_config
    monkeypatch.setattr(st, "navigation", lambda *a, **named: (calls.append("menu"), navigation(*a, **named))[1])
    monkeypatch.setattr(st, "set_page_config", lambda **named: (calls.extend(named), set_page_config(**named)))
    app.run()
    assert calls.index("page_icon") < calls.index("menu")


def test_menu_has_four_places(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    menus: list[list[Any]] = []
    show_menu = st.navigation

    def record(pages: list[Any], **named: Any) -> Any:
        menus.append(pages)
        return show_menu(pages, **named)

    monkeypatch.setattr(st, "navigation", record)
    app.run()
    visible = [(page.title, page.url_path) for page in menus[-1] if page.visibility == "visible"]
    assert visible == [("Play", "draw"), ("Train", "train"), ("Understand", "explain"), ("Data", "data")]
    assert app.title[0].value == "Digit Lab"


def test_link_to_a_model_from_when_draw_was_the_first_page_opens_draw(app: AppTest) -> None:
    app.query_params["model"] = "20260101-000000-fast-abcd"
    app.run()
    assert app.title[0].value == "Draw a digit"
    assert "20260101-000000-fast-abcd" in error_text(app)  # and the page got the parameter


def test_new_visitor_is_in_simple_mode_and_the_switch_survives_a_change_of_page(newcomer: AppTest) -> None:
    newcomer.run()
    assert newcomer.toggle(key=state.EXPERT).value is False
    newcomer.toggle(key=state.EXPERT).set_value(True).run()
    open_page(newcomer, "pages/train.py")
    assert newcomer.toggle(key=state.EXPERT).value is True
    assert f'"{mode.COOKIE}=expert' in scripts(newcomer)
    newcomer.toggle(key=state.EXPERT).set_value(False).run()
    assert f'"{mode.COOKIE}=; path=/; max-age=0' in scripts(newcomer)


def test_address_sets_the_mode_once(app: AppTest) -> None:
    open_page(app, "pages/train.py", mode="expert", recipe="fast", epochs="2")
    assert app.toggle(key=state.EXPERT).value is True
    assert app.slider(key=state.EPOCHS).value == 2  # the other parameters arrive
    assert not app.error and "mode" not in app.query_params
    app.toggle(key=state.EXPERT).set_value(False).run()
    assert app.toggle(key=state.EXPERT).value is False


@pytest.mark.parametrize(("sent", "expert"), [("expert", True), ("", False), ("simple", False), ("</script>", False)])
def test_mode_comes_from_the_cookie(
    newcomer: AppTest, monkeypatch: pytest.MonkeyPatch, sent: str, expert: bool
) -> None:
    monkeypatch.setattr(visitor, "sent_cookie", lambda name: sent if name == mode.COOKIE else "")
    newcomer.run()
    assert newcomer.toggle(key=state.EXPERT).value is expert
    assert "</script>;" not in scripts(newcomer)


def scripts(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))
