"""Chooses the process that trains the next run: a persistent worker, one that is warm, or a new one."""

from __future__ import annotations

import subprocess  # noqa: S404 - the type of a worker
import time
from collections.abc import Collection

from mnist_core.jobs.persistent_worker import Assignment, PersistentWorker
from mnist_core.jobs.worker_process import AdoptedWorker, WarmWorker, start_worker
from mnist_core.runs.run import Run

WARM_SECONDS = 900.0
"""How long a warm worker is kept after somebody was last about to start a run."""

Worker = subprocess.Popen[bytes] | AdoptedWorker | Assignment
"""The process that trains one run, or what stands for it: `pid`, `poll`, `returncode`, `terminate`, `kill`."""


class WorkerPool:
    """Starts workers, and keeps some of them loaded. Not thread-safe: the backend's thread uses it.

    Args:
        threads: cores of each worker.
        warm: whether a worker with TensorFlow loaded is kept ready while somebody may need it.
        persistent: how many workers train one run after another; 0 for a process per run.
    """

    def __init__(self, threads: int, warm: bool, persistent: int = 0) -> None:
        self._threads, self._warm = threads, warm
        self._warm_worker: WarmWorker | None = None
        self._persistent_workers = [PersistentWorker(threads) for _ in range(persistent)]
        self._wanted_until = 0.0  # monotonic seconds

    def prepare(self) -> None:
        """Announces that a warm worker may soon be needed."""
        self._wanted_until = time.monotonic() + WARM_SECONDS

    def start(self, run: Run, in_use: Collection[Worker]) -> Worker:
        """Has a worker train the run.

        Args:
            run: to train.
            in_use: the workers of the runs that are training.

        Raises:
            OSError: the machine takes no more processes, or the run's folder was deleted.
        """
        busy = [worker.worker for worker in in_use if isinstance(worker, Assignment)]
        idle = next((worker for worker in self._persistent_workers if worker not in busy), None)
        if idle is not None:
            return idle.take(run)
        warm_worker, self._warm_worker = self._warm_worker, None
        process = warm_worker.take(run) if warm_worker is not None else None
        return process or start_worker(run, self._threads)

    def update_idle_workers(self, *, training: bool, waiting: bool) -> None:
        """Loads a warm worker if one is needed; ends it, and persistent ones, when they no longer are.

        Args:
            training: whether a run is training; loading TensorFlow would slow it down.
            waiting: whether a run is queued; it will need the worker in any case.
        """
        wanted = time.monotonic() < self._wanted_until
        if self._warm_worker is None and self._warm and (waiting or (wanted and not training)):
            self._warm_worker = WarmWorker(self._threads)
        elif self._warm_worker is not None and not ((self._warm and wanted) or waiting):
            self._warm_worker.end()
            self._warm_worker = None
        for worker in self._persistent_workers:
            worker.end_if_idle()
