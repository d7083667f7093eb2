"""Starts the real app in its own process and draws on it, for the other benchmarks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit, render_strokes
from mnist_core.errors import DataError
from mnist_core.handwriting import digit_forms
from mnist_core.handwriting.pen_digits import load_pen_digits, split_writers
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 60
SIDE, BRUSH, SIZE = 280, 20, 168  # pixels: of the canvas, of its brush, and of a digit as most people draw it
SURE = 0.95
"""Confidence in a digit that a browser draws: the prediction must not depend on how the browser smooths its edges."""


@dataclass(frozen=True)
class App:
    """The app as its users start it. process: of the server. runs: the folder of its runs. log: what it printed."""

    url: str
    process: psutil.Process
    runs: Path
    log: Path


@contextmanager
def app(script: str = "app.py", **settings: str) -> Iterator[App]:
    """Starts the app, or another script, with runs in a temporary folder. `settings`: environment variables for it."""
    with tempfile.TemporaryDirectory() as folder:
        runs = str(Path(folder) / "runs")
        with serving(Path(folder), {**os.environ, "DIGITLAB_RUNS": runs, **settings}, script) as started:
            yield started


@contextmanager
def serving(home: Path, environment: Mapping[str, str], script: str = "app.py") -> Iterator[App]:
    """Starts the app on a free port, and ends it with all its workers. The browser tests use this too.

    It may not listen yet when this returns: see `wait_healthy`.

    Args:
        home: where its output goes, to app.log, and where its runs are.
        environment: of its process, with DIGITLAB_RUNS as `runs` in there.
        script: what Streamlit runs.
    """
    port, log = free_port(), home / "app.log"
    options = ("--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", script, *options],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield App(f"http://127.0.0.1:{port}", psutil.Process(process.pid), home / "runs", log)
    finally:
        _end(process)


def free_port() -> int:
    """A free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_healthy(started: App) -> None:
    """Waits for the health check to succeed. Raises RuntimeError with the app's output if it never does."""
    deadline = time.monotonic() + START_SECONDS
    while not _healthy(started.url):
        if started.process.status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:  # ended, not yet waited for
            raise RuntimeError(f"The app did not start:\n{started.log.read_text(errors='replace')}")
        time.sleep(0.02)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """The app, and the workers it started: those live in sessions of their own and would train on."""
    workers = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for worker in workers:
        if worker.is_running():
            worker.kill()
    psutil.wait_procs(workers, timeout=10)


def executable() -> str | None:
    """The system's Chromium; None if it is not installed."""
    known = Path("/usr/bin/chromium")
    return str(known) if known.is_file() else next(filter(None, map(shutil.which, BROWSERS)), None)


def browser() -> str:
    """The system's Chromium. Raises RuntimeError if it is not installed."""
    found = executable()
    if found is None:
        raise RuntimeError(f"There is no Chromium: looked for /usr/bin/chromium and, on PATH, {', '.join(BROWSERS)}.")
    return found


def digits(count: int) -> list[PenDigit]:
    """Pen digits by writers that no model has seen; generated ones if there are none."""
    try:
        _, kept = split_writers(load_pen_digits())
    except DataError:
        kept = ()
    if len(kept) >= count:
        return list(kept[:count])
    generator = np.random.default_rng(0)
    return [digit_forms.generate_digit(generator) for _ in range(count)]


def plain_digits(count: int) -> list[PenDigit]:
    """Generated one-stroke digits with a confident prediction of the shipped model, 0 to 9 in turn."""
    generator, classifier, found = np.random.default_rng(0), Classifier(DEFAULT_MODEL), list[PenDigit]()
    wanted = (0, 1, 2, 3, 6, 7, 8, 9)  # a 4 and a 5 are seldom drawn in one stroke
    while len(found) < count:
        digit = digit_forms.generate_digit(generator, wanted[len(found) % len(wanted)])
        if len(digit.strokes) > 1:
            continue
        drawn = (np.array(path(digit), np.float32),)  # as a browser draws it: fewer points than the stroke
        reading = classifier.predict(normalize_drawing(render_strokes(drawn, BRUSH, SIZE), BRUSH).image)
        if reading.digit == digit.label and reading.confidence > SURE:
            found.append(digit)
    return found


def path(digit: PenDigit) -> list[tuple[float, float]]:
    """Where a pen of one stroke goes on the canvas, in its pixels; 16 points at most."""
    (stroke,) = digit.strokes
    low, high = stroke.min(axis=0), stroke.max(axis=0)
    points = (stroke - (low + high) / 2) * SIZE / float((high - low).max()) + SIDE / 2
    kept = np.linspace(0, len(points) - 1, min(len(points), 16)).round().astype(int)
    return [(float(x), float(y)) for x, y in points[kept]]
