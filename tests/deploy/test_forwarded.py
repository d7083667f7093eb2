"""Whose guesses of the administrator's token are counted together: the address that the app sees of a browser."""

from __future__ import annotations

import asyncio
import html
import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets

from benchmarks.live import serving, wait_healthy
from benchmarks.streamlit_client import Tab
from tests.deploy.proxy import nginx, proxied

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 without asking"),
]
SHOW_ADDRESS = "import streamlit as st\nst.html(f'<p data-address>{st.context.ip_address}</p>')"
CLAIMED = "203.0.113.9"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Streamlit, with the settings of the app, and a page that shows the address."""
    home = tmp_path_factory.mktemp("address")
    (home / "page.py").write_text(SHOW_ADDRESS)
    environment = {name: value for name, value in os.environ.items() if name != "FORWARDED_ALLOW_IPS"}
    with serving(home, environment, str(home / "page.py")) as started:
        wait_healthy(started)
        yield started.url


def seen(url: str, source: str) -> str:
    """The address that the app sees of a browser at `source` which claims to be at CLAIMED."""

    async def ask() -> str:
        options: dict[str, Any] = {}
        if url.startswith("https"):
            options["ssl"] = ssl.create_default_context()
            options["ssl"].check_hostname, options["ssl"].verify_mode = False, ssl.CERT_NONE
        async with websockets.connect(
            url.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            additional_headers={"X-Forwarded-For": CLAIMED},
            local_addr=(source, 0),
            **options,
        ) as connection:
            tab = Tab(connection, "", "")
            await tab.rerun()
            return html.unescape(tab.html("data-address")).partition(">")[2].partition("<")[0]

    return asyncio.run(ask())


def test_an_address_is_believed_from_a_proxy_on_this_computer_only(url: str) -> None:
    assert seen(url, "127.0.0.1") == CLAIMED
    assert seen(url, "127.0.0.2") == "127.0.0.2", "as of a browser that is not the proxy"


@pytest.mark.skipif(nginx() is None, reason="nginx is not installed: apt-get install nginx-light")
def test_behind_the_proxy_a_browser_cannot_choose_its_address(url: str, tmp_path: Path) -> None:
    with proxied(urlsplit(url).port or 0, tmp_path) as behind:
        assert seen(behind, "127.0.0.2") == "127.0.0.2"
