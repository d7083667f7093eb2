"""Trains runs on a Ray cluster: each is a Ray job with the worker's usual command, on whatever node Ray finds for it.

backend = RayBackend(lambda: ray_client.connect(cluster.address()))
backend.submit(run)                          # queued here, given to Ray when there is room, placed by Ray
backend.trouble                              # why it cannot go on just now, in words for people; empty where it can
backend.capacity                             # of the cluster, a few seconds old at most

Runs wait here, in fair turns, and only as many as the cluster has room for, and a few more, are given to Ray: its queue
knows no owners, and gives up a job that has waited for a quarter of an hour. All calls to the cluster are made by one
thread of the backend; nobody else ever waits for one.

A run is claimed before it is given away (see `claims`), and the job is named after the claim: however often it is
submitted there is one of it. Where a job is lost with its node, or with the whole cluster, the run is claimed anew at
once, so that a worker that lives on beyond a broken network ends; when its heart has been silent for STALE_SECONDS the
run is `interrupted`, and it is given away once more, to go on from its last finished epoch, or to begin again.
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
from mnist_core.jobs.ray.monitor import Watch
from mnist_core.jobs.ray.tasks import Task, Tasks
from mnist_core.runs import claims
from mnist_core.runs.claims import Claim
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES, STALE_SECONDS

POLL_SECONDS = 0.5
LOOK_SECONDS = 2.0
"""Between two looks at the whole cluster; its own figures are five seconds old."""
PATIENCE_SECONDS = 10.0
"""So long an answer may take before people are told that there is none."""
TOUCH_SECONDS = 3.0

log = logging.getLogger("digitlab.ray")


class RayBackend:
    """A JobBackend on a Ray cluster.

    Args:
        connect: how to reach the cluster; called by the backend's thread, again whenever it has failed.
        queued: how many may wait; DIGITLAB_MAX_QUEUED where it is not given.
        each: how many of one owner may wait; DIGITLAB_MAX_QUEUED_EACH where it is not given.
        grace: seconds between asking a run to stop and telling Ray to end its job.
        stale: seconds of silence after which a lost worker is taken for dead.
        sweep: whether its runs are a sweep's. Such a backend takes them although the cluster is out of reach, and
            however many; its workers stay for the next one (see `passing`), but leave where somebody else waits; and
            it queues nothing at Ray while it has a place.
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
        self._watch = Watch(self._tasks, grace, stale)
        self._trouble, self._looked = "", -LOOK_SECONDS
        self._answered = time.monotonic()
        self._met = threading.Event()  # the first answer of the cluster, or the first failure
        self._wake, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, name="ray-jobs", daemon=True).start()

    # for everybody: nothing here waits for the cluster

    @property
    def trouble(self) -> str:
        """Why nothing can be given to the cluster just now; empty where it can."""
        silent = time.monotonic() - self._answered
        if self._trouble or silent < PATIENCE_SECONDS:
            return self._trouble
        return f"The cluster has not answered for {silent:.0f} seconds. It is asked on."

    @property
    def crowded_message(self) -> str:
        """See JobBackend."""
        return "Waits for a free place on the cluster."

    @property
    def has_answered(self) -> bool:
        """Whether the cluster has been asked, and has answered or failed to."""
        return self._met.is_set()

    @property
    def capacity(self) -> Capacity:
        """Of the cluster; an empty one before it has answered."""
        return self._tasks.capacity

    @property
    def slots(self) -> int:
        """How many runs the cluster takes at once, were it all free; at least one."""
        return self._tasks.slots

    @property
    def waiting(self) -> int:
        """Runs and other jobs that wait for a place on the cluster, here and in Ray's queue."""
        with self._tasks.lock:
            return self._tasks.here + max(self._tasks.pending, self.capacity.waiting)

    def wait_for_answer(self, seconds: float) -> None:
        """Waits for the cluster's first answer. For the command line. Raises ClusterError where it cannot be had."""
        self._met.wait(seconds)
        if self.trouble or not self._met.is_set():
            raise ClusterError(self.trouble or f"The cluster has not answered within {seconds:.0f} seconds.")

    def close(self) -> None:
        """Ends the thread, after the call that it is in. Jobs go on."""
        self._ended.set()
        self._wake.set()

    def submit(self, run: Run) -> None:
        """As JobBackend. Raises ClusterError, too, where the cluster is known to be out of reach."""
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
        """Takes over what an earlier process gave to the cluster, and what waited to be.

        Args:
            runs: in the order of their making.
        """
        with self._tasks.lock:
            for run in runs:
                state, claim = run.recorded_state, claims.read_claim(run)
                if self._tasks.get(run) or state in FINAL_STATES or not (claim.job or run.left_in_queue()):
                    continue
                passed = claim.job not in ("", claims.default_job(run, claim.number))
                submitted = passed or state != "queued"  # else once more, by the same name
                self._tasks.add(Task(run, claim if claim.job else Claim(), submitted, passed, claim.retried))
        self._wake.set()

    def holds(self, run: Run) -> bool:
        """Whether it waits, trains, or is about to be taken up again."""
        with self._tasks.lock:
            return self._tasks.get(run) is not None

    def room(self) -> bool:
        """Whether one more would be given to the cluster at once."""
        with self._tasks.lock:
            return not self.trouble and self._tasks.room() > self._tasks.here

    def request_stop(self, run: Run) -> None:
        """As JobBackend."""
        if run.path.is_dir():
            run.update_control(stop=True)
        with self._tasks.lock:
            task = self._tasks.get(run)
            if task is not None and not task.begun:
                self._tasks.withdraw(task)
            elif task is not None:
                task.stop_asked = task.stop_asked or time.monotonic()
        self._wake.set()

    def kill(self, run: Run) -> None:
        """As JobBackend. Its worker ends within a second or two, whether the cluster can be reached or not."""
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
        """As JobBackend: its place in the queue here; 0 for one that Ray has."""
        with self._tasks.lock:
            waiting = [task.run.id for task in self._tasks.turns()]
        return waiting.index(run.id) + 1 if run.id in waiting else 0

    def prepare(self) -> None:
        """Nothing is kept warm on a cluster."""

    # the backend's thread

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                self._turn()
                self._trouble = ""
            except DigitLabError as error:
                if str(error) != self._trouble:
                    log.info("%s", error)
                self._trouble = str(error)
            except OSError:  # a full disk, a folder deleted just now: the next turn finds it otherwise
                log.exception("A run's files could not be written")
            finally:
                self._heard_of()
                self._met.set()
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _heard_of(self) -> None:
        self._answered = time.monotonic()

    def _turn(self) -> None:
        """Once around. Raises ClusterError where the cluster cannot be reached: everything is left as it is."""
        self._keep_alive()
        if self._jobs is None:
            self._jobs = self._connect()
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            found = self._jobs.capacity()
            with self._tasks.lock:
                self._tasks.capacity, self._tasks.needs = found, found.needs()
            self._looked = time.monotonic()
        while self._tasks.unwanted:
            self._jobs.stop(self._tasks.unwanted[0])
            del self._tasks.unwanted[0]
        self._tasks.make_way()
        self._tasks.recall()
        self._give(self._jobs)
        self._follow(self._jobs)

    def _keep_alive(self) -> None:
        """Those that wait have no worker to say that they do: other machines go by the time of the file."""
        for task in self._tasks.all():
            if time.monotonic() - task.touched >= TOUCH_SECONDS and not task.begun:
                task.touched = time.monotonic()
                with contextlib.suppress(OSError):
                    os.utime(task.run.path / "status.json")

    def _give(self, jobs: Jobs) -> None:
        for task in self._tasks.chosen():
            if job := self._tasks.claim(task):
                try:
                    jobs.submit(job)
                    task.submitted = True
                except RunError as error:
                    self._watch.end(task, "failed", str(error))
                self._heard_of()

    def _follow(self, jobs: Jobs) -> None:
        for task in self._tasks.all():
            if task.job:
                try:
                    self._watch.follow(task, jobs)
                except OSError:  # of this run; the others go on
                    log.exception("The files of %s could not be read or written", task.run.id)
                self._heard_of()
