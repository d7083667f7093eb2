"""A drawing is read while somebody draws, and the page works as before where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from pages.ui.shared import theme
from tests.browser.hands import ROUND_HAND, Stroke
from tests.browser.test_canvas import canvas_box
from tests.browser.test_flows import SECONDS, settled
from tests.support import wait_until

pytestmark = pytest.mark.browser

PATIENCE = 60 * SECONDS
"""Only a fault takes this long."""
LIVE_DIGIT = ".lab-live .lab-digit"
SERVER_ANSWER = ".lab-answer:is([data-digit], [data-rejected])"
SEVEN, FOUR = ROUND_HAND[7][1], ROUND_HAND[4][1]

# Notes at each frame which answers are in view, and where the canvas is.
RECORD = """() => {
  window.frames_seen = [];
  const note = () => {
    const shown = [...document.querySelectorAll(".st-key-answer :is(.lab-digit, .stAlert)")];
    const visible = shown.filter((each) => each.checkVisibility());
    const { x, y, width } = document.querySelector("canvas.upper-canvas").getBoundingClientRect();
    window.frames_seen.push([visible.length, x, y, width].join(" "));
    requestAnimationFrame(note);
  };
  note();
}"""


@contextmanager
def draw_page(chromium: Browser, app_url: str, script: str = "", **screen: Any) -> Iterator[tuple[Page, list[str]]]:
    """The Draw page, and a list to which all that it sends is added.

    Args:
        chromium: the browser.
        app_url: of the app.
        script: runs before the page's own scripts.
        screen: of the browser's context.
    """
    with chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | screen) as browser:
        page = browser.new_page()
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append("a message")))
        page.add_init_script(script)
        page.goto(f"{app_url}/draw")
        expect(page.locator("canvas.upper-canvas")).to_be_visible(timeout=PATIENCE)
        settled(page)
        assert not any(url.endswith(".bin") for url in sent)  # no model before the pointer is on the canvas

        def ready() -> bool:
            page.locator("h1").hover()
            page.locator("canvas.upper-canvas").hover()
            return any(url.endswith(".bin") for url in sent)

        wait_until(ready, "the model, once the pointer is on the canvas")
        yield page, sent


def press_and_move(page: Page, stroke: Stroke) -> None:
    """Puts the pen down at the first point and moves it along the others, without lifting it."""
    box = canvas_box(page)
    scale = box["height"] / 280
    points = [(box["x"] + scale * x, box["y"] + scale * y) for x, y in stroke]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)


def test_an_answer_changes_while_the_pen_is_down_and_the_server_agrees(chromium: Browser, app_url: str) -> None:
    with draw_page(chromium, app_url) as (page, sent):
        page.evaluate(RECORD)
        live = page.locator(LIVE_DIGIT)

        press_and_move(page, FOUR[0])
        expect(live).to_be_visible(timeout=PATIENCE)
        page.mouse.up()
        expect(page.locator(SERVER_ANSWER)).to_be_visible(timeout=PATIENCE)
        settled(page)

        sent.clear()
        press_and_move(page, FOUR[1])
        expect(live).to_have_text("4", timeout=PATIENCE)
        expect(page.locator(".lab-live .lab-bars b")).to_have_text("4")
        names = page.locator(".lab-live .lab-bars > :nth-child(3n + 1)")
        heights = names.evaluate_all("names => names.map((name) => name.offsetHeight)")
        assert len(heights) == 11 and len(set(heights)) == 1, "not a digit stays on one line"
        assert sent == []
        page.mouse.up()
        expect(page.locator(SERVER_ANSWER)).to_have_text(re.compile("^4"), timeout=PATIENCE)
        expect(page.locator(SERVER_ANSWER)).to_be_visible()
        expect(live).to_have_count(0, timeout=PATIENCE)
        frames = set(page.evaluate("window.frames_seen"))
        assert len(frames) == 1 and frames.pop().startswith("1 ")  # one answer at a time, and the canvas stays


def zoom(page: Page, percent: int) -> None:
    """Does what a browser's zoom does to a page: it gets fewer pixels of its own, each of more of the screen's."""
    width, height = (100 * size // percent for size in (1280, 900))
    metrics = {"width": width, "height": height, "deviceScaleFactor": percent / 100, "mobile": False}
    page.context.new_cdp_session(page).send("Emulation.setDeviceMetricsOverride", metrics)
    wait_until(lambda: page.evaluate("innerWidth") == width, "the zoom")
    settled(page)


def test_a_whole_number_grows_while_it_is_written_with_frames_around_its_digits_whatever_the_zoom(
    chromium: Browser, app_url: str
) -> None:
    with draw_page(chromium, app_url) as (page, _):
        page.get_by_text("A whole number", exact=True).click()
        expect(page.locator("[data-part=frames]")).to_have_count(1)
        settled(page)
        for number, (digit, percent) in enumerate(((4, 100), (2, 150), (7, 67))):
            zoom(page, percent)
            strokes = [[(0.6 * x + 150 * number, 0.6 * y + 60) for x, y in stroke] for stroke in ROUND_HAND[digit][1]]
            for stroke in strokes[:-1]:
                press_and_move(page, stroke)
                page.mouse.up()
            press_and_move(page, strokes[-1])
            written = "427"[: number + 1]
            expect(page.locator(LIVE_DIGIT)).to_have_text(written, timeout=PATIENCE)
            frames = page.locator(".lab-frame")
            assert [frame.get_attribute("data-name") for frame in frames.all()] == list(written)
            frame, paper = frames.last.bounding_box(), canvas_box(page)
            assert frame is not None
            x, y = np.transpose([point for stroke in strokes for point in stroke]) * paper["height"] / 280
            assert frame["x"] - paper["x"] == pytest.approx(x.min() - 10, abs=4)
            assert frame["y"] - paper["y"] == pytest.approx(y.min() - 10, abs=4)
            if percent == 100:  # otherwise lines are blurred
                edge = page.screenshot(clip={"x": frame["x"] - 1, "y": frame["y"] + 20, "width": 1, "height": 1})
                blue, green, red = cv2.imdecode(np.frombuffer(edge, np.uint8), cv2.IMREAD_COLOR)[0, 0].tolist()
                assert (red, green, blue) == theme.FRAME  # it is over the canvas
            page.mouse.up()
            expect(page.locator(f'.lab-answer[data-number="{written}"]')).to_be_visible(timeout=PATIENCE)
            expect(frames).to_have_count(0, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("breakage", "is_live"),
    [
        # What a browser may lack, and what a new version of the canvas may change.
        (
            "window.Worker = class {"
            " constructor() { setTimeout(() => this.onerror({})); } postMessage() {} terminate() {} }",
            True,
        ),
        (
            "window.Worker = undefined; console.debug = () => window.noticed = true;"
            " const real = fetch; let failed = 0;"
            " window.fetch = (url, options) => real(url, options).then((response) =>"
            " String(url).includes('.bin') && !failed++ ? new Response('', { status: 503 }) : response)",
            True,
        ),
        ("CanvasRenderingContext2D.prototype.getImageData = () => { throw new Error('broken on purpose'); }", False),
    ],
    ids=["no worker", "a first download that fails", "no pixels"],
)
def test_the_page_works_as_before_where_live_reading_fails(
    chromium: Browser, app_url: str, breakage: str, is_live: bool
) -> None:
    with draw_page(chromium, app_url, breakage, device_scale_factor=2) as (page, _):
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        if "noticed" in breakage:
            page.wait_for_function("window.noticed", timeout=PATIENCE)
        press_and_move(page, SEVEN[0])
        if is_live:
            expect(page.locator(LIVE_DIGIT)).to_have_text("7", timeout=PATIENCE)
        page.mouse.up()
        expect(page.locator(SERVER_ANSWER)).to_have_attribute("data-digit", "7", timeout=PATIENCE)
        expect(page.locator(SERVER_ANSWER)).to_be_visible()
        expect(page.locator(LIVE_DIGIT)).to_have_count(0, timeout=PATIENCE)
        assert errors == [] and page.get_by_text("Error").count() == 0
