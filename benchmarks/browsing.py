"""From pen-up to the prediction on the screen, in Chromium: alone, during two trainings, and with twenty browsers.

    python benchmarks/browsing.py [--quick] [--strokes N] [--seconds N]

Starts the real app as users do. An observer in the page records when the pen is lifted and when a prediction appears;
200 ms of that are the canvas's own delay. Playwright moves the mouse. All browsers run on the same machine as the app
and the trainings and share its cores. Each of the twenty draws its own digit again and again, and must get that digit.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
import live
import numpy as np
import psutil
import results
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from mnist_core.data.mnist import mnist_available
from mnist_core.drawing.strokes import PenDigit
from mnist_core.jobs.worker_process import start_worker
from mnist_core.processes import cpu_count
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run

OBSERVER = """
window.lab = {lifted: 0, answers: [], notify: () => {}};
window.lab.answer = number => new Promise(done => {
  window.lab.notify = () => { if (window.lab.answers.length >= number) done(window.lab.answers[number - 1]); };
  window.lab.notify();
});
addEventListener("mouseup", () => { window.lab.lifted = performance.now(); }, true);
new MutationObserver(() => {
  const answer = document.querySelector("[data-digit]");
  if (answer && answer !== window.lab.seen && window.lab.lifted) {
    window.lab.answers.push([performance.now() - window.lab.lifted, Number(answer.dataset.digit)]);
    window.lab.lifted = 0;
    window.lab.notify();
  }
  window.lab.seen = answer;
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["data-digit"]});
"""
CANVAS = "canvas.upper-canvas:visible"
PATIENCE = 30_000.0  # milliseconds for what only a fault delays
EVERY = 2.0  # seconds between two strokes of one of the twenty
BROWSERS = 20
MISSED = 30.0  # seconds: no answer by then is an error; a slow one counts among the times


@dataclass
class Found:
    """The results of one situation.

    Attributes:
        milliseconds: of every answer.
        wrong: how many were another digit.
        errors: what went wrong.
        cores: how many of them each side kept busy, on average, where that was looked at.
    """

    milliseconds: list[float] = field(default_factory=list)
    wrong: int = 0
    errors: list[str] = field(default_factory=list)
    cores: dict[str, float] = field(default_factory=dict)


async def opened(context: BrowserContext, url: str) -> Page:
    """The Draw page, with a canvas that can be drawn on."""
    page = await context.new_page()
    await page.add_init_script(OBSERVER)
    await page.goto(f"{url}/draw")
    await page.locator(CANVAS).wait_for(timeout=PATIENCE)
    await page.get_by_text("The prediction appears while you draw").wait_for(timeout=PATIENCE)
    return page


async def draw(page: Page, digit: PenDigit) -> None:
    """One stroke: press, move along, lift."""
    canvas = page.locator(CANVAS)
    await canvas.hover(timeout=PATIENCE)  # waits until the canvas stops moving
    box = await canvas.bounding_box(timeout=PATIENCE)
    if box is None:
        raise RuntimeError("The canvas is not visible.")
    scale = box["width"] / live.SIDE  # the page may show the canvas larger than its own pixels
    (x, y), *rest = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in live.path(digit)]
    await page.mouse.move(x, y)
    await page.mouse.down()
    for x, y in rest:
        await page.mouse.move(x, y)
    await page.mouse.up()


async def answer(page: Page, number: int) -> tuple[float, int]:
    """Milliseconds and digit of the answer of that number since the page was opened."""
    asked = page.evaluate("number => window.lab.answer(number)", number)  # a promise: nothing polls
    milliseconds, digit = await asyncio.wait_for(asked, MISSED)
    return float(milliseconds), int(digit)


async def wipe(page: Page) -> None:
    """Clears the canvas and waits until no prediction is shown and a new canvas has replaced the old one."""
    canvas = await page.locator(CANVAS).element_handle(timeout=PATIENCE)
    await page.get_by_role("button", name="Clear", exact=True).click(timeout=PATIENCE)
    await page.get_by_text("The prediction appears while you draw").wait_for(timeout=PATIENCE)
    await canvas.wait_for_element_state("hidden", timeout=PATIENCE)


async def strokes(page: Page, digits: list[PenDigit], every: float = 0.0) -> Found:
    """Draws one digit after the other on an empty canvas, at most one in `every` seconds."""
    found = Found()
    for digit in digits:
        began = time.perf_counter()
        try:
            await draw(page, digit)
            milliseconds, read = await answer(page, len(found.milliseconds) + len(found.errors) + 1)
            found.milliseconds.append(milliseconds)
            found.wrong += read != digit.label
            await wipe(page)
        except Exception as error:  # any error of Playwright; reported at the end
            found.errors.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            break
        await asyncio.sleep(max(0.0, every - (time.perf_counter() - began)))
    shown = await page.get_by_test_id("stException").count() + await page.get_by_test_id("stAlertContentError").count()
    found.errors += ["the page shows an error"] * shown
    return found


async def alone(browser: Browser, url: str, digits: list[PenDigit]) -> Found:
    """One person at one browser. The first stroke of a server that has just started is not counted."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    found = await strokes(await opened(context, url), digits)
    await context.close()
    found.milliseconds = found.milliseconds[1:]
    return found


