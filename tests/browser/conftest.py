"""A real browser and the real app. Without one, tests are skipped, or fail where DIGITLAB_REQUIRE_BROWSER is set."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.live import BROWSERS, executable, free_port, serving, wait_healthy
from tests.support import ROOT

FILLED_IDS = {
    "run": "20261126-132817-own-7d0ec966",
    "other": "20261126-133054-own-ab7319e7",
    "sweep": "20261126-132913-af56779b",
}
"""Two runs and a sweep that the app of `filled_app_url` has."""

EXPECT_SECONDS = 30
"""For this long a test looks for what it expects, unless it says otherwise. A busy machine needs ten."""

HOW_TO_GET_ONE = (
    "There is no Chromium: looked for /usr/bin/chromium and, on PATH, {}. Debian, Ubuntu: apt-get install -y chromium. "
    "Fedora: dnf install chromium. macOS: brew install --cask chromium, then put it on PATH."
).format(", ".join(BROWSERS))


def missing(why: str) -> None:
    """Skips; where the browser is required, fails."""
    if os.environ.get("DIGITLAB_REQUIRE_BROWSER"):
        pytest.fail(f"{why} DIGITLAB_REQUIRE_BROWSER is set, so this is a failure.")
    pytest.skip(why)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser, driven by Playwright's synchronous API."""
    path = executable()
    if path is None:
        missing(HOW_TO_GET_ONE)
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing("Playwright is not installed: pip install -r requirements-dev.txt.")
    expect.set_options(timeout=EXPECT_SECONDS * 1000)
    with sync_playwright() as playwright:
        # Without animations, which keep a processor busy and are never what is tested.
        options = ["--no-sandbox", "--force-prefers-reduced-motion"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


def app_environment(home: Path) -> dict[str, str]:
    """Runs and caches of its own. A proxy that nobody listens at makes a download fail at once: the sample it is.

    Without a worker that has TensorFlow loaded, since few of these apps train.
    """
    nowhere = f"http://127.0.0.1:{free_port()}"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": "127.0.0.1,localhost"}
    ours = {"DIGITLAB_RUNS": str(home / "runs"), "KERAS_HOME": str(home / "keras"), "DIGITLAB_WARM": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIGITLAB_")}
    return {name: value for name, value in kept.items() if name.lower() not in proxies} | proxies | ours


@pytest.fixture(scope="session")
def app_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app keeps its runs, in `runs`."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="session")
def app_url(app_home: Path) -> Iterator[str]:
    """The app, started as users start it. Its runs are in a temporary folder, its output is in app.log next to them."""
    with serving(app_home, app_environment(app_home) | {"DIGITLAB_WARM": "1"}) as started:
        try:
            wait_healthy(started)
        except RuntimeError as error:
            pytest.fail(str(error))
        yield started.url


@pytest.fixture(scope="session")
def filled_app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a history: four runs, a sweep, a saved network and a kept drawing. Do not change it."""
    home = tmp_path_factory.mktemp("filled")
    with zipfile.ZipFile(ROOT / "tests" / "compatibility" / "runs.zip") as archive:
        archive.extractall(home / "runs")
    with serving(home, app_environment(home)) as started:
        wait_healthy(started)
        yield started.url
