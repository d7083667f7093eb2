"""Waiting for a training or a sweep: a progress bar on stderr, and Ctrl-C as a request instead of an exit.

with on_signals(lambda: run.update_control(stop=True)):
    show_progress(lambda: process.poll() is None, run.status, describe)
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from mnist_core.errors import DigitLabError
from mnist_core.runs.status import Status

POLL_SECONDS = 0.2
BAR_STEPS = 1000
"""Resolution of the progress bar."""


@contextmanager
def on_signals(action: Callable[[], object]) -> Iterator[None]:
    """Within this context, Ctrl-C, SIGTERM and a closed terminal call `action` and end nothing.

    Signals that are ignored stay ignored, as `nohup` wants it. The action runs in a thread of its own, because it may
    have to wait for a lock that the interrupted code is about to take.
    """

    threads: list[threading.Thread] = []

    def act() -> None:
        try:
            action()
        except DigitLabError as error:
            click.echo(f"Error: {error}", err=True)

    def act_in_thread(*_: object) -> None:
        threads.append(threading.Thread(target=act))
        threads[-1].start()

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handled = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, act_in_thread) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for thread in threads:
            thread.join()


def show_progress(
    is_running: Callable[[], bool], read_status: Callable[[], Status], describe: Callable[[Status], str]
) -> None:
    """Draws a progress bar until the training or sweep has ended.

    Args:
        is_running: called every POLL_SECONDS.
        read_status: its `progress` moves the bar.
        describe: the text behind the bar.
    """

    def text(status: Status | None) -> str:
        return describe(status) if status else ""

    with click.progressbar(length=BAR_STEPS, file=sys.stderr, item_show_func=text, show_eta=False) as bar:
        running = True
        while running:
            running = is_running()  # before the status, so that the last status is the final one
            status = read_status()
            bar.update(int(BAR_STEPS * status.progress) - bar.pos, status)
            time.sleep(POLL_SECONDS if running else 0)


def time_left(status: Status) -> str:
    """`, 12 s left`; empty before there is an estimate."""
    return f", {status.seconds_left:.0f} s left" if status.seconds_left is not None else ""
