"""A worker's sign of life: the run's status, written when it changes and once a second besides."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from mnist_core.runs import claims
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status, stamp_status

HEARTBEAT_SECONDS = 1.0


class Heartbeat:
    """The run's status, written by one thread at a time."""

    def __init__(self, run: Run) -> None:
        self._run, self._lock, self._stopped = run, threading.Lock(), threading.Event()
        self.status = Status()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def update(self, **changes: Any) -> None:
        """Changes the status and writes it. Ends the process where its run has been given to another: see `claims`."""
        if claims.claim_lost(self._run):  # not one byte more into what is another's
            os._exit(claims.EXIT_STATUS)
        with self._lock:
            self.status = stamp_status(replace(self.status, **changes))
            self._run.write_status(self.status)

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # a disk that is full for a moment; if it stays so, the training itself finds out
                self.update()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beats while open."""
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()
