"""A real browser and the real app. Without one, tests are skipped, or fail where DIGITLAB_REQUIRE_BROWSER is set."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_ONE = (
    "There is no Chromium: looked for /usr/bin/chromium and, on PATH, {}. Debian, Ubuntu: apt-get install -y chromium. "
    "Fedora: dnf install chromium. macOS: brew install --cask chromium, then put it on PATH."
).format(", ".join(NAMES))
START_SECONDS = 60


def executable() -> str | None:
    """The system's browser."""
    known = Path("/usr/bin/chromium")
    return str(known) if known.is_file() else next(filter(None, map(shutil.which, NAMES)), None)


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
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not installed: pip install -r requirements-dev.txt.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def app_environment(home: Path) -> dict[str, str]:
    """Runs and caches of its own. A proxy that nobody listens at makes a download fail at once: the sample it is."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": "127.0.0.1,localhost"}
    ours = {"DIGITLAB_RUNS": str(home / "runs"), "KERAS_HOME": str(home / "keras")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIGITLAB_")}
    return {name: value for name, value in kept.items() if name.lower() not in proxies} | proxies | ours


def end(process: subprocess.Popen[bytes]) -> None:
    """The app, and the workers it started: those live in sessions of their own and would train on."""
    workers = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for worker in workers:
        if worker.is_running():
            worker.kill()
    psutil.wait_procs(workers, timeout=10)


@pytest.fixture(scope="session")
def app_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app keeps its runs, in `runs`."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="session")
def app_url(app_home: Path) -> Iterator[str]:
    """The app, started as users start it. Its runs are in a temporary folder, its output in app.log beside them."""
    home, port = app_home, free_port()
    url, log = f"http://127.0.0.1:{port}", home / "app.log"
    options = ("--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options],
            cwd=ROOT, env=app_environment(home), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not healthy(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The app did not start within {START_SECONDS} s:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield url
    finally:
        end(process)
