"""What the Draw page tells the browser, so that it reads while somebody draws. tests/browser/ has the reading itself."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.browser.bundle import bundle
from mnist_core.errors import ModelError
from pages.ui.shared import browser_model, model_menu, state
from tests.pages.support import ONE, SEVEN, button, drawing, open_page, page_text

PAGE_WEIGHT = 100_000
"""Bytes at most that live reading adds to a page before the first stroke."""


@pytest.fixture
def page(app: AppTest) -> AppTest:
    return open_page(app, "pages/draw.py")


def told(page: AppTest) -> dict[str, Any]:
    """What the browser is told."""
    found = re.search(r'data-state="([^"]*)"', page_text(page))
    assert found is not None
    return dict(json.loads(html.unescape(found.group(1))))


def test_the_browser_knows_how_many_strokes_the_server_has_answered(page: AppTest) -> None:
    first = told(page)
    assert first["strokes"] == 0 and first["brush"] == 20 and not first["keep"]
    assert [model["id"] for model in first["models"]] == [model_menu.SHIPPED] and first["models"][0]["url"].endswith(
        ".bin"
    )
    page.session_state[state.CANVAS] = drawing(*SEVEN, *ONE)
    page.run()
    assert told(page) == first | {"strokes": 3}
    button(page, "Undo").click().run()
    assert told(page)["strokes"] == 2 and told(page)["canvas"] != first["canvas"]  # the drawing was replaced


def test_drawings_that_the_browser_would_read_differently_are_the_servers(page: AppTest) -> None:
    page.session_state[state.CANVAS] = drawing(*ONE)
    page.session_state[state.BRUSH] = 30  # the stroke's is 20
    assert told(page.run())["brush"] is None
    page.session_state[state.PLAIN] = True
    assert told(page.run())["models"] == []


def test_a_network_that_is_too_large_is_read_on_the_server_only(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(choice: str) -> str:
        raise ModelError("Too large: only the server reads with it.")

    monkeypatch.setattr(browser_model, "model_url", too_large)
    page.session_state[state.CANVAS] = drawing(*ONE)
    page.run()
    assert told(page)["models"] == [] and 'data-digit="1"' in page_text(page)
    assert any("only the server reads" in caption.value for caption in page.caption)


def test_the_script_is_small() -> None:
    assert len(bundle("live_reading.js").encode()) < PAGE_WEIGHT
