"""Who trains a run, and when. A JobBackend takes run directories; the local one starts a worker process for each.

Its queue is a thread of our own and not a `concurrent.futures` pool: a pool is joined when the interpreter ends, so
that Ctrl-C on the server would wait for every queued run to be trained first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess  # noqa: S404 - starts this package's own worker
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import psutil

from mnist_core import owners
from mnist_core.config import max_queued, max_queued_each, max_running, warm_worker
from mnist_core.errors import ClusterError, QueueFullError, RunError, SettingError
from mnist_core.files import write_json
from mnist_core.jobs.fair_queue import next_turns
from mnist_core.jobs.persistent_worker import Assignment, PersistentWorker
from mnist_core.jobs.worker_pool import AdoptedWorker, WarmWorker, start_worker
from mnist_core.processes import cpu_count
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs import claims
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.run import Run, RunSpec, Status, create_run, stamp_status, write_stamped_status

GRACE_SECONDS = 60.0
"""A worker that was asked to stop has so long to save its model before SIGTERM, and as long again before SIGKILL."""
WARM_SECONDS = 900.0
"""How long a worker is kept ready after somebody has last been where runs are started."""
POLL_SECONDS = 0.2
DEFAULT_MAX_QUEUED = 20
DEFAULT_MAX_QUEUED_EACH = 3

log = logging.getLogger("digitlab.jobs")


class JobBackend(Protocol):
    """Something that trains runs."""

    def submit(self, run: Run) -> None:
        """Queues the run. Raises QueueFullError where the queue takes no more, of anybody or of the run's owner."""

    def request_stop(self, run: Run) -> None:
        """Asks for the run to end soon, with its model kept; a run that still waits ends at once."""

    def kill(self, run: Run) -> None:
        """Ends the run at once, without a model."""

    def position(self, run: Run) -> int:
        """Its place in the queue, 1 for the next; 0 where it does not wait."""

    def prepare(self) -> None:
        """Says that somebody may soon submit a run."""


def start_run(backend: JobBackend, spec: RunSpec, owner: str = owners.NOBODY, root: Path | None = None) -> Run:
    """Makes a run of this owner and submits it. `root`: where it lies, by default among all runs.

    Raises:
        QueueFullError: the queue takes no more, of anybody or of this owner; nothing is left behind then.
        ClusterError: the cluster cannot be reached; nothing is left behind then, either.
    """
    run = create_run(spec, root, owner)
    try:
        backend.submit(run)
    except (QueueFullError, ClusterError):
        shutil.rmtree(run.path)
        raise
    return run


def resume_run(backend: JobBackend, run: Run, epochs: int | None = None) -> None:
    """Submits a run that has ended once more: it goes on from the last finished epoch of its checkpoint.

    Args:
        backend: who trains it.
        run: ended, with a checkpoint.
        epochs: how many in all from now on; by default as before.

    Raises:
        RunError: it still goes on, or has no checkpoint.
        SettingError: there cannot be so many epochs.
        QueueFullError, ClusterError: the queue takes no more, or there is none; the run is as it was.
    """
    before, control = run.status(), run.control()
    prepare_resume(run, epochs)
    try:
        backend.submit(run)
    except (QueueFullError, ClusterError):
        write_json(run.path / "control.json", control)
        run.write_status(before)
        raise


def prepare_resume(run: Run, epochs: int | None) -> None:
    """Makes a run that has ended ready to be trained on. Raises as `resume`, but for the queue."""
    before = run.status()
    if not before.final:
        raise RunError(f"The run {run.id} is {before.state}: it need not be resumed.")
    if not has_checkpoint(run.path):
        raise RunError(f"The run {run.id} ended before its first epoch was over. Train it again from the beginning.")
    rule = setting_rules()["epochs"]
    if epochs is not None and not rule.accepts(epochs):
        raise SettingError(f"epochs is {epochs!r}, expected {rule}.")
    claims.fence(run)  # a worker that is cut off somewhere must not come back to it
    run.ask(stop=False, paused=False, **({} if epochs is None else {"epochs": epochs}))
    run.write_status(stamp_status(replace(before, state="queued", message="Waiting for its turn.", seconds_left=None)))


def refuse_too_many(waiting: Sequence[str], owner: str, queued: int, each: int) -> None:
    """Raises QueueFullError where more runs would wait than may.

    Args:
        waiting: the owners of those that would.
        owner: of the run that is to be queued.
        queued: how many may wait.
        each: how many of one owner.
    """
    if len(waiting) > queued:
        raise QueueFullError(
            f"{len(waiting) - 1} runs are waiting already, and {queued} may. Try again when one has ended, "
            "or raise DIGITLAB_MAX_QUEUED."
        )
    own = sum(other == owner for other in waiting)
    if own > each:
        raise QueueFullError(
            f"{own - 1} runs of yours are waiting already, and {each} of one person may. Wait until one of "
            "them has begun, or stop one. Whoever runs this server may raise DIGITLAB_MAX_QUEUED_EACH."
        )


def conclude_run(run: Run, exit_status: int) -> None:
    """After its worker has gone: a run that did not say how it ended gets the reason, as far as it is known."""
    status = run.status()
    if status.final and status.state != "interrupted":
        return
    lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines() if run.log.exists() else []
    last = next((line for line in reversed(lines) if line.strip()), "it left no message")
    killed = exit_status < 0 or exit_status == 137
    reason = "Its worker was ended from outside, perhaps for want of memory." if killed else f"Its worker ended: {last}"
    write_stamped_status(run, replace(status, state="interrupted" if killed else "failed", message=reason))


@dataclass
class _Job:
    run: Run
    process: subprocess.Popen[bytes] | AdoptedWorker | Assignment | None = None
    stop_asked: float | None = None  # monotonic seconds
    terminated: bool = field(default=False)
    owner: str = field(init=False)

    def __post_init__(self) -> None:
        self.owner = owners.read(self.run.path)  # once: the folder may be deleted while it waits


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
        self._jobs: OrderedDict[str, _Job] = OrderedDict()  # in order of submission; ended ones are taken out
        self._warm = warm_worker() if warm is None else warm
        self._waiting_worker: WarmWorker | None = None
        self._steady = [PersistentWorker(self._threads) for _ in range(self._running)] if stay else []
        self._wanted_until = 0.0  # monotonic seconds
        self._served: dict[str, int] = {}  # owner -> the number of the last turn it had
        self._lock = threading.RLock()
        self._wake = threading.Event()
        threading.Thread(target=self._serve, name="jobs", daemon=True).start()

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
                    if run.left_waiting():
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
        refuse_too_many(waiting, job.owner, self._queued, self._each)

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
            run.ask(stop=True)
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
