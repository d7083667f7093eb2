"""A class on one server: sessions that draw, trainings, and viewers who watch them live.

    python benchmarks/load.py [--minutes 3] [--drawing 50] [--training 4] [--watching 10] [--closed 200]

Every session speaks the websocket protocol of Streamlit (`streamlit_client`): no browser takes the cores. Each of
the drawings is first drawn by a session alone; under load every session must get exactly that answer, or it counts as
an answer to the wrong session. In the end it measures what the server does for one stroke while nothing trains, and how
much memory is left of sessions that drew and were closed. The peer is a Streamlit page with nothing but a canvas.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import click
import live
import numpy as np
import results
from answering import canvas_value
from streamlit_client import ServerError, Tab

from mnist_core.owners import Visitor, new_token, read_owner
from mnist_core.runs.store import list_runs
from pages.ui.shared import state

DRAWINGS = 40
PAUSE_SECONDS = 3.0
"""Between two drawings of one person, on average."""
VISIT_DRAWINGS = 20
"""After this many drawings on average a person leaves and another one comes."""
STROKE_SECONDS = 30
FORGET_SECONDS = 150
"""Streamlit keeps a closed session for two minutes in case the browser returns."""
ANSWER = "data-digit"

Answers = list[tuple[dict[str, Any], str]]
"""What the canvas sends, and the HTML with which the page answers."""


@dataclass
class Tally:
    """What happened. seconds: of each drawing, from sending it to the end of the rerun. live: of each live rerun."""

    seconds: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    sessions: int = 0
    trained: int = 0
    wrong: int = 0
    errors: list[str] = field(default_factory=list)


async def answers(url: str, count: int, page: str = "draw") -> Answers:
    """Draws each drawing in a session alone, twice: the answer may depend on nothing else."""
    values = [canvas_value(digit) for digit in live.digits(count)]
    found: list[Answers] = []
    for _ in range(2):
        async with Tab.open(url, page) as tab:
            found.append([(value, await _draw(tab, value)) for value in values])
    if found[0] != found[1]:
        raise RuntimeError("The same drawing got two different answers from a server without load.")
    return found[0]


async def _draw(tab: Tab, value: dict[str, Any]) -> str:
    await tab.set_canvas(state.CANVAS, value)
    return re.sub(r"\d+(\.\d+)? ms", "", tab.html(ANSWER))  # the time of the prediction may differ


async def draw(url: str, known: Answers, tally: Tally, deadline: float) -> None:
    """People at one device: each draws a while and leaves."""
    while time.monotonic() < deadline:
        async with Tab.open(url, "draw", owner=new_token()) as tab:
            tally.sessions += 1
            while time.monotonic() < deadline:
                await asyncio.sleep(random.expovariate(1 / PAUSE_SECONDS))
                value, expected = random.choice(known)
                answer = await _draw(tab, value)
                tally.seconds.append(tab.seconds)
                tally.wrong += answer != expected
                if random.random() < 1 / VISIT_DRAWINGS:
                    break


async def train(app: live.App, tally: Tally, deadline: float) -> None:
    """Someone who trains, waits for the end, and trains again."""
    person, known = Visitor(new_token()), set[str]()
    while time.monotonic() < deadline:
        async with Tab.open(app.url, "train", owner=person.token) as tab:
            tally.sessions += 1
            await tab.press("train")
            mine = [run for run in list_runs(app.runs) if read_owner(run.path) == person.owner and run.id not in known]
            if not mine:
                raise ServerError("the Train page started no training")
            run = mine[0]
            known.add(run.id)
            while time.monotonic() < deadline and not run.status().final:
                tally.live += await tab.watch(2)
            tally.trained += run.status().state == "finished"
            if run.status().state == "failed":
                tally.errors.append(f"{run.id}: {run.status().message}")


async def watch(app: live.App, tally: Tally, deadline: float) -> None:
    """Someone who watches the newest run."""
    while time.monotonic() < deadline:
        runs = list_runs(app.runs)
        if not runs:
            await asyncio.sleep(1)
            continue
        async with Tab.open(app.url, "train", f"run={max(run.id for run in runs)}") as tab:
            tally.sessions += 1
            tally.live += await tab.watch(15)
            await asyncio.sleep(1)


async def crowd(tally: Tally, deadline: float, *people: Callable[[], Awaitable[None]]) -> None:
    """Everybody at once. Who gets an error comes again."""

    async def person(act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(random.uniform(0, 5))
        while time.monotonic() < deadline:
            try:
                await act()
            except ServerError as error:
                tally.errors.append(str(error))
                await asyncio.sleep(1)

    await asyncio.gather(*map(person, people))


async def work_per_stroke(app: live.App, known: Answers, sessions: int, tally: Tally, page: str = "draw") -> float:
    """Seconds of CPU time that the server spends on one stroke of sessions that are open already."""
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(Tab.open(app.url, page)) for _ in range(sessions)]
        strokes, before, deadline = 0, _cpu_seconds(app), time.monotonic() + STROKE_SECONDS

        async def person(tab: Tab) -> None:
            nonlocal strokes
            while time.monotonic() < deadline:
                await asyncio.sleep(random.expovariate(1 / PAUSE_SECONDS))
                value, expected = random.choice(known)
                tally.wrong += await _draw(tab, value) != expected
                strokes += 1

        await asyncio.gather(*map(person, tabs))
        return (_cpu_seconds(app) - before) / strokes


async def work_on_peer(peer: live.App, sessions: int) -> float:
    """Seconds of CPU time that Streamlit spends on one stroke when the page does nothing with it."""
    known = await answers(peer.url, DRAWINGS, page="")
    return await work_per_stroke(peer, known, sessions, Tally(), page="")


def _cpu_seconds(app: live.App) -> float:
    times = app.process.cpu_times()
    return float(times.user + times.system)


async def memory_left(app: live.App, known: Answers, count: int, tally: Tally) -> float:
    """Megabytes that the server keeps of each closed session.

    The first half of the sessions fills what the server keeps once, whatever the number of sessions.
    """

    async def visit() -> None:
        try:
            async with Tab.open(app.url, "draw", owner=new_token()) as tab:
                for value, _ in random.sample(known, 3):
                    await _draw(tab, value)
        except ServerError as error:
            tally.errors.append(str(error))

    sizes = []
    for _ in range(2):
        for _ in range(count // 5):
            await asyncio.gather(*(visit() for _ in range(5)))
        await asyncio.sleep(FORGET_SECONDS)
        await visit()  # Streamlit forgets expired sessions when another one comes
        sizes.append(app.process.memory_info().rss / 1e6)
    return (sizes[1] - sizes[0]) / count


async def measure(app: live.App, minutes: float, drawing: int, training: int, watching: int, closed: int) -> Tally:
    """Prints every figure. Returns what happened under load."""
    known, tally = await answers(app.url, DRAWINGS), Tally()
    deadline = time.monotonic() + 60 * minutes
    await crowd(
        tally,
        deadline,
        *[lambda: draw(app.url, known, tally, deadline)] * drawing,
        *[lambda: train(app, tally, deadline)] * training,
        *[lambda: watch(app, tally, deadline)] * watching,
    )
    for run in list_runs(app.runs):
        run.update_control(stop=True)
    while not all(run.status().final for run in list_runs(app.runs)):
        await asyncio.sleep(0.5)
    who = f"{drawing} sessions draw, {training} trainings, {watching} viewers, {minutes:g} minutes"
    seconds = sorted(tally.seconds)
    results.figure(f"{who}: errors", [len(tally.errors)], "errors", "≤ 0")
    results.figure(f"{who}: answers to the wrong session", [tally.wrong], "answers", "≤ 0")
    results.figure(f"{who}: answer, 95th percentile", [float(np.percentile(seconds, 95))], "s", "≤ 1")
    results.figure(f"{who}: answer, median", [statistics.median(seconds)], "s")
    if tally.live:
        results.figure(f"{who}: live update, 95th percentile", [float(np.percentile(tally.live, 95))], "s")

    work = [1000 * await work_per_stroke(app, known, drawing, tally) for _ in range(3)]
    results.figure(f"{drawing} sessions draw, nothing trains: work of the server per stroke", work, "ms", "≤ 6")
    if closed:
        left = await memory_left(app, known, closed, tally)
        results.figure(f"memory left of a closed session, mean of {closed}", [left], "MB", "≤ 1")
    return tally


@click.command()
@click.option("--minutes", default=3.0, show_default=True)
@click.option("--drawing", default=50, show_default=True, help="Sessions that draw.")
@click.option("--training", default=4, show_default=True, help="People who train.")
@click.option("--watching", default=10, show_default=True, help="People who watch a run.")
@click.option("--closed", default=200, show_default=True, help="Sessions to open and close, for the memory left.")
def main(minutes: float, drawing: int, training: int, watching: int, closed: int) -> None:
    """Prints the figures, then the errors."""
    with live.app(DIGITLAB_MAX_RUNNING=str(max(1, training))) as app:
        live.wait_healthy(app)
        tally = asyncio.run(measure(app, minutes, drawing, training, watching, closed))
        log = app.log.read_text(errors="replace")
    with live.app("benchmarks/peers/bare_canvas.py") as peer:
        live.wait_healthy(peer)
        bare = [1000 * asyncio.run(work_on_peer(peer, drawing)) for _ in range(3)]
    results.figure(f"{drawing} sessions draw on a bare canvas: work of Streamlit per stroke", bare, "ms")
    print(
        f"{len(tally.seconds):,} drawings, {len(tally.live):,} live updates, {tally.sessions:,} sessions, "
        f"{tally.trained} trainings finished, {log.count('Traceback')} tracebacks in the server's log"
    )
    for error in sorted(set(tally.errors)):
        print(f"{tally.errors.count(error)} × {error}")
    if tally.errors or "Traceback" in log:
        print(log[-20_000:])


if __name__ == "__main__":
    main()
