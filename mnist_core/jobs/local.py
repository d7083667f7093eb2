"""The job backend for this machine: a queue, and a worker process for each run.

A thread of its own starts and watches the workers. It is not a pool of `concurrent.futures`, because the interpreter
waits for such a pool when it ends: Ctrl-C on the server would wait until every queued run had been trained.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import replace

import psutil

from mnist_core.config import max_queued, max_queued_each, max_running, warm_worker
from mnist_core.jobs.backend import GRACE_SECONDS
from mnist_core.jobs.lifecycle import WAITING_MESSAGE, conclude_run
from mnist_core.jobs.local_queue import LocalJob, LocalQueue
from mnist_core.jobs.other_runs import OtherRuns
from mnist_core.jobs.worker_pool import WorkerPool
from mnist_core.jobs.worker_process import AdoptedWorker
from mnist_core.processes import cpu_count
from mnist_core.runs import claims
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import Status

POLL_SECONDS = 0.2
"""How often the workers are checked."""

log = logging.getLogger("digitlab.jobs")


class LocalBackend:
    """A JobBackend with a bounded, fair queue on this machine.

    The next turn goes to the owner with the fewest workers, and among equals to the one whose last turn is longest
    ago, so a person who queues ten runs keeps nobody waiting. Runs without an owner count as one owner's.

    Args:
        running: runs that train at the same time; by default DIGITLAB_MAX_RUNNING.
        queued: runs that may be queued; by default DIGITLAB_MAX_QUEUED.
        grace: seconds from a request to stop until SIGTERM, and from there until SIGKILL.
        each: runs of one owner that may be queued; by default DIGITLAB_MAX_QUEUED_EACH.
        warm: whether a worker is kept ready; by default DIGITLAB_WARM.
        stay: whether workers are persistent, as a sweep wants them: see `persistent_worker`.

    Attributes:
        lock: protects the queue. Hold it to make several calls without a worker being started in between.
    """

    def __init__(
        self,
        running: int | None = None,
        queued: int | None = None,
        grace: float = GRACE_SECONDS,
        each: int | None = None,
        warm: bool | None = None,
        stay: bool = False,
    ) -> None:
        slots = running or max_running()
        threads = max(1, cpu_count() // slots)
        self._grace = grace
        self._queue = LocalQueue(slots, queued or max_queued(), each or max_queued_each())
        self._pool = WorkerPool(threads, warm_worker() if warm is None else warm, slots if stay else 0)
        self._other_runs = OtherRuns()
        self.lock = threading.RLock()
        self._wake = threading.Event()
        threading.Thread(target=self._serve, name="jobs", daemon=True).start()

    @property
    def slots(self) -> int:
        """See JobBackend."""
        return self._queue.slots

    @property
    def trouble(self) -> str:
        """Empty: this machine is always available."""
        return ""

    @property
    def crowded_message(self) -> str:
        """See JobBackend."""
        return "Waiting: runs that others train on this machine go first."

    def room(self) -> bool:
        """See JobBackend. The runs of other processes on this machine count as well."""
        with self.lock:
            own = self._queue.run_ids()
        return len(own) < self.slots and len(own) + self._other_runs.count(exclude=own) < self.slots

    def holds(self, run: Run) -> bool:
        """See JobBackend."""
        with self.lock:
            return self._queue.get(run) is not None

    def adopt(self, runs: Iterable[Run]) -> None:
        """See JobBackend. Runs of other machines are ignored."""
        with self.lock:
            for run in runs:
                if not self.holds(run):
                    self._adopt(run)
        self._wake.set()

    def _adopt(self, run: Run) -> None:
        status = run.status()
        if status.host != socket.gethostname():
            return
        if run.left_in_queue():
            claims.fence(run)  # in case a cluster has it as well
            write_stamped_status(run, replace(status, state="queued", message=WAITING_MESSAGE))
            self._queue.add(LocalJob(run))
        elif not status.final and status.pid != os.getpid() and status.state != "queued":
            with contextlib.suppress(psutil.Error):  # the worker has just ended
                self._queue.add(LocalJob(run, AdoptedWorker(status)))

    def submit(self, run: Run) -> None:
        """See JobBackend."""
        with self.lock:
            self._queue.submit(LocalJob(run))
        self._wake.set()

    def position(self, run: Run) -> int:
        """See JobBackend."""
        with self.lock:
            return self._queue.position(run)

    def ahead(self, run: Run) -> list[Run]:
        """See JobBackend."""
        with self.lock:
            return self._queue.ahead(run)

    def request_stop(self, run: Run) -> None:
        """See JobBackend."""
        if run.path.is_dir():
            run.update_control(stop=True)
        with self.lock:
            job = self._queue.get(run)
            if job is None:
                return
            if job.worker is None:
                self._withdraw(job)
            else:
                job.stop_requested = job.stop_requested or time.monotonic()

    def kill(self, run: Run) -> None:
        """See JobBackend."""
        with self.lock:
            job = self._queue.get(run)
            if job is None:
                return
            if job.worker is None:
                self._withdraw(job)
            else:
                job.worker.kill()

    def _withdraw(self, job: LocalJob) -> None:
        self._queue.remove(job)
        status = replace(job.run.status(), state="stopped", message="Stopped before its turn came.")
        write_stamped_status(job.run, status)

    def prepare(self) -> None:
        """See JobBackend."""
        self._pool.prepare()

    # From here on: the backend's thread.

    def _serve(self) -> None:
        while True:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            with self.lock:
                try:
                    self._collect_ended()
                    self._enforce_stops()
                    self._start_next()
                    self._pool.update_warm_worker(
                        training=bool(self._queue.training()), waiting=bool(self._queue.turns())
                    )
                except OSError:  # a full disk, or a folder that was deleted just now: the other runs continue
                    log.exception("A run's files could not be written")

    def _collect_ended(self) -> None:
        for job, worker in self._queue.training():
            if worker.poll() is not None:
                self._queue.remove(job)
                conclude_run(job.run, worker.returncode)

    def _enforce_stops(self) -> None:
        """Sends SIGTERM, then SIGKILL, to workers that have ignored a request to stop."""
        for job, worker in self._queue.training():
            if job.stop_requested is None:
                continue
            waited = time.monotonic() - job.stop_requested
            if waited > 2 * self._grace:
                worker.kill()
            elif waited > self._grace and not job.terminated:
                worker.terminate()
                job.terminated = True

    def _start_next(self) -> None:
        for job in self._queue.turns()[: self._queue.free_slots()]:
            self._queue.record_turn(job)
            in_use = [worker for _, worker in self._queue.training()]
            try:
                job.worker = self._pool.start(job.run, in_use)
            except OSError as error:  # the folder was deleted, or the machine takes no more processes
                self._queue.remove(job)
                write_stamped_status(job.run, Status("failed", f"The worker could not be started: {error}."))
