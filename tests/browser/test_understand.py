"""What only a browser can tell of Explain and Evaluate: a click on a cell, on an image and on a layer's picture."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chart_reader import read_chart
from tests.browser.test_flows import SECONDS, settled

pytestmark = pytest.mark.browser

CLICK_CELL = """
(chart, [digit, predicted]) => {
  const cells = [...chart.querySelectorAll(".mark-rect path")];
  const cell = cells.find(({__data__}) => __data__.datum.true === digit && __data__.datum.read === predicted);
  const box = cell.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}
"""


def test_a_setting_of_a_view_is_kept_while_another_view_is_shown(chromium: Browser, app_url: str) -> None:
    with chromium.new_context(viewport={"width": 1280, "height": 1000}) as browser:
        page: Any = browser.new_page()
        page.goto(f"{app_url}/explain")
        views = page.get_by_role("radiogroup", name="View")
        expect(views).to_be_visible(timeout=60 * SECONDS)
        settled(page)
        views.get_by_text("Attribution").click()
        everything = page.get_by_role("switch", name="All ten digits")
        expect(everything).to_be_attached(timeout=60 * SECONDS)
        settled(page)
        page.get_by_text("All ten digits").click()
        expect(everything).to_be_checked(timeout=20 * SECONDS)
        settled(page)
        for view, shown in (("Layers", 0), ("Attribution", 1)):
            views.get_by_text(view, exact=True).click()
            expect(everything).to_have_count(shown, timeout=20 * SECONDS)
            settled(page)
        expect(everything).to_be_checked()


def test_a_mistake_leads_from_the_matrix_into_the_layers(chromium: Browser, app_url: str) -> None:
    with chromium.new_context(viewport={"width": 1280, "height": 1000}) as browser:
        page: Any = browser.new_page()
        page.goto(f"{app_url}/evaluate")
        headline = page.get_by_role("heading", name=re.compile("of 1,000 test digits are right"))
        expect(headline).to_be_visible(timeout=60 * SECONDS)
        settled(page)
        matrix = page.locator(".st-key-figure_confusion_cells [data-testid=stVegaLiteChart]")
        (cells,) = (marks for marks in read_chart(matrix).of_kind("rect") if "read" in marks.rows[0])
        mistakes = [row for row in cells.rows if row["count"] and row["true"] != row["read"]]
        wrong = sum(row["count"] for row in mistakes)
        assert f": {wrong} " in headline.inner_text() and len(cells.rows) in (100, 110)

        cell = mistakes[-1]
        page.mouse.click(*matrix.evaluate(CLICK_CELL, [cell["true"], cell["read"]]))
        title = f"{cell['true']} classified as {cell['read']}"
        expect(page.get_by_role("combobox", name="Images of a cell")).to_have_value(title, timeout=20 * SECONDS)
        settled(page)
        expect(page.get_by_role("button", name="Explain", exact=True)).to_have_count(cell["count"])
        page.locator("[class*=cell_clickable_] img").first.click(force=True)  # the button covers its picture
        expect(page.get_by_role("heading", name="Explain")).to_be_visible(timeout=30 * SECONDS)
        expect(page.get_by_text(re.compile(f"Wrong: it is an? {cell['true']}"))).to_be_visible(timeout=20 * SECONDS)
        settled(page)

        blocks = page.locator("[class*=wall_clickable_]").filter(has_text=re.compile(r"Conv \d+ · BN · ReLU"))
        title = blocks.nth(1).get_by_role("button").inner_text()
        blocks.nth(1).locator("img").click(force=True)
        expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=20 * SECONDS)
        captions = page.locator(".lab-pipeline figcaption b")
        expect(captions).to_have_text([*["Input", "Filter", "Product"] * 3, "Sum", "BN", "ReLU"])


CLICK_CHANNEL = """
(chart, channel) => {
  const frames = [...chart.querySelectorAll(".mark-rect path")];
  const box = frames.find(({__data__}) => __data__.datum.channel === channel).getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}
"""


def test_what_was_clicked_can_be_clicked_again_after_another_choice(chromium: Browser, app_url: str) -> None:
    with chromium.new_context(viewport={"width": 1280, "height": 1000}) as browser:
        page: Any = browser.new_page()
        page.goto(f"{app_url}/evaluate")
        matrix = page.locator(".st-key-figure_confusion_cells [data-testid=stVegaLiteChart]")
        expect(matrix.locator("svg.marks")).to_be_visible(timeout=60 * SECONDS)
        settled(page)
        menu = page.get_by_role("combobox", name="Images of a cell")
        for _ in range(2):
            page.mouse.click(*matrix.evaluate(CLICK_CELL, ["9", "9"]))
            expect(menu).to_have_value("9 classified as 9", timeout=20 * SECONDS)
            settled(page)
            menu.click()
            page.get_by_role("option", name="3 classified as 3").click()
            expect(menu).to_have_value("3 classified as 3", timeout=20 * SECONDS)
            settled(page)
            expect(matrix.locator("svg.marks")).to_be_visible()

        page.goto(f"{app_url}/explain?view=layers")
        channels = page.locator(".st-key-figure_channels [data-testid=stVegaLiteChart]")
        expect(channels.locator("svg.marks")).to_be_visible(timeout=60 * SECONDS)
        settled(page)
        field = page.get_by_role("spinbutton", name=re.compile("Channel"))
        for _ in range(2):
            channels.scroll_into_view_if_needed()
            page.mouse.click(*channels.evaluate(CLICK_CHANNEL, 5))
            expect(field).to_have_value("5", timeout=20 * SECONDS)
            settled(page)
            field.fill("3")
            field.press("Enter")
            settled(page)
            expect(channels.locator("svg.marks")).to_be_visible()
