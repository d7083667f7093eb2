"""Counts the runs that other processes train on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection

from mnist_core.config import runs_dir
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs

RECOUNT_SECONDS = 0.5
"""A count is reused for this long."""


class OtherRuns:
    """Counts runs in RUNS_DIR that use this machine's cores. Runs that have ended are read only once."""

    def __init__(self) -> None:
        self._ended: dict[str, int] = {}  # run id -> when its status was written, in nanoseconds
        self._counted_at, self._count = -RECOUNT_SECONDS, 0

    def count(self, exclude: Collection[str]) -> int:
        """Returns how many runs are training, or wait for their turn, on this machine. Paused runs do not count.

        Args:
            exclude: ids of runs that do not count.
        """
        if time.monotonic() - self._counted_at >= RECOUNT_SECONDS:
            self._count = sum(self._uses_cores(run) for run in list_runs(runs_dir()) if run.id not in exclude)
            self._counted_at = time.monotonic()
        return self._count

    def _uses_cores(self, run: Run) -> bool:
        try:
            written = (run.path / "status.json").stat().st_mtime_ns
        except OSError:
            return False
        if self._ended.get(run.id) == written:
            return False
        status = run.status()
        if status.final:
            self._ended[run.id] = written
        return not status.final and status.host == socket.gethostname() and status.state != "paused"
