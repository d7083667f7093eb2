"""Who trains a run, and when. A JobBackend takes run directories; the local one starts a worker process for each.

Its queue is a thread of our own and not a `concurrent.futures` pool: a pool is joined when the interpreter ends, so
that Ctrl-C on the server would wait for every queued run to be trained first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess  # noqa: S404 - the type of a worker
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import psutil

from mnist_core import owners
from mnist_core.config import max_queued, max_queued_each, max_running, warm_worker
from mnist_core.jobs.backend import GRACE_SECONDS
from mnist_core.jobs.fair_queue import next_turns
from mnist_core.jobs.lifecycle import check_queue_limits, conclude_run
from mnist_core.jobs.other_runs import OtherRuns
from mnist_core.jobs.persistent_worker import Assignment, PersistentWorker
from mnist_core.jobs.worker_process import AdoptedWorker, WarmWorker, start_worker
from mnist_core.processes import cpu_count
from mnist_core.runs import claims
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import Status, stamp_status

WARM_SECONDS = 900.0
"""How long a worker is kept ready after somebody has last been where runs are started."""
POLL_SECONDS = 0.2

log = logging.getLogger("digitlab.jobs")


@dataclass
class _Job:
    run: Run
    process: subprocess.Popen[bytes] | AdoptedWorker | Assignment | None = None
    stop_asked: float | None = None  # monotonic seconds
    terminated: bool = field(default=False)
    owner: str = field(init=False)

    def __post_init__(self) -> None:
        self.owner = owners.read_owner(self.run.path)  # once: the folder may be deleted while it waits


class LocalBackend:
    """A bounded queue on this machine: so many workers at once, the rest wait their turn.

    The turn goes to the owner with the fewest workers, among those to the one whose last turn is longest ago: who
    queues ten runs keeps nobody waiting. Runs without an owner have one together.

    Args:
        running: workers at once; DIGITLAB_MAX_RUNNING where it is not given.
        queued: how many may wait; DIGITLAB_MAX_QUEUED where it is not given.
        grace: seconds between asking, SIGTERM and SIGKILL.
        each: how many of one owner may wait; DIGITLAB_MAX_QUEUED_EACH where it is not given.
        warm: whether a worker is kept ready; as DIGITLAB_WARM says where it is not given.
        stay: whether its workers train one run after another, as those of a sweep do: see `steady`.
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
        self._running = running or max_running()
        self._queued = queued or max_queued()
        self._each = each or max_queued_each()
        self._grace = grace
        self._other_runs = OtherRuns()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()  # in order of submission; ended ones are taken out
        self._warm = warm_worker() if warm is None else warm
        self._waiting_worker: WarmWorker | None = None
        self._steady = [PersistentWorker(self._threads) for _ in range(self._running)] if stay else []
        self._wanted_until = 0.0  # monotonic seconds
        self._served: dict[str, int] = {}  # owner -> the number of the last turn it had
        self._lock = threading.RLock()
        self._wake = threading.Event()
        threading.Thread(target=self._serve, name="jobs", daemon=True).start()

    @property
    def slots(self) -> int:
        return self._running

    @property
    def trouble(self) -> str:
        """Empty: this machine is always there."""
        return ""

    @property
    def crowded_message(self) -> str:
        return "Waits while others train on this machine: they go first."

    def room(self) -> bool:
        with self._lock:
            own = set(self._jobs)
        return len(own) < self._running and len(own) + self._other_runs.count(exclude=own) < self._running

    def holds(self, run: Run) -> bool:
        with self._lock:
            return run.id in self._jobs

    def adopt(self, runs: Iterable[Run]) -> None:
        """Takes over what an earlier server on this machine left: workers that still run, runs that still wait.

        Args:
            runs: in the order of their making.
        """
        with self._lock:
            for run in runs:
                status = run.status()
                if run.id in self._jobs or status.host != socket.gethostname():
                    continue
                if status.final:
                    if run.left_in_queue():
                        claims.fence(run)  # should a cluster still have it, too
                        run.write_status(stamp_status(replace(status, state="queued", message="Waiting for its turn.")))
                        self._jobs[run.id] = _Job(run)
                elif status.pid != os.getpid() and status.state != "queued":
                    with contextlib.suppress(psutil.Error):  # it has ended this moment
                        self._jobs[run.id] = _Job(run, AdoptedWorker(status))
        self._wake.set()

    def submit(self, run: Run) -> None:
        with self._lock:
            job = _Job(run)
            self._refuse_too_many(job)
            self._jobs[run.id] = job
        self._wake.set()

    def _refuse_too_many(self, job: _Job) -> None:
        """Those count that would wait still when every free place is taken."""
        waiting = [other.owner for other in self._turns([job])[self._free() :]]
        check_queue_limits(waiting, job.owner, self._queued, self._each)

    def _started(self) -> list[_Job]:
        return [job for job in self._jobs.values() if job.process is not None]

    def _free(self) -> int:
        return max(0, self._running - len(self._started()))

    def _turns(self, more: Sequence[_Job] = ()) -> list[_Job]:
        """The waiting jobs, those of `more` submitted last, in the order in which they will be started."""
        waiting = [job for job in self._jobs.values() if job.process is None] + list(more)
        running = Counter(job.owner for job in self._started())
        return [waiting[index] for index in next_turns([job.owner for job in waiting], running, self._served)]

    def request_stop(self, run: Run) -> None:
        if run.path.is_dir():
            run.update_control(stop=True)
        with self._lock:
            job = self._jobs.get(run.id)
            if job is not None and job.process is None:
                self._withdraw(run)
            elif job is not None:
                job.stop_asked = job.stop_asked or time.monotonic()

    def kill(self, run: Run) -> None:
        with self._lock:
            job = self._jobs.get(run.id)
            if job is not None and job.process is None:
                self._withdraw(run)
            elif job is not None and job.process is not None:
                job.process.kill()

    def _withdraw(self, run: Run) -> None:
        del self._jobs[run.id]
        write_stamped_status(run, replace(run.status(), state="stopped", message="Stopped before its turn came."))

    def position(self, run: Run) -> int:
        with self._lock:
            waiting = [job.run.id for job in self._turns()]
        return waiting.index(run.id) + 1 if run.id in waiting else 0

    def prepare(self) -> None:
        self._wanted_until = time.monotonic() + WARM_SECONDS

    def _serve(self) -> None:
        while True:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            with self._lock:
                try:
                    self._reap()
                    self._escalate()
                    self._start_next()
                    self._keep_warm()
                except OSError:  # a full disk, a folder deleted just now: the other runs go on
                    log.exception("A run's files could not be written")

    def _reap(self) -> None:
        for run_id, job in list(self._jobs.items()):
            if job.process is not None and job.process.poll() is not None:
                del self._jobs[run_id]
                conclude_run(job.run, job.process.returncode)

    def _escalate(self) -> None:
        for job in self._jobs.values():
            if job.process is None or job.stop_asked is None:
                continue
            waited = time.monotonic() - job.stop_asked
            if waited > 2 * self._grace:
                job.process.kill()
            elif waited > self._grace and not job.terminated:
                job.process.terminate()
                job.terminated = True

    def _start_next(self) -> None:
        for job in self._turns()[: self._free()]:
            self._served[job.owner] = max(self._served.values(), default=0) + 1
            try:
                job.process = self._take(job.run)
            except OSError as error:  # the directory was deleted, or the machine takes no more processes
                del self._jobs[job.run.id]
                write_stamped_status(job.run, Status("failed", f"The worker could not be started: {error}."))

    def _take(self, run: Run) -> subprocess.Popen[bytes] | Assignment:
        """The process that trains it."""
        busy = [job.process.worker for job in self._started() if isinstance(job.process, Assignment)]
        idle = next((worker for worker in self._steady if worker not in busy), None)
        return idle.take(run) if idle else self._take_warm(run) or start_worker(run, self._threads)

    @property
    def _threads(self) -> int:
        """Cores of each worker."""
        return max(1, cpu_count() // self._running)

    def _take_warm(self, run: Run) -> subprocess.Popen[bytes] | None:
        worker, self._waiting_worker = self._waiting_worker, None
        return worker.take(run) if worker is not None else None

    def _keep_warm(self) -> None:
        """Loads a worker where nothing trains, which it would slow down, or where a run waits for its turn anyway."""
        idle, waiting = not self._started(), any(job.process is None for job in self._jobs.values())
        wanted = self._warm and time.monotonic() < self._wanted_until
        if self._waiting_worker is None and self._warm and (waiting or (wanted and idle)):
            self._waiting_worker = WarmWorker(self._threads)
        elif self._waiting_worker is not None and not (wanted or waiting):
            self._waiting_worker.end()
            self._waiting_worker = None
