"""Requests to a running sweep: to pause or to stop."""

from __future__ import annotations

import signal
import threading

from mnist_core.sweeps.store import Sweep


class SweepControl:
    """What the user requests of the running sweep: by control.json, or by a signal, which pauses it."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep, self._signaled = sweep, threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._signaled.set())

    @property
    def pause(self) -> bool:
        """Whether the sweep should pause."""
        return self._signaled.is_set() or self._sweep.files.control().get("paused") is True

    @property
    def stop(self) -> bool:
        """Whether the sweep should stop."""
        return self._sweep.files.control().get("stop") is True
