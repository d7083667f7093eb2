"""The canvas on screens of every width, with a finger and with Undo and Clear."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, FloatRect, Page, expect

from tests.browser.hands import ROUND_HAND, SLANTED_HAND, Stroke
from tests.browser.test_flows import SECONDS, drawing_canvas, settled

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(chromium: Browser, app_url: str) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as browser:
        page = browser.new_page()
        page.goto(f"{app_url}/draw")
        expect(page.locator("canvas.upper-canvas")).to_be_visible(timeout=30 * SECONDS)
        settled(page)
        yield page


def canvas_box(page: Page) -> FloatRect:
    box = drawing_canvas(page).bounding_box()
    assert box is not None
    return box


def draw_by_touch(page: Page, finger: CDPSession, strokes: list[Stroke]) -> None:
    for stroke in strokes:
        box = canvas_box(page)
        scale = box["height"] / 280
        points = [(box["x"] + scale * x, box["y"] + scale * y) for x, y in stroke]
        path = [points[0]]
        for (x1, y1), (x2, y2) in zip(points, points[1:], strict=False):
            path += [(x1 + (x2 - x1) * part / 6, y1 + (y2 - y1) * part / 6) for part in range(1, 7)]
        for number, (x, y) in enumerate(path):
            kind = "touchMove" if number else "touchStart"
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)


def test_digits_drawn_by_touch_are_read_cleared_and_undone(phone: Page) -> None:
    finger = phone.context.new_cdp_session(phone)
    clear = phone.get_by_role("button", name="Clear", exact=True)
    clear.scroll_into_view_if_needed()
    before = canvas_box(phone)
    for digit, strokes in SLANTED_HAND[:10:2]:
        draw_by_touch(phone, finger, strokes)
        expect(phone.locator(f'[data-digit="{digit}"]')).to_be_visible(timeout=20 * SECONDS)
        assert canvas_box(phone) == before  # the answer does not push the canvas away from the finger
        clear.tap()
        expect(phone.get_by_text("The prediction appears while you draw")).to_be_visible(timeout=20 * SECONDS)
        settled(phone)  # the prompt appears before the new canvas

    draw_by_touch(phone, finger, [*ROUND_HAND[1][1], [(40, 40), (240, 240)]])
    phone.get_by_role("button", name="Undo", exact=True).tap()
    expect(phone.locator('[data-digit="1"]')).to_be_visible(timeout=20 * SECONDS)


@pytest.mark.parametrize("mode", ["One digit", "A whole number"])
def test_canvas_is_whole_and_the_answer_in_view_on_every_width(phone: Page, mode: str) -> None:
    finger = phone.context.new_cdp_session(phone)
    phone.get_by_text(mode, exact=True).tap()
    settled(phone)
    draw_by_touch(phone, finger, ROUND_HAND[1][1])
    for width, height in ((360, 740), (390, 844), (700, 900), (820, 1180), (1024, 768), (1280, 720)):
        phone.set_viewport_size({"width": width, "height": height})
        phone.wait_for_timeout(200)
        phone.locator("h1").scroll_into_view_if_needed()
        box, answer = canvas_box(phone), phone.locator(".lab-answer").bounding_box()
        assert answer is not None
        assert 280 <= box["width"] <= 560 and box["x"] >= 0 and box["x"] + box["width"] <= width, width
        assert box["width"] == pytest.approx(box["height"] * (1 if mode == "One digit" else 2), abs=1), width
        assert box["y"] + box["height"] <= height, width
        assert answer["y"] + answer["height"] <= box["y"] + 1 or answer["x"] >= box["x"] + box["width"], width
        buttons = phone.get_by_role("button", name="Clear", exact=True).bounding_box()
        assert buttons is not None and buttons["y"] >= box["y"] + box["height"] and buttons["height"] >= 36, width
        clipped = phone.locator(".dc-scroll").evaluate("(each) => each.scrollWidth > each.clientWidth")
        assert not clipped, width


def test_on_home_nothing_moves_when_a_scribble_is_rejected(phone: Page, app_url: str) -> None:
    finger = phone.context.new_cdp_session(phone)
    scribble = [[(40, 40), (240, 60), (60, 120), (240, 180), (40, 240), (140, 40), (240, 240), (40, 100)]]
    for width, height in ((390, 844), (820, 1180), (1280, 900)):
        phone.set_viewport_size({"width": width, "height": height})
        phone.goto(app_url)
        expect(phone.get_by_text("Draw a digit from 0 to 9")).to_be_visible(timeout=30 * SECONDS)
        settled(phone)
        canvas, cards = drawing_canvas(phone), phone.locator(".st-key-details")
        before = canvas.bounding_box(), cards.bounding_box()
        draw_by_touch(phone, finger, scribble)
        expect(phone.locator("[data-rejected]")).to_be_visible(timeout=20 * SECONDS)
        assert (canvas.bounding_box(), cards.bounding_box()) == before, width
