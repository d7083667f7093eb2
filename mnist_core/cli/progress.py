"""While something long goes on: a progress bar on standard error, and Ctrl-C and its like as a wish.

with signals_ask(lambda: run.update_control(stop=True)):
    watch(lambda: process.poll() is None, run.status, line)
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from mnist_core.runs.status import Status

POLL_SECONDS = 0.2
PARTS = 1000  # of the bar


@contextmanager
def signals_ask(wish: Callable[[], object]) -> Iterator[None]:
    """Meanwhile Ctrl-C, SIGTERM and a terminal that is closed do this, and end nothing."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # as with nohup
    before = {number: signal.signal(number, lambda *_: wish()) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(goes_on: Callable[[], bool], status: Callable[[], Status], line: Callable[[Status], str]) -> None:
    """Draws the bar until it goes on no more.

    Args:
        goes_on: asked five times a second.
        status: how it stands.
        line: what is written behind the bar.
    """

    def shown(last: Status | None) -> str:
        return line(last) if last else ""

    with click.progressbar(length=PARTS, file=sys.stderr, item_show_func=shown, show_eta=False) as bar:
        going = True
        while going:
            going = goes_on()  # the last look is one at how it ended
            now = status()
            bar.update(int(PARTS * now.progress) - bar.pos, now)
            time.sleep(POLL_SECONDS if going else 0)
