"""Time until the app, a page, the canvas, a prediction and a command respond, and the memory that ten visitors take.

    python benchmarks/opening.py [--times N]

Starts `streamlit run app.py` each time, with a browser that is already running. A page's script run is AppTest's:
app.py, then `switch_page`, including AppTest's own work. The first run, which loads everything, does not count.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import browsing
import click
import cv2
import live
import results
from playwright.async_api import Browser, async_playwright
from streamlit.testing.v1 import AppTest

from mnist_core.drawing.strokes import render_strokes
from pages.ui.shared import navigation

SESSIONS = 10
PAGE_RUNS = 10


def health() -> float:
    """Seconds from the start of the app to its first successful health check."""
    began = time.perf_counter()
    with live.app() as app:
        live.wait_healthy(app)
        return time.perf_counter() - began


async def canvas_and_answer(browser: Browser) -> tuple[float, float]:
    """Seconds from the start of the app to a usable canvas, and to the first prediction.

    The visitor asks for the page as soon as the server listens, and draws one stroke.
    """
    (digit,) = live.plain_digits(1)
    began = time.perf_counter()
    with live.app() as app:
        live.wait_healthy(app)
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = await browsing.opened(context, app.url)
        drawable = time.perf_counter() - began
        await browsing.draw(page, digit)
        _, read = await browsing.answer(page, 1)
        answered = time.perf_counter() - began
        await context.close()
    if read != digit.label:
        raise RuntimeError(f"A {digit.label} was drawn, and a {read} read.")
    return drawable, answered


async def memory(browser: Browser) -> float:
    """Megabytes of the web process with ten sessions that have each drawn a digit."""
    digits = live.plain_digits(SESSIONS)
    with live.app() as app:
        live.wait_healthy(app)
        contexts = [await browser.new_context() for _ in digits]
        for context, digit in zip(contexts, digits, strict=True):
            page = await browsing.opened(context, app.url)
            await browsing.draw(page, digit)
            await browsing.answer(page, 1)
        taken = app.process.memory_info().rss / 1e6
        for context in contexts:
            await context.close()
    return float(taken)


async def in_browser(times: int) -> None:
    """Measures what needs a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=live.browser(), args=["--no-sandbox"])
        found = [await canvas_and_answer(browser) for _ in range(times)]
        results.figure("from `streamlit run` to a canvas that can be drawn on", [one for one, _ in found], "s", "≤ 4")
        results.figure("from `streamlit run` to the first prediction", [one for _, one in found], "s", "≤ 5")
        used = [await memory(browser) for _ in range(times)]
        results.figure(f"memory of the web process, {SESSIONS} sessions", used, "MB", "≤ 300")
        await browser.close()


def script_runs(page: str) -> list[float]:
    """Milliseconds of each run of a page's script."""
    app = AppTest.from_file(str(live.ROOT / "app.py"), default_timeout=120).run()
    app.switch_page(page).run()
    taken = []
    for _ in range(PAGE_RUNS):
        began = time.perf_counter()
        app.run()
        taken.append(1000 * (time.perf_counter() - began))
        if app.exception or app.error:
            raise RuntimeError(f"{page}: {[error.value for error in (*app.exception, *app.error)]}")
    return taken


def command(*arguments: str) -> float:
    """Seconds of a command of the command line."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mnist_core", *arguments], cwd=live.ROOT, capture_output=True, check=True)
    return time.perf_counter() - began


def commands(folder: Path, times: int) -> None:
    """Measures the commands that people wait for."""
    picture, (digit,) = folder / "digit.png", live.plain_digits(1)
    cv2.imwrite(str(picture), render_strokes(digit.strokes, live.BRUSH, live.SIZE))
    asked: Sequence[tuple[str, str, tuple[str, ...]]] = (
        ("`python -m mnist_core recipes`", "≤ 0.5", ("recipes",)),
        ("`python -m mnist_core classify` of one image", "≤ 1", ("classify", str(picture))),
    )
    for what, target, arguments in asked:
        command(*arguments)  # its files are read from the disk
        results.figure(what, [command(*arguments) for _ in range(times)], "s", target)


@click.command()
@click.option("--times", default=5, show_default=True)
def main(times: int) -> None:
    """Prints seconds, megabytes and milliseconds."""
    logging.disable(logging.WARNING)  # Streamlit's, of being run by AppTest
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DIGITLAB_RUNS": str(Path(folder) / "runs"), "DIGITLAB_WARM": "0"}
        health()  # files are read from the disk
        results.figure("from `streamlit run` to a health check", [health() for _ in range(times)], "s", "≤ 1.5")
        asyncio.run(in_browser(times))
        for page in navigation.PAGES:
            results.figure(f"script run of {page}", script_runs(page), "ms", "≤ 200")
        commands(Path(folder), times)


if __name__ == "__main__":
    main()
