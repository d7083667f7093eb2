"""A new user's first minute in a real browser of 1280×720: draw, train, watch, and draw for the model just trained.

    python benchmarks/first_minute.py [--times N]

Nothing may need scrolling: the benchmark fails where a step is out of view.
"""

from __future__ import annotations

import re
import time

import click
import live
import results
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

WINDOW = ViewportSize(width=1280, height=720)
WAIT = 120_000
"""Milliseconds after which a step counts as failed."""
SEVEN = [(0.28, 0.22), (0.72, 0.21), (0.59, 0.46), (0.45, 0.82)]
"""The stroke of a 7, in shares of the canvas."""


def show(element: Locator) -> None:
    """Waits until the element is shown, wholly in the window, which has not been scrolled."""
    expect(element).to_be_visible(timeout=WAIT)
    expect(element).to_be_in_viewport(ratio=0.95)


def draw_seven(page: Page) -> float:
    """Draws a 7 and returns the seconds from the end of its stroke to the answer."""
    canvas = page.locator("canvas.upper-canvas").first
    show(canvas)
    box = canvas.bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()
    began = time.perf_counter()
    answer = page.locator("[data-digit]").first
    show(answer)
    seconds = time.perf_counter() - began
    if answer.get_attribute("data-digit") != "7":
        raise RuntimeError(f"A 7 was read as {answer.get_attribute('data-digit')!r}.")
    return seconds


def first_minute(page: Page, url: str) -> dict[str, float]:
    """Goes through the first minute. Returns the seconds of each step."""
    seconds = {}
    began = time.perf_counter()
    page.goto(url)
    show(page.locator("canvas.upper-canvas").first)
    seconds["Home is open, with its canvas"] = time.perf_counter() - began
    seconds["pen up to the answer, on Home"] = draw_seven(page)

    pressed = time.perf_counter()
    page.get_by_role("button", name="Train", exact=True).click()
    curve = page.get_by_test_id("stVegaLiteChart").first.locator("svg.marks .mark-line path").first
    page.get_by_text(re.compile("running|starting|finished")).first.wait_for(timeout=WAIT)
    curve.wait_for(timeout=WAIT)
    show(page.get_by_test_id("stVegaLiteChart").first)
    seconds["Train to the first curve"] = time.perf_counter() - pressed
    own = page.get_by_role("link", name="Draw for it")
    show(own)
    seconds["Train to the finished model"] = time.perf_counter() - pressed

    own.click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=WAIT)
    clear = page.get_by_role("button", name="Clear")
    if clear.is_enabled():
        clear.click()
    expect(page.locator("[data-digit]")).to_have_count(0, timeout=WAIT)
    draw_seven(page)
    seconds["all of it"] = time.perf_counter() - began
    return seconds


@click.command()
@click.option("--times", default=3, show_default=True)
def main(times: int) -> None:
    """Prints the seconds of each step, each time with a new server and a new visitor."""
    measured: dict[str, list[float]] = {}
    for _ in range(times):
        with live.app() as app, sync_playwright() as playwright:
            live.wait_healthy(app)
            chromium = playwright.chromium.launch(executable_path=live.browser(), args=["--no-sandbox"])
            page = chromium.new_context(viewport=WINDOW).new_page()
            for step, value in first_minute(page, app.url).items():
                measured.setdefault(step, []).append(value)
    for step, values in measured.items():
        results.figure(f"first minute: {step}", values, "s", "≤ 60" if step == "all of it" else "")


if __name__ == "__main__":
    main()
