"""Reading while the pen moves, in Chromium: how soon the bars change, whether drawing stutters, and what loads for it.

    python benchmarks/live_reading.py [--strokes N] [--record]

Starts the real app as users do, with the shipped model and a network of the recipe `canvas`. Playwright moves a mouse;
a script in the page notes each move, each reading of the canvas, each answer and each frame. Without the reader, which
*Plain resize* switches off, the same strokes are drawn for comparison. `--record` instead draws twenty drawings
and writes the answers along the way to live_strokes.json.

Chromium's throttling slows the page's thread only, not a worker's: the benchmark measures that. So there is a
second figure, for which each answer of the worker is held back for three times as long as it took.

Without a GPU Chromium emulates one on the same cores. Started with `--disable-gpu` it takes as long: 35 ms of CPU for
each answer either way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import live
import numpy as np
import results
from live_strokes import STROKES, Stroke
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

ANSWER = "[data-digit], [data-rejected], [data-number]"
"""The server's answer on the page."""
WINDOW = ViewportSize(width=1280, height=900)
STEP, PAUSE = 7, 0.012  # of the mouse: pixels of a move, and seconds before the next one
POINTS = 10  # at which the answer along a drawing is recorded
PATIENCE = 30_000.0  # milliseconds for what only a fault delays
SETTLED = 300.0  # milliseconds in which the answer to the last move is there
PHONE = 4
"""How many times slower than this machine a phone is taken to be."""
RECORD = Path(__file__).parent / "live_strokes.json"

OBSERVER = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
"""Runs in the page; WITH_WORKER and DELAY are replaced."""
LOOP = """() => { const began = performance.now(); let sum = 0;
  for (let i = 0; i < 3e7; i++) sum += i % 7; return performance.now() - began + 0 * sum; }"""


@dataclass
class Drawn:
    """What was measured while strokes were drawn.

    Attributes:
        delays: for each stroke, milliseconds from each move to the answer that has it.
        readings: milliseconds that each reading took.
        frames: milliseconds between two frames.
        server: milliseconds from pen-up to the server's answer.
        requests: what was sent to the server during strokes.
    """

    delays: list[list[float]] = field(default_factory=list)
    readings: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Traffic:
    """What a page sends to the server and receives from it.

    Attributes:
        sent: one text for each request and each message of a WebSocket.
        received: the same for messages of WebSockets.
        models: bytes of each model that was fetched.
    """

    def __init__(self, page: Page) -> None:
        self.sent: list[str] = []
        self.received: list[bytes] = []
        self.models: list[int] = []
        page.on("request", lambda request: self.sent.append(request.url))
        page.on("response", lambda response: self._note(response))
        page.on("websocket", self._listen)

    def _note(self, response: Any) -> None:
        if response.url.endswith(".bin"):
            self.models.append(int(response.headers.get("content-length", 0)))

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", lambda payload: self.sent.append(f"WebSocket, {len(payload)} bytes"))
        socket.on("framereceived", lambda payload: self.received.append(_bytes(payload)))


