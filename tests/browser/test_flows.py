"""What people do, in a real browser against the real app."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hands import ROUND_HAND, SLANTED_HAND, Stroke

playwright = pytest.importorskip("playwright.sync_api", reason="install requirements-dev.txt for the browser tests")
from playwright.sync_api import Browser, Page, expect  # noqa: E402

pytestmark = pytest.mark.browser
SECONDS = 1000.0  # Playwright counts in milliseconds


@pytest.fixture
def page(chromium: Browser, app_url: str) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(app_url)
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=30 * SECONDS)
    yield page
    page.close()


def draw(page: Page, strokes: list[Stroke]) -> None:
    """Draws with the mouse, as a person does: press, move along, lift."""
    canvas = page.locator("canvas.upper-canvas")
    expect(canvas).to_be_visible(timeout=30 * SECONDS)
    box = canvas.bounding_box()
    assert box is not None and round(box["width"]) == 280
    for stroke in strokes:
        points = [(box["x"] + x, box["y"] + y) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=3)
        page.mouse.up()


def read(page: Page) -> int:
    """The digit that the page answers."""
    answer = page.locator("[data-digit]").first
    expect(answer).to_be_visible(timeout=20 * SECONDS)
    return int(answer.get_attribute("data-digit") or -1)


def settled(page: Page) -> None:
    """Waits until the app has nothing more to say: its canvas sends 200 ms after the pen is lifted."""
    page.wait_for_timeout(700)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(
        timeout=20 * SECONDS
    )


@pytest.mark.parametrize(("hand", "digits"), [("round", ROUND_HAND), ("slanted", SLANTED_HAND)])
def test_drawn_digits_are_read(page: Page, hand: str, digits: list[tuple[int, list[Stroke]]]) -> None:
    answers = []
    for _, strokes in digits:
        draw(page, strokes)
        settled(page)
        answers.append(read(page))
        page.get_by_role("button", name=re.compile("reset|clear", re.I)).first.click()
        expect(page.get_by_text("The answer comes when you lift the pen")).to_be_visible(timeout=20 * SECONDS)
    assert answers == [digit for digit, _ in digits], hand