async def together(browser: Browser, app: live.App, digits: list[PenDigit], seconds: float) -> Found:
    """Several browsers at once, each with its own digit, not in step."""
    contexts = [await browser.new_context(viewport={"width": 1280, "height": 900}) for _ in digits]
    pages = [await opened(context, app.url) for context in contexts]

    async def person(place: int) -> Found:
        await asyncio.sleep(EVERY * place / len(digits))
        return await strokes(pages[place], [digits[place]] * round(seconds / EVERY), EVERY)

    before, began = busy(app), time.perf_counter()
    each = await asyncio.gather(*(person(place) for place in range(len(digits))))
    after, took = busy(app), time.perf_counter() - began
    for context in contexts:
        await context.close()
    return Found(
        [value for found in each for value in found.milliseconds],
        sum(found.wrong for found in each),
        [error for found in each for error in found.errors],
        {side: (after[side] - before[side]) / took for side in after},
    )


def busy(app: live.App) -> dict[str, float]:
    """Seconds of processor time that each side has used so far."""
    here = psutil.Process().children(recursive=True)
    server = [app.process, *app.process.children(recursive=True)]
    training = [process for process in here if "mnist_core.worker" in _command(process)]
    browser = [process for process in here if process not in server and process not in training]
    sides = {"browsers": browser, "server": server, "training": training}
    return {side: sum(_seconds(process) for process in processes) for side, processes in sides.items()}


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _seconds(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:2])
    except psutil.Error:  # it has ended
        return 0.0


@contextmanager
def trainings(app: live.App, count: int) -> Iterator[None]:
    """Runs trainings at the same time, each with the cores that the queue gives it when two may run."""
    os.environ["DIGITLAB_RUNS"] = str(app.runs)
    data = "full" if mnist_available() else "sample"
    runs = [create_run(make_spec("fleming-cnn", {"epochs": 50}, data)) for _ in range(count)]
    processes = [start_worker(run, max(1, cpu_count() // 2)) for run in runs]
    try:
        while any(not run.metrics().rows for run in runs):
            _require_alive(runs, processes)
            time.sleep(0.2)
        yield
        _require_alive(runs, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _require_alive(runs: list[Run], processes: list[subprocess.Popen[bytes]]) -> None:
    if any(process.poll() is not None for process in processes):
        raise RuntimeError("A training has ended: " + "; ".join(run.status().message for run in runs))


def tell(what: str, found: Found, median: str, high: str) -> None:
    """Prints the figures; a wrong answer or an error fails the benchmark."""
    for error in found.errors[:5]:
        print(f"  {error}")
    if len(found.milliseconds) > 1:
        results.figure(f"{what}: from pen-up to the prediction, median", found.milliseconds, "ms", median)
        value = float(np.percentile(found.milliseconds, 95))
        results.figure(f"{what}: 95th percentile of {len(found.milliseconds)}", [value], "ms", high)
    for side, cores_busy in found.cores.items():
        results.figure(f"{what}: cores used by the {side}", [cores_busy], "")
    results.figure(f"{what}: wrong predictions", [found.wrong], "", "≤ 0")
    results.figure(f"{what}: errors", [len(found.errors)], "", "≤ 0")


async def measure(app: live.App, count: int, seconds: float) -> None:
    """The three situations, one after the other."""
    digits = live.plain_digits(max(count + 1, BROWSERS))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=live.browser(), args=["--no-sandbox"])
        await alone(browser, app.url, digits[:2])
        tell("alone", await alone(browser, app.url, digits[: count + 1]), "≤ 330", "≤ 450")
        with trainings(app, 2):
            tell("during two trainings", await alone(browser, app.url, digits[: count + 1]), "", "≤ 800")
        with trainings(app, 1):
            found = await together(browser, app, digits[:BROWSERS], seconds)
            tell(f"{BROWSERS} browsers and a training", found, "", "≤ 1000")
        await browser.close()


@click.command()
@click.option("--strokes", "count", default=40, show_default=True, help="Strokes of one browser.")
@click.option("--seconds", default=40.0, show_default=True, help="How long twenty browsers draw.")
@click.option("--quick", is_flag=True, help="Ten strokes, and twenty browsers for six seconds.")
def main(count: int, seconds: float, quick: bool) -> None:
    """Prints the milliseconds of the three situations, and how many answers were wrong."""
    with live.app() as app:
        live.wait_healthy(app)
        asyncio.run(measure(app, 10 if quick else count, 6.0 if quick else seconds))


if __name__ == "__main__":
    main()
