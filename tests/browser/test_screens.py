"""Every screen fits every window, and axe-core finds nothing serious on it: names, roles, labels and contrast of text.

Both look at the same page, since it takes a browser longer to open one than to check it.
"""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import FILLED_IDS
from tests.browser.screens import SCREENS, SIZES, layout_problems, open_address, open_screen, resize

pytestmark = pytest.mark.browser

ACCESSIBLE = {"home", "draw", "train-run", "runs-compared", "explain", "evaluate", "data"}
"""The screens of SCREENS that axe-core checks; the others consist of the same parts."""
OTHER_ADDRESSES = ("sweep?mode=expert&sweep={sweep}", "data?view=figures")
"""It checks these, too."""
AXE_WIDTH = 1280
SERIOUS = ("serious", "critical")
EXCLUDED = [["svg .brush_brush"], ["svg .brush_brush_bg"]]
"""The box of a brush, which Vega draws as an image without a name; Vega-Lite has no setting for that."""


def violations(page: Page, **options: Any) -> list[str]:
    """What axe finds, a line for each element."""
    found = (
        Axe()
        .run(page, {"exclude": EXCLUDED}, options={"resultTypes": ["violations"], **options})
        .response["violations"]
    )
    return [
        f"{rule['id']}: {node['failureSummary'].splitlines()[-1].strip()} {node['html'][:200]}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def violations_in_both_themes(page: Page) -> list[str]:
    """Dark, only the contrasts differ."""
    light = violations(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("getComputedStyle(document.querySelector('.stApp')).colorScheme === 'dark'")
    dark = violations(page, runOnly=["color-contrast"])
    page.emulate_media(color_scheme="light")
    return [f"light: {problem}" for problem in light] + [f"dark: {problem}" for problem in dark]


def test_every_screen_fits_every_window_and_has_no_serious_violation(chromium: Browser, filled_app_url: str) -> None:
    problems = []
    with chromium.new_context(color_scheme="light") as context:
        page = context.new_page()
        for name in SCREENS:
            open_screen(page, filled_app_url, name, FILLED_IDS)
            for width in SIZES:
                resize(page, width)
                problems += [f"{name} at {width}: {problem}" for problem in layout_problems(page)]
                if width == AXE_WIDTH and name in ACCESSIBLE:
                    problems += [f"{name}, {problem}" for problem in violations_in_both_themes(page)]
        resize(page, AXE_WIDTH)
        for address in OTHER_ADDRESSES:
            open_address(page, f"{filled_app_url}/{address.format(**FILLED_IDS)}")
            problems += [f"{address}, {problem}" for problem in violations_in_both_themes(page)]
    assert not problems, "\n".join(problems)