def _bytes(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload


@contextmanager
def drawing_page(
    browser: Browser, url: str, model: str = "", worker: bool = True, rate: int = 1, delay: int = 0
) -> Iterator[tuple[Page, Traffic]]:
    """The Draw page, with a canvas that can be drawn on.

    Args:
        browser: Chromium.
        url: of the app.
        model: id of the run that reads; empty for the shipped model.
        worker: whether there are Web Workers.
        rate: how many times Chromium slows the page.
        delay: how long an answer of the worker is held back, in multiples of the time that it took.
    """
    with browser.new_context(viewport=WINDOW) as context:
        page = context.new_page()
        traffic = Traffic(page)
        script = OBSERVER.replace("WITH_WORKER", "true" if worker else "false").replace("DELAY", str(delay))
        page.add_init_script(script)
        page.goto(f"{url}/draw{f'?model={model}' if model else ''}")
        page.locator("canvas.upper-canvas").wait_for(timeout=PATIENCE)
        _wait_blank(page)
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
        yield page, traffic


def _wait_blank(page: Page) -> None:
    page.get_by_text("The prediction appears").wait_for(timeout=PATIENCE)
    expect(page.locator("canvas.upper-canvas")).to_have_count(1, timeout=PATIENCE)  # Clear replaces the canvas


def path(stroke: Stroke) -> Stroke:
    """Where the mouse goes along a stroke, in the canvas's own pixels."""
    points = [stroke[0]]
    for before, after in zip(stroke, stroke[1:], strict=False):
        count = max(1, round(float(np.hypot(after[0] - before[0], after[1] - before[1])) / STEP))
        points += [tuple(np.array(before) + (np.array(after) - before) * n / count) for n in range(1, count + 1)]
    return points


def draw(page: Page, strokes: Sequence[Stroke], pause_at: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Draws strokes. Returns the answer after each of the moves `pause_at`, counted over all strokes."""
    box = page.locator("canvas.upper-canvas").bounding_box(timeout=PATIENCE)
    if box is None:
        raise RuntimeError("The canvas is not visible.")
    scale, done, answers = box["height"] / live.SIDE, 0, list[dict[str, Any]]()
    for stroke in strokes:
        for number, (x, y) in enumerate(path(stroke)):
            page.mouse.move(box["x"] + scale * x, box["y"] + scale * y)
            if not number:
                page.mouse.down()
            done += 1
            if done in pause_at:
                page.wait_for_timeout(SETTLED)
                answers.append(live_answer(page))
            else:
                time.sleep(PAUSE)
        page.mouse.up()
    return answers


def live_answer(page: Page) -> dict[str, Any]:
    """What the page shows during a stroke."""
    shown = page.locator(".lab-live .lab-answer").first
    if not shown.count():
        return {"answer": "", "confidence": ""}
    digit, confidence = shown.locator(".lab-digit").inner_text(), shown.locator(".lab-sure").inner_text()
    return {"answer": "not a digit" if digit == "?" else digit, "confidence": confidence if digit != "?" else ""}


def wipe(page: Page) -> None:
    """Clears the canvas."""
    page.get_by_role("button", name="Clear", exact=True).click(timeout=PATIENCE)
    _wait_blank(page)


def measure(page: Page, traffic: Traffic, drawings: Sequence[Sequence[Stroke]]) -> Drawn:
    """Draws and wipes, one drawing after the other. The first is drawn twice: the first time loads the model."""
    found = Drawn()
    for number, strokes in enumerate([drawings[0], *drawings]):
        page.locator("canvas.upper-canvas").hover()
        page.wait_for_timeout(SETTLED)
        page.evaluate("Object.assign(lab, {moves: [], answers: [], frames: [], server: [], watch: true})")
        before = len(traffic.sent)
        draw(page, strokes)
        requests = traffic.sent[before:]
        page.evaluate("lab.watch = false")
        page.locator(ANSWER).first.wait_for(timeout=PATIENCE)
        page.wait_for_timeout(SETTLED)
        lab = page.evaluate("lab")
        if number:
            found.delays.append(delays(lab["moves"], lab["answers"]))
            found.readings += [taken for _, _, taken in lab["answers"]]
            found.frames += lab["frames"]
            found.server += lab["server"]
            found.requests += requests
        wipe(page)
    return found


def delays(moves: Sequence[Sequence[float]], answers: Sequence[Sequence[float]]) -> list[float]:
    """Milliseconds from each move to the first answer to pixels that were taken after the page knew of it."""
    found = []
    for moved, known in moves:
        later = [shown for asked, shown, _ in answers if asked >= known]
        if later:
            found.append(min(later) - moved)
    return found


def record(page: Page) -> list[dict[str, Any]]:
    """Draws the twenty drawings, and returns the answers along the way and the server's at the end."""
    rows = []
    for meant, strokes in STROKES.items():
        page.locator("canvas.upper-canvas").hover()
        total = sum(len(path(stroke)) for stroke in strokes)
        points = [round(total * share / POINTS) for share in range(1, POINTS + 1)]
        answers = draw(page, strokes, points)
        shown = page.locator(ANSWER).first
        page.wait_for_timeout(2 * SETTLED)
        expect(shown).to_be_visible(timeout=PATIENCE)
        rows.append({"drawing": meant, "live": answers, "server": shown.get_attribute("data-digit") or "not a digit"})
        wipe(page)
    return rows


def train_canvas(runs: Path) -> str:
    """Trains a network of the recipe `canvas` for an epoch, without drawings. Returns the run's id."""
    command = (sys.executable, "-m", "mnist_core", "train", "--recipe", "canvas", "--epochs", "1", "--data", "sample")
    settings = ("--set", "drawings=none", "--set", "augmentation=none", "--json")
    environment = {**os.environ, "DIGITLAB_RUNS": str(runs), "DIGITLAB_MAX_RUNNING": "50"}
    done = subprocess.run((*command, *settings), env=environment, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout.splitlines()[-1])["run"])


def tell(what: str, found: Drawn, target: str) -> None:
    """Prints the figures of one situation."""
    if not any(found.delays):
        raise RuntimeError(f"{what}: nothing was read during {len(found.frames)} frames.")
    every = np.concatenate(found.delays)
    results.figure(f"{what}: from a move to the bars, median", every.tolist(), "ms")
    named = f"{what}: 95th percentile of {len(every)} in {len(found.delays)} strokes, and its 95% interval"
    results.figure(named, interval(found.delays), "ms", target)
    if any(found.readings):
        results.figure(f"{what}: one reading", found.readings, "ms")


def interval(strokes: Sequence[Sequence[float]]) -> list[float]:
    """The 95th percentile of all delays, between the ends of its 95% interval. Strokes are drawn again, not moves."""
    generator, drawn = np.random.default_rng(0), list(map(np.array, strokes))
    again = [
        np.percentile(np.concatenate([drawn[place] for place in places]), 95)
        for places in generator.integers(0, len(drawn), (1000, len(drawn)))
    ]
    low, high = np.percentile(again, [2.5, 97.5])
    return [float(low), float(np.percentile(np.concatenate(drawn), 95)), float(high)]


def number(drawings: Sequence[Sequence[Stroke]]) -> list[Stroke]:
    """Three drawings side by side on the wide canvas."""
    return [
        [(0.6 * x + 170 * place, 0.6 * y + 56) for x, y in stroke]
        for place, strokes in enumerate(drawings[:3])
        for stroke in strokes
    ]


def tell_loading(traffic: Traffic) -> None:
    """Prints what the page loads because of the reader."""
    scripts = [len(message) for message in traffic.received if b"showLiveReading" in message]
    results.figure("page weight of the reader before the first stroke", [sum(scripts) / 1000], "kB", "≤ 100")
    results.figure("model, once the pointer is on the canvas", [sum(traffic.models) / 1e6], "MB")


def tell_throttling(page: Page) -> None:
    """Prints how much Chromium's throttling slows the page, and how much a worker."""
    session = page.context.new_cdp_session(page)
    in_worker = f"""() => new Promise(done => {{
      const address = URL.createObjectURL(new Blob([`postMessage(({LOOP})())`]));
      new Worker(address).onmessage = ({{data}}) => done(data); }})"""
    for what, script in (("the page's thread", LOOP), ("a worker", in_worker)):
        times = []
        for rate in (1, PHONE):
            session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
            times.append(min(page.evaluate(script) for _ in range(3)))
        session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        results.figure(f"Chromium's throttling by {PHONE}: how much it slows {what}", [times[1] / times[0]], "×")


def measure_all(browser: Browser, app: live.App, drawings: Sequence[Sequence[Stroke]]) -> None:
    """Prints the figures of all situations."""
    run = train_canvas(app.runs)
    with drawing_page(browser, app.url) as (page, traffic):
        shipped = measure(page, traffic, drawings)
        tell("shipped model", shipped, "≤ 80")
        results.figure("requests to the server during strokes", [len(shipped.requests)], "", "≤ 0")
        tell_loading(traffic)
        page.get_by_text("Plain resize").click()
        without = measure(page, traffic, drawings)
        for what, found in (("with", shipped), ("without", without)):
            results.figure(f"longest frame of a stroke, {what} the reader", [max(found.frames)], "ms")
            high = float(np.percentile(found.frames, 99))
            results.figure(f"99th percentile of the frames, {what} the reader", [high], "ms", "≤ 32")
        results.figure("without the reader: from pen-up to the server's answer", without.server, "ms")
        tell_throttling(page)
    with drawing_page(browser, app.url, run) as (page, traffic):
        tell("`canvas`", measure(page, traffic, drawings), "≤ 50")
    with drawing_page(browser, app.url) as (page, traffic):
        page.get_by_text("A whole number", exact=True).click()
        page.locator("[data-part=frames]").wait_for(state="attached", timeout=PATIENCE)
        tell("shipped model, numbers of three digits", measure(page, traffic, [number(drawings)] * 3), "≤ 80")
    for what, model in (("shipped model", ""), ("`canvas`", run)):
        for slow, delay in (("the page", 0), ("page and worker", PHONE - 1)):
            with drawing_page(browser, app.url, model, rate=PHONE, delay=delay) as (page, traffic):
                tell(f"{what}, {slow} {PHONE} times slower", measure(page, traffic, drawings), "≤ 200")
    with drawing_page(browser, app.url, worker=False) as (page, traffic):
        tell("shipped model, without a worker", measure(page, traffic, drawings), "")


@click.command()
@click.option("--strokes", "count", default=10, show_default=True, help="Strokes in each situation, 20 at most.")
@click.option("--record", "is_recording", is_flag=True, help="Only writes live_strokes.json.")
def main(count: int, is_recording: bool) -> None:
    """Prints the figures, or records the answers along the way."""
    with live.app() as app, sync_playwright() as playwright:
        live.wait_healthy(app)
        browser = playwright.chromium.launch(executable_path=live.browser(), args=["--no-sandbox"])
        if is_recording:
            with drawing_page(browser, app.url) as (page, _):
                RECORD.write_text(json.dumps(record(page), indent=1) + "\n", encoding="utf-8")
        else:
            measure_all(browser, app, [strokes[:1] for strokes in list(STROKES.values())[:count]])
        browser.close()


if __name__ == "__main__":
    main()
