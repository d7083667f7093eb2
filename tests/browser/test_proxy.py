"""The reverse proxy of deploy/nginx.conf in front of the real app: what it adds and limits, and that pages work."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.live import App, serving, wait_healthy
from tests.browser.conftest import app_environment
from tests.deploy.proxy import CONFIGURATION, nginx, proxied

needs_nginx = pytest.mark.skipif(nginx() is None, reason="nginx is not installed: apt-get install nginx-light")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("app")
    with serving(home, app_environment(home)) as started:
        wait_healthy(started)
        yield started


@pytest.fixture(scope="module")
def proxy(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxied(urlsplit(app.url).port or 0, tmp_path_factory.mktemp("nginx")) as url:
        yield url


def request(url: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """Sends a request, and returns the answer with its body read."""
    address = urlsplit(url)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address.netloc, timeout=20, context=trusting)
    connection.request(method, address.path or "/", headers={name.replace("_", "-"): headers[name] for name in headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@needs_nginx
def test_every_answer_carries_the_security_headers(proxy: str) -> None:
    for path in ("/", "/_stcore/health", "/_stcore/upload_file/none"):
        headers = request(proxy + path).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
        assert headers["Strict-Transport-Security"] and headers["Referrer-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "'unsafe-eval'" not in policy and "http" not in policy and "*" not in policy


@needs_nginx
def test_a_body_larger_than_an_upload_is_refused(proxy: str) -> None:
    assert request(f"{proxy}/_stcore/upload_file/x/y", "PUT", Content_Length=str(11 * 2**20 + 1)).status == 413


@needs_nginx
def test_scripts_are_compressed(proxy: str) -> None:
    assert request(f"{proxy}/static/js/{script_name()}", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"


def script_name() -> str:
    """The name of Streamlit's first script."""
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    return re.findall(r'src="\./static/js/([^"]+\.js)"', page)[0]


@needs_nginx
@pytest.mark.browser
def test_pages_work_without_an_error_in_the_browsers_console(proxy: str, chromium: Any) -> None:
    """The websocket passes, a stroke is read before and after pen-up, charts are drawn, nothing comes from outside."""
    page = chromium.new_context(ignore_https_errors=True).new_page()
    errors: list[str] = []
    fetched: set[str] = set()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda one: fetched.add(urlsplit(one.url).netloc))
    page.goto(f"{proxy}/")
    canvas = page.locator(".st-key-pad canvas").last
    canvas.wait_for(timeout=20_000)
    page.get_by_text("Draw a digit from 0 to 9").wait_for()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 60, steps=8)
    page.locator(".lab-live .lab-digit").wait_for(timeout=20_000)  # in a worker, which the policy must allow
    page.mouse.up()
    page.locator(".lab-answer[data-digit]").wait_for(timeout=20_000)
    page.get_by_role("link", name="Data").click()
    page.locator('[data-testid="stVegaLiteChart"] :is(canvas, svg)').first.wait_for(timeout=20_000)
    page.context.close()
    assert errors == [] and fetched <= {urlsplit(proxy).netloc, ""}


def test_the_proxy_sends_the_address_that_it_sees() -> None:
    """A browser that sends X-Forwarded-For itself must not choose for whom its guesses count."""
    assert re.findall(r"X-Forwarded-For (\S+);", CONFIGURATION.read_text()) == ["$remote_addr"]
