"""Opens pages and calls commands, and notes tracebacks and “Something went wrong”; limits of time and memory."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from streamlit.testing.v1 import AppTest

from mnist_core.__main__ import main
from pages.ui.shared import navigation, state
from tests.compatibility.test_older_files import RUN
from tests.faults.report import scale
from tests.pages.support import open_page, page_text

CASE_SECONDS = scale(short=60, long=600)
"""A page that takes longer waits for something that never comes. The long form may have few percent of a core."""
TRACEBACK = re.compile(r"Traceback|Something went wrong")
EXPLAIN_VIEWS = ("layers", "reasons", "mind", "growth", "learned", "neighbours", "beside")
EVALUATE_VIEWS = ("confusion", "worst", "spoilt", "scores", "sure", "other")
EXPORTS = ("csv", "svg", "png", "script", "zip", "keras", "tflite", "html")
"""Formats of which each case exports one."""


@dataclass
class Findings:
    """What went wrong, and the figures of the table."""

    cases: Counter[str] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    memory_mb: int = 0


class Visitor:
    """Opens pages and calls commands, and notes what they must not do."""

    def __init__(self, findings: Findings, caplog: pytest.LogCaptureFixture) -> None:
        self._findings, self._caplog = findings, caplog

    def page(self, what: str, page: str, **query: str) -> str:
        """Opens a page in a new session, and returns its text."""
        self._caplog.clear()
        self._findings.visits["pages"] += 1
        app = AppTest.from_file(str(navigation.APP), default_timeout=CASE_SECONDS)
        # Expert mode shows more, but opens a network that somebody built in the builder, not as a run
        app.session_state[state.EXPERT] = "run" not in query
        try:
            open_page(app, page, **query)
        except Exception as error:  # AppTest gave up
            self._findings.failed.append(f"{what}: {page} {query}: {type(error).__name__} {str(error)[:200]}")
            return ""
        text = page_text(app)
        if app.exception or TRACEBACK.search(text):
            self._findings.failed.append(f"{what}: {page} {query}: {self._last_error(app)}")
        return text

    def _last_error(self, app: AppTest) -> str:
        lines = [line for line in self._caplog.text.splitlines() if line.strip()]
        places = [line.strip() for line in lines if re.search(r'File ".*/(mnist_core|pages)/', line)]
        shown = [each.value for each in app.exception]
        return " | ".join([*places[-1:], *lines[-1:], *shown])[:600]

    def command(self, what: str, *arguments: str) -> str:
        """Calls a command, and returns what it printed."""
        self._findings.visits["commands"] += 1
        done = CliRunner().invoke(main, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            trace, places = done.exc_info[2] if done.exc_info else None, []
            while trace is not None:
                places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
                trace = trace.tb_next
            own = [place for place in places if "mnist_core" in place]
            self._findings.failed.append(f"{what}: {' '.join(arguments)}: {done.exception!r:.200} at {own[-1:]}")
        elif done.exit_code not in (0, 1, 2) or TRACEBACK.search(done.output):
            self._findings.failed.append(f"{what}: {' '.join(arguments)}: exit status {done.exit_code}")
        return done.stdout


def visit_lists(visitor: Visitor, what: str) -> None:
    """Pages and commands that show everything."""
    for page in navigation.PAGES:
        visitor.page(what, page)
    visitor.page(what, "pages/data.py", view="kept")
    for command in (["runs"], ["sweep", "show"]):
        visitor.command(what, *command)


def visit_one(visitor: Visitor, kind: str, damaged: str, number: int, what: str, folder: Path) -> None:
    """Pages and commands that show one run or sweep."""
    if kind == "sweep":
        visitor.page(what, "pages/sweep.py", sweep=damaged)
        visitor.command(what, "sweep", "show", damaged)
        visitor.command(what, "sweep", "show", damaged, "--json")
    elif "run" in kind or "trial" in kind:
        visitor.page(what, "pages/train.py", run=damaged)
        visitor.page(what, "pages/runs.py", compare=damaged if number % 2 else f"{damaged},{RUN}")
        if number % 3 == 0:
            visitor.page(what, "pages/draw.py", model=damaged)
            visitor.page(what, "pages/train.py", like=damaged)
        elif number % 3 == 1:
            visitor.page(what, "pages/explain.py", model=damaged, view=EXPLAIN_VIEWS[number // 3 % len(EXPLAIN_VIEWS)])
        else:
            visitor.page(
                what, "pages/evaluate.py", model=damaged, view=EVALUATE_VIEWS[number // 3 % len(EVALUATE_VIEWS)]
            )
        name = EXPORTS[number % len(EXPORTS)]
        visitor.command(what, "show", damaged)
        visitor.command(what, "show", damaged, "--json")
        visitor.command(what, "compare", damaged, RUN)
        visitor.command(what, "export", damaged, "--format", name, "--output", str(folder / f"{damaged}.{name}"))
        visitor.command(what, "classify", str(drawing(folder)), "--model", damaged)
        visitor.command(what, "delete", "--yes", damaged)
        visitor.command(what, "restore", damaged)


def drawing(folder: Path) -> Path:
    """A picture of a stroke, as a file in a folder."""
    path = folder / "drawing.png"
    if not path.exists():
        Image.fromarray(np.outer(np.hanning(24) * 255, np.hanning(20)).astype(np.uint8)).save(path)
    return path


@contextmanager
def time_limit(seconds: int, what: str) -> Iterator[None]:
    """Raises TimeoutError in what waits for a pipe or a device."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(what)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def memory_mb(key: str) -> int:
    """VmRSS or VmHWM, the highest VmRSS so far."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{key}:\s+(\d+) kB", status)
    return int(found[1]) // 1000 if found else 0


def forget_peak() -> None:
    """Sets VmHWM back to VmRSS."""
    Path("/proc/self/clear_refs").write_text("5")
