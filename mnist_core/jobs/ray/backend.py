"""The job backend for a Ray cluster: each run is a Ray job with the worker's usual command, on a node that Ray picks.

    backend = RayBackend(lambda: client.connect(address))
    backend.submit(run)     # queued here, submitted to Ray when there is room
    backend.trouble         # why no run can be submitted at the moment, in words for people; empty if it can
    backend.capacity        # of the cluster, at most a few seconds old

Runs are queued here, in fair turns, and only as many are submitted as the cluster has room for, plus a few: Ray's queue
knows no owners, and gives up a job after a quarter of an hour. One thread makes all calls to the cluster, so nobody
else ever waits for it.

A run is claimed before it is submitted (see `claims`) and the job is named after the claim, so submitting it twice does
no harm. When a job is lost with its node or with the whole cluster, the run is fenced at once, which ends a worker
that lives on behind a broken network. After STALE_SECONDS without a heartbeat the run is `interrupted`, and is
submitted once more, to resume from its checkpoint or to start again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable

from mnist_core.config import max_queued, max_queued_each
from mnist_core.errors import ClusterError, DigitLabError, RunError
from mnist_core.jobs.backend import GRACE_SECONDS
from mnist_core.jobs.lifecycle import check_queue_limits
from mnist_core.jobs.ray.cluster import Capacity, Jobs
from mnist_core.jobs.ray.monitor import TaskMonitor
from mnist_core.jobs.ray.tasks import Task, Tasks
from mnist_core.runs import claims
from mnist_core.runs.claims import Claim
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES, STALE_SECONDS

POLL_SECONDS = 0.5
"""How often the runs are followed."""
CAPACITY_SECONDS = 2.0
"""How often the capacity of the cluster is read; Ray updates it every five seconds."""
PATIENCE_SECONDS = 10.0
"""How long an answer may take before `trouble` says that there is none."""
TOUCH_SECONDS = 3.0
"""How often the status.json of a queued run is touched: other machines take an old file for an abandoned run."""

log = logging.getLogger("digitlab.ray")


class RayBackend:
    """A JobBackend on a Ray cluster.

    Args:
        connect: connects to the cluster. Called in the backend's thread, and again after it has failed.
        queued: runs that may be queued; by default DIGITLAB_MAX_QUEUED.
        each: runs of one owner that may be queued; by default DIGITLAB_MAX_QUEUED_EACH.
        grace: seconds from a request to stop until the backend asks Ray to end the job.
        stale: seconds of silence after which a lost worker counts as dead.
        sweep: whether the runs are trials of a sweep. Then any number is accepted, even while the cluster cannot be
            reached; workers are persistent (see `mailbox`), but exit when somebody else waits for a slot; and no trial
            waits in Ray's queue while another one of them trains.
    """

    def __init__(
        self,
        connect: Callable[[], Jobs],
        queued: int | None = None,
        each: int | None = None,
        grace: float = GRACE_SECONDS,
        stale: float = STALE_SECONDS,
        sweep: bool = False,
    ) -> None:
        self._connect, self._sweep = connect, sweep
        self._jobs: Jobs | None = None
        self._queued, self._each = queued or max_queued(), each or max_queued_each()
        self._tasks = Tasks(sweep)
        self._monitor = TaskMonitor(self._tasks, grace, stale)
        self._trouble, self._capacity_read = "", -CAPACITY_SECONDS
        self._answered = time.monotonic()
        self._has_answered = threading.Event()  # set by the first answer, and by the first failure
        self._wake, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, name="ray-jobs", daemon=True).start()

    # For all threads: nothing here waits for the cluster.

    @property
    def trouble(self) -> str:
        """Why no run can be submitted at the moment, in words for people; empty if it can."""
        silent = time.monotonic() - self._answered
        if self._trouble or silent < PATIENCE_SECONDS:
            return self._trouble
        return f"The cluster has not answered for {silent:.0f} seconds. Still trying."

    @property
    def crowded_message(self) -> str:
        """See JobBackend."""
        return "Waiting for a free slot on the cluster."

    @property
    def has_answered(self) -> bool:
        """True once the cluster has answered for the first time, or has failed to."""
        return self._has_answered.is_set()

    @property
    def capacity(self) -> Capacity:
        """The cluster's capacity; empty before its first answer."""
        return self._tasks.capacity

    @property
    def slots(self) -> int:
        """See JobBackend: how many runs fit on the whole cluster."""
        return self._tasks.slots

    @property
    def waiting(self) -> int:
        """How many runs and other jobs wait for the cluster, here and in Ray's queue."""
        with self._tasks.lock:
            return self._tasks.waiting_here + max(self._tasks.pending, self.capacity.waiting)

    def wait_for_answer(self, seconds: float) -> None:
        """Blocks until the cluster has answered for the first time. For the command line.

        Raises:
            ClusterError: there is no answer within this many seconds, or it is an error.
        """
        self._has_answered.wait(seconds)
        if self.trouble or not self._has_answered.is_set():
            raise ClusterError(self.trouble or f"The cluster has not answered within {seconds:.0f} seconds.")

    def close(self) -> None:
        """Ends the backend's thread after its current call. Jobs on the cluster continue."""
        self._ended.set()
        self._wake.set()

    def submit(self, run: Run) -> None:
        """See JobBackend."""
        if self.trouble and not self._sweep:
            raise ClusterError(self.trouble)
        with self._tasks.lock:
            task = Task(run)
            waiting = [other.owner for other in self._tasks.turns([task])[self._tasks.room() :]]
            if not self._sweep:
                check_queue_limits(waiting, task.owner, self._queued, self._each)
            self._tasks.add(task)
        self._wake.set()

    def adopt(self, runs: Iterable[Run]) -> None:
        """See JobBackend."""
        with self._tasks.lock:
            for run in runs:
                state, claim = run.recorded_state, claims.read_claim(run)
                if self._tasks.get(run) or state in FINAL_STATES or not (claim.job or run.left_in_queue()):
                    continue
                passed = claim.job not in ("", claims.default_job(run, claim.number))
                submitted = passed or state != "queued"  # otherwise it is submitted again, by the same name
                self._tasks.add(Task(run, claim if claim.job else Claim(), submitted, passed, claim.retried))
        self._wake.set()

    def holds(self, run: Run) -> bool:
        """See JobBackend."""
        with self._tasks.lock:
            return self._tasks.get(run) is not None

    def room(self) -> bool:
        """See JobBackend."""
        with self._tasks.lock:
            return not self.trouble and self._tasks.room() > self._tasks.waiting_here

    def request_stop(self, run: Run) -> None:
        """See JobBackend."""
        if run.path.is_dir():
            run.update_control(stop=True)
        with self._tasks.lock:
            task = self._tasks.get(run)
            if task is not None and not task.begun:
                self._tasks.withdraw(task)
            elif task is not None:
                task.stop_requested = task.stop_requested or time.monotonic()
        self._wake.set()

    def kill(self, run: Run) -> None:
        """See JobBackend. The worker ends within two seconds, even if the cluster cannot be reached."""
        with self._tasks.lock:
            task = self._tasks.get(run)
            if task is not None and not task.begun:
                self._tasks.withdraw(task)
            elif task is not None:
                task.killed = True
                self._tasks.unwanted.append(task.job)
                with contextlib.suppress(OSError):
                    claims.fence(run)
        self._wake.set()

    def position(self, run: Run) -> int:
        """See JobBackend. 0 for a run in Ray's queue."""
        with self._tasks.lock:
            waiting = [task.run.id for task in self._tasks.turns()]
        return waiting.index(run.id) + 1 if run.id in waiting else 0

    def ahead(self, run: Run) -> list[Run]:
        """See JobBackend. Only those that wait here: Ray does not say in which order it starts its own."""
        with self._tasks.lock:
            waiting = [task.run for task in self._tasks.turns()]
        return waiting[: max(0, self.position(run) - 1)]

    def prepare(self) -> None:
        """Does nothing: no worker is kept warm on a cluster."""

    # From here on: the backend's thread.

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                self._take_turn()
                self._trouble = ""
            except DigitLabError as error:
                if str(error) != self._trouble:
                    log.info("%s", error)
                self._trouble = str(error)
            except OSError:  # a full disk, or a folder that was deleted just now: the next turn copes
                log.exception("A run's files could not be written")
            finally:
                self._note_answer()
                self._has_answered.set()
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _note_answer(self) -> None:
        self._answered = time.monotonic()

    def _take_turn(self) -> None:
        """Submits and follows all runs once. Raises ClusterError if the cluster cannot be reached."""
        self._touch_queued()
        if self._jobs is None:
            self._jobs = self._connect()
        if time.monotonic() - self._capacity_read >= CAPACITY_SECONDS:
            capacity = self._jobs.capacity()
            with self._tasks.lock:
                self._tasks.capacity, self._tasks.needs = capacity, capacity.needs()
            self._capacity_read = time.monotonic()
        while self._tasks.unwanted:
            self._jobs.stop(self._tasks.unwanted[0])
            del self._tasks.unwanted[0]
        self._tasks.dismiss_idle_workers()
        self._tasks.recall()
        self._submit_next(self._jobs)
        self._follow_all(self._jobs)

    def _touch_queued(self) -> None:
        """Renews the time of queued runs' status.json, since they have no worker that does: see TOUCH_SECONDS."""
        for task in self._tasks.all():
            if time.monotonic() - task.touched >= TOUCH_SECONDS and not task.begun:
                task.touched = time.monotonic()
                with contextlib.suppress(OSError):
                    os.utime(task.run.path / "status.json")

    def _submit_next(self, jobs: Jobs) -> None:
        for task in self._tasks.next_tasks():
            if job := self._tasks.claim(task):
                try:
                    jobs.submit(job)
                    task.submitted = True
                except RunError as error:
                    self._monitor.end(task, "failed", str(error))
                self._note_answer()

    def _follow_all(self, jobs: Jobs) -> None:
        for task in self._tasks.all():
            if task.job:
                try:
                    self._monitor.follow(task, jobs)
                except OSError:  # of this run; the others continue
                    log.exception("The files of %s could not be read or written", task.run.id)
                self._note_answer()
