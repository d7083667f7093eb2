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
from mnist_core.errors import RunError
from mnist_core.jobs import slots
from mnist_core.jobs.backend import GRACE_SECONDS
from mnist_core.jobs.dispatcher import Dispatcher, record_stop
from mnist_core.jobs.lifecycle import WAITING_MESSAGE
from mnist_core.jobs.local_queue import LocalJob, LocalQueue
from mnist_core.jobs.other_runs import OtherRuns
from mnist_core.jobs.slots import Slots
from mnist_core.jobs.worker_pool import WorkerPool
from mnist_core.jobs.worker_process import AdoptedWorker
from mnist_core.processes import cpu_count
from mnist_core.runs import claims
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import FINAL_STATES

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
        pool: starts the workers; by default a WorkerPool.

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
        pool: WorkerPool | None = None,
    ) -> None:
        limit = running or max_running()
        threads = max(1, cpu_count() // limit)
        self._queue = LocalQueue(limit, queued or max_queued(), each or max_queued_each())
        self._pool = pool or WorkerPool(threads, warm_worker() if warm is None else warm, limit if stay else 0)
        self._slots = Slots(limit)
        self._dispatcher = Dispatcher(self._queue, self._pool, self._slots, grace)
        self._to_adopt: dict[Run, str] = {}  # with the last error that was logged
        self._other_runs = OtherRuns()
        self.lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
        self._thread.start()

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
            self._to_adopt |= {run: "" for run in runs if run.recorded_state not in FINAL_STATES}
            self._adopt_all()
        self._wake.set()

    def _adopt_all(self) -> None:
        """Adopts what was left behind, and keeps what cannot be adopted now, for example because the disk is full."""
        runs, self._to_adopt = self._to_adopt, {}
        for run, logged in runs.items():
            try:
                if not self.holds(run):
                    self._adopt(run)
            except (OSError, RunError) as error:
                if str(error) != logged:
                    log.warning("%s cannot be adopted yet: %s", run.id, error)
                self._to_adopt[run] = str(error)

    def _adopt(self, run: Run) -> None:
        with claims.claiming(run):  # another server may do the same
            status, left_in_queue = run.status(), run.left_in_queue()
            if status.host != socket.gethostname():
                return
            is_training = not status.final and status.pid != os.getpid() and status.state != "queued"
            # The second worker was started a moment before its server ended, and has not written its status yet.
            worker = status.pid if is_training else slots.training_process(run) if left_in_queue else 0
            if worker:
                with contextlib.suppress(psutil.Error):  # the worker has just ended
                    self._queue.add(LocalJob(run, AdoptedWorker(run, worker)))
                    self._slots.assign(run, worker)
            elif left_in_queue:
                claims.fence(run)  # in case a cluster has it as well
                write_stamped_status(run, replace(status, state="queued", message=WAITING_MESSAGE))
                self._queue.add(LocalJob(run))

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
        with self.lock:
            job = self._withdraw(run)
            if job is not None:
                job.stop_requested = job.stop_requested or time.monotonic()
        if not run.path.is_dir():
            return
        try:
            run.update_control(stop=True)
        except RunError:
            if job is None or job.worker is None:
                raise
            job.worker.terminate()  # a signal stops it just as well, and needs no space on a full disk

    def kill(self, run: Run) -> None:
        """See JobBackend."""
        with self.lock:
            job = self._withdraw(run)
            if job is not None and job.worker is not None:
                job.worker.kill()

    def _withdraw(self, run: Run) -> LocalJob | None:
        """Ends the run if it is queued; otherwise returns its job, if there is one."""
        job = self._queue.get(run)
        if job is None and run.path.is_dir():
            status = run.status()
            if (status.state, status.pid, status.host) == ("queued", os.getpid(), socket.gethostname()):
                job = LocalJob(run)  # queued by this process, but in no queue: whatever lost it, it can be stopped
                self._queue.add(job)
        if job is None or not job.queued:
            return job
        self._dispatcher.end(job, lambda: record_stop(run))
        return None

    def prepare(self) -> None:
        """See JobBackend."""
        self._pool.prepare()

    def close(self) -> None:
        """Stops serving the queue, as the end of this process would. Runs that train go on."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        with contextlib.suppress(OSError, RunError):
            self._slots.stop_waiting()  # the other processes of this machine would wait for this one

    # From here on: the backend's thread.

    def _serve(self) -> None:
        while not self._closed:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            self.update()

    def update(self) -> None:
        """Records which runs have ended, starts the next ones, and ends workers that ignore a request to stop."""
        steps = (
            self._adopt_all,
            self._dispatcher.collect_ended,
            self._dispatcher.enforce_stops,
            self._dispatcher.start_next,
            self._dispatcher.keep_alive,
            self._dispatcher.update_idle_workers,
        )
        with self.lock:
            for step in steps:
                try:
                    step()
                except Exception:
                    log.exception("The queue continues after an error")
