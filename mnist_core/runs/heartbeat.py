"""Writes a run's status when it changes, and once a second as a sign that its worker is alive."""

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
    """Holds the status of the run that this process trains, and writes it.

    Attributes:
        status: as it was last written.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._lock, self._stopped = run, threading.Lock(), threading.Event()
        self.status = Status()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def update(self, **changes: Any) -> None:
        """Changes fields of the status and writes it. Exits the process if the run was given to another worker."""
        if claims.claim_lost(self._run):  # from here on, every byte in the run's folder is the other worker's
            os._exit(claims.EXIT_STATUS)
        with self._lock:
            self.status = stamp_status(replace(self.status, **changes))
            self._run.write_status(self.status)

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # the disk may be full for a moment; if it stays full, the training fails itself
                self.update()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Writes the status once a second inside the `with` block."""
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()
