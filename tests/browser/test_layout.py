"""Every screen fits every window: nothing is cut off or overlaps, and the primary button is in view."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browser.conftest import FILLED_IDS
from tests.browser.screens import SCREENS, SIZES, layout_problems, open_screen, resize


def test_every_screen_fits_every_window(chromium: Browser, filled_app_url: str) -> None:
    problems = []
    with chromium.new_context() as context:
        page = context.new_page()
        for name in SCREENS:
            open_screen(page, filled_app_url, name, FILLED_IDS)
            for width in SIZES:
                resize(page, width)
                problems += [f"{name} at {width}: {problem}" for problem in layout_problems(page)]
    assert not problems, "\n".join(problems)
