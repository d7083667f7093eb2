"""What an attacker writes into runs, sweeps, networks and links is text in a browser: nothing is fetched or linked."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from benchmarks.live import serving, wait_healthy
from tests.browser.conftest import app_environment
from tests.browser.screens import SECONDS, wait_until_shown
from tests.pages.hostile import HOST, HOSTILE, RUN, SWEEP, lay_hostile_files

pytestmark = pytest.mark.browser

STREAMLITS_ICONS = "https://fonts.gstatic.com/"
FAILED_RUN = "20261126-140000-own-00failed"
ADDRESSES = [
    f"train?run={quote(HOSTILE)}",
    f"train?run={FAILED_RUN}",
    f"runs?compare={RUN},{FAILED_RUN}",
    f"sweep?sweep={SWEEP}",
]
"""Those with most texts; `tests/pages/test_markdown.py` opens all pages, but without a browser."""
LINKS_AND_IMAGES = f"""() => [...document.querySelectorAll('a, img, image, source, iframe, object')]
    .map(each => String(each.href?.baseVal ?? each.href ?? each.src ?? ''))
    .filter(url => URL.parse(url)?.hostname.endsWith('{HOST}') || url.startsWith('mailto:'))"""


@pytest.fixture(scope="module")
def hostile_app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with the files of an attacker."""
    home = tmp_path_factory.mktemp("hostile")
    lay_hostile_files(home / "runs")
    with serving(home, app_environment(home)) as started:
        wait_healthy(started)
        yield started.url


def test_hostile_text_fetches_nothing_and_links_nowhere(chromium: Browser, hostile_app_url: str) -> None:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as browser:
        page = browser.new_page()
        elsewhere: list[str] = []
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((hostile_app_url, hostile_app_url.replace("http", "ws"), "data:", "blob:"))
                else elsewhere.append(request.url)
            ),
        )
        shown = 0
        for address in ADDRESSES:
            page.goto(f"{hostile_app_url}/{address}")
            page.locator("h1").first.wait_for(timeout=60 * SECONDS)
            wait_until_shown(page)
            page.evaluate("document.querySelectorAll('details:not([open]) > summary').forEach(each => each.click())")
            wait_until_shown(page)
            assert page.evaluate(LINKS_AND_IMAGES) == [], address
            shown += HOSTILE in page.locator("body").inner_text().replace("\u2060", "")
        assert [url for url in elsewhere if not url.startswith(STREAMLITS_ICONS)] == []
        assert shown >= 2, "the hostile text itself is on the pages, as it was written"
