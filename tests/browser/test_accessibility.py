"""axe-core finds nothing serious on any page, light or dark: names, roles and labels, and contrast of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.ready_runs import finished_run, finished_sweep
from tests.browser.screens import SCREENS, wait_until_shown

pytestmark = pytest.mark.browser

ADDRESSES = [
    *(SCREENS[name] for name in ("home", "draw", "train-run", "runs-compared", "explain", "evaluate", "data")),
    "sweep?mode=expert&sweep={sweep}",
    "data?view=figures",
]
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


def test_no_page_has_a_serious_violation(chromium: Browser, app_url: str, app_home: Path) -> None:
    run, other = (finished_run(app_home / "runs", accuracy).id for accuracy in (0.9, 0.8))
    sweep = finished_sweep(app_home / "runs").id
    found = {}
    with chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light") as context:
        page = context.new_page()
        for address in ADDRESSES:
            page.goto(f"{app_url}/{address.format(run=run, other=other, sweep=sweep)}")
            page.locator("h1").first.wait_for(timeout=60_000)
            wait_until_shown(page)
            found[f"{address}, light"] = violations(page)
            page.emulate_media(color_scheme="dark")
            page.wait_for_function("getComputedStyle(document.querySelector('.stApp')).colorScheme === 'dark'")
            found[f"{address}, dark"] = violations(page, runOnly=["color-contrast"])
            page.emulate_media(color_scheme="light")
    assert not {screen: problems for screen, problems in found.items() if problems}
