"""What only a browser can tell of the Data page and the tour: what a click picks, what a canvas begins with, keys."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_flows import SECONDS, page, read, settled

__all__ = ["page"]  # a fixture

pytestmark = pytest.mark.browser


def test_click_on_a_digit_of_the_wall_shows_it_large(page: Any, app_url: str) -> None:
    page.goto(f"{app_url}/data?view=browse")
    wall = page.locator('[data-testid="stVegaLiteChart"]').first
    expect(wall).to_be_visible(timeout=30 * SECONDS)
    settled(page)
    number = page.get_by_label("Index of the digit", exact=False)
    expect(number).to_have_value("0")
    box = wall.bounding_box()
    page.mouse.click(box["x"] + 0.35 * box["width"], box["y"] + 0.04 * box["height"])  # fourth of the first row
    expect(number).to_have_value("3", timeout=20 * SECONDS)
    expect(page.get_by_role("heading", name="Training digit 3: a ")).to_be_visible()


def test_second_step_of_the_tour_is_misread_until_the_switch_is_off(page: Any, app_url: str) -> None:
    page.goto(f"{app_url}/?tour=2")
    expect(page.get_by_text("Guided tour, 2 of 6")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_text("That does not look like a digit")).to_be_visible(timeout=20 * SECONDS)
    settled(page)
    page.get_by_test_id("stCheckbox").filter(has_text="Plain resize").locator("label").first.click()
    expect(page.get_by_text("That does not look like a digit")).to_have_count(0, timeout=20 * SECONDS)
    assert read(page) == 3


def test_nothing_is_cut_off_in_the_second_step_of_a_presentation(page: Any, app_url: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{app_url}/?present=1&tour=2")
    caption = page.locator(".st-key-answer figcaption").first
    expect(caption).to_be_visible(timeout=30 * SECONDS)
    settled(page)
    for width in (1280, 1366, 1440):
        page.set_viewport_size({"width": width, "height": 720})
        assert page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth") == 0, width
        assert caption.evaluate("caption => caption.scrollWidth - caption.clientWidth") <= 0, width


def test_arrow_keys_move_through_the_tour_and_escape_leaves_presenter_mode(page: Any, app_url: str) -> None:
    page.goto(f"{app_url}/?present=1")
    expect(page.get_by_text("Guided tour, 1 of 6")).to_be_visible(timeout=30 * SECONDS)
    settled(page)
    header = page.get_by_test_id("stHeader")
    expect(header).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "24px"
    page.wait_for_function("window.digitLabPresenterKeys")
    expect(page.get_by_role("button", name="Next")).to_be_visible()  # keys press it, and its code loads late
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Guided tour, 2 of 6")).to_be_visible(timeout=20 * SECONDS)
    settled(page)
    slider = page.get_by_role("slider", name="Brush width")
    slider.press("ArrowRight")  # moves the slider, not the tour
    settled(page)
    expect(page.get_by_text("Guided tour, 2 of 6")).to_be_visible()
    slider.blur()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("Guided tour, 1 of 6")).to_be_visible(timeout=20 * SECONDS)
    page.keyboard.press("Escape")
    expect(header).to_be_visible(timeout=20 * SECONDS)
    expect(page.get_by_text("Guided tour")).to_have_count(0)
    assert "present" not in page.url
