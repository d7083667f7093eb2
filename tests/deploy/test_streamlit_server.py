"""What a real Streamlit server must do for limits to hold: a browser's address, and how many files it may upload."""

from __future__ import annotations

import asyncio
import html
import os
import re
import ssl
import sys
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets

from benchmarks.live import serving, wait_healthy
from benchmarks.streamlit_client import Tab
from pages.ui.shared.upload_limits import FILES_EACH
from tests.deploy.proxy import nginx, proxied

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 without asking"),
]
PAGE = """
import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from pages.ui.shared.upload_limits import limit_uploads

limit_uploads()
session = get_script_run_ctx().session_id
held = len(runtime.get_instance().uploaded_file_mgr.file_storage.get(session, {}))
st.html(f"<p data-page>{session} {held} {st.context.ip_address}</p>")
"""
CLAIMED = "203.0.113.9"
"""The address at which a browser claims to be."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Streamlit with the settings of the app, and a page that shows the session, its uploads and its address."""
    home = tmp_path_factory.mktemp("page")
    (home / "page.py").write_text(PAGE)
    environment = {name: value for name, value in os.environ.items() if name != "FORWARDED_ALLOW_IPS"}
    environment["STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION"] = "false"  # uploads below send no token
    with serving(home, environment, str(home / "page.py")) as started:
        wait_healthy(started)
        yield started.url


@asynccontextmanager
async def opened(url: str, source: str = "127.0.0.1", **headers: str) -> AsyncIterator[Tab]:
    """Opens the page from an address of this computer."""
    options: dict[str, Any] = {}
    if url.startswith("https"):
        options["ssl"] = ssl.create_default_context()
        options["ssl"].check_hostname, options["ssl"].verify_mode = False, ssl.CERT_NONE
    async with websockets.connect(
        url.replace("http", "ws", 1) + "/_stcore/stream",
        subprotocols=[websockets.Subprotocol("streamlit")],
        additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
        local_addr=(source, 0),
        **options,
    ) as connection:
        tab = Tab(connection, "", "")
        await tab.rerun()
        yield tab


def shown(tab: Tab) -> list[str]:
    """Session, number of uploads, and address, as the page shows them."""
    (text,) = re.findall(r">(.*?)<", tab.html("data-page"))
    return html.unescape(text).split()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs it in a thread of its own: in this one, Playwright may have an event loop for the browser of other tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def seen(url: str, source: str) -> str:
    """The address that a page sees of a browser at `source` which claims to be at CLAIMED."""

    async def ask() -> str:
        async with opened(url, source, X_Forwarded_For=CLAIMED) as tab:
            return shown(tab)[2]

    return run(ask())


def test_an_address_is_believed_from_a_proxy_on_this_computer_only(url: str) -> None:
    assert seen(url, "127.0.0.1") == CLAIMED
    assert seen(url, "127.0.0.2") == "127.0.0.2", "as of a browser that is not the proxy"


@pytest.mark.skipif(nginx() is None, reason="nginx is not installed: apt-get install nginx-light")
def test_behind_the_proxy_a_browser_cannot_choose_its_address(url: str, tmp_path: Path) -> None:
    with proxied(urlsplit(url).port or 0, tmp_path) as behind:
        assert seen(behind, "127.0.0.2") == "127.0.0.2"


def test_a_session_keeps_only_its_last_uploads_whether_a_page_asks_for_files_or_not(url: str) -> None:
    async def upload() -> int:
        async with opened(url) as tab:
            session = shown(tab)[0]
            for number in range(FILES_EACH + 2):
                await asyncio.to_thread(send_file, f"{url}/_stcore/upload_file/{session}/{number}")
            await tab.rerun()
            return int(shown(tab)[1])

    assert run(upload()) == FILES_EACH


def send_file(url: str) -> None:
    """Uploads a small file, as the browser does."""
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.png"\r\n\r\n1\r\n--x--\r\n'
    request = urllib.request.Request(url, body, {"Content-Type": "multipart/form-data; boundary=x"}, method="PUT")
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 204
