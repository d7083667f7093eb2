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
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mnist_core import checkpoints, claims, owners, passing
from mnist_core.claims import Claim
from mnist_core.cluster import Capacity, Job, Jobs, JobState, Needs
from mnist_core.errors import ClusterError, DigitLabError, RunError
from mnist_core.fairness import next_turns
from mnist_core.jobs import GRACE_SECONDS, conclude, max_queued, max_queued_each, refuse_too_many
from mnist_core.runs import FINAL_STATES, STALE_SECONDS, Run, Status, owned, runs_dir

POLL_SECONDS = 0.5
LOOK_SECONDS = 2.0
"""Between two looks at the whole cluster; its own figures are five seconds old."""
QUIET_SECONDS = 4.0
"""A worker that has not written for so long is asked after."""
PATIENCE_SECONDS = 10.0
"""So long the first answer may take before people are told that there is none."""
AHEAD = 2
"""Runs that wait in Ray's queue, so that a place that falls free is taken at once."""
TOUCH_SECONDS = 3.0
RECALL_SECONDS = 10.0
"""A run of a sweep that waits longer in Ray's queue is had back when a worker is idle."""

WAITS_HERE = "Waiting for its turn."
WAITS_THERE = "Waits for a free place on the cluster."
TAKEN_UP = "Its node was lost after {epoch} of {epochs} epochs. It is taken up elsewhere."
LOST_AGAIN = "Its node was lost, for the second time. Resume it to go on."
LOST_STOPPING = "Its node was lost before it had stopped. Resume it to go on."

log = logging.getLogger("digitlab.ray")


@dataclass
class _Task:
    """A run that the backend has in hand."""

    run: Run
    claim: Claim = Claim()  # its job is the name on the cluster; empty while the run waits here
    submitted: bool = False  # the cluster has said that it has the job
    passed: bool = False  # to the worker of a job that there was
    retried: bool = False
    pending: bool = True  # in Ray's queue, as far as it is known
    stop_asked: float | None = None  # monotonic seconds
    stop_sent: bool = False
    killed: bool = False
    lost: bool = False  # its job is, and it has been taken from its worker
    heartbeat: float = -1.0  # as its worker wrote it last, and when that was seen first, in monotonic seconds:
    heard: float = field(default_factory=time.monotonic)  # two machines' clocks are never compared
    touched: float = 0.0
    owner: str = field(init=False)

    def __post_init__(self) -> None:
        self.owner = owners.read(self.run.path)

    @property
    def job(self) -> str:
        return self.claim.job

    def wait_here(self) -> None:
        """The cluster has it no longer."""
        self.claim, self.submitted, self.passed, self.lost = Claim(), False, False, False

    @property
    def silent(self) -> float:
        """Seconds since its status was last seen to change."""
        return time.monotonic() - self.heard


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
        self, connect: Callable[[], Jobs], queued: int | None = None, each: int | None = None,
        grace: float = GRACE_SECONDS, stale: float = STALE_SECONDS, sweep: bool = False,
    ) -> None:  # fmt: skip
        self._connect, self._sweep = connect, sweep
        self._jobs: Jobs | None = None
        self._queued, self._each = queued or max_queued(), each or max_queued_each()
        self._grace, self._stale = grace, stale
        self._tasks: OrderedDict[str, _Task] = OrderedDict()
        self._idle: dict[str, float] = {}  # jobs whose worker stays, since when, in monotonic seconds
        self._unwanted: list[str] = []  # jobs of runs that nobody wants any more
        self._served: dict[str, int] = {}
        self._capacity, self._needs = Capacity(), Needs()
        self._trouble, self._looked = "", -LOOK_SECONDS
        self._answered = self._began = time.monotonic()
        self._met = threading.Event()  # the first answer of the cluster, or the first failure
        self._lock = threading.RLock()
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
    def met(self) -> bool:
        """Whether the cluster has been asked, and has answered or failed to."""
        return self._met.is_set()

    @property
    def capacity(self) -> Capacity:
        """Of the cluster; an empty one before it has answered."""
        return self._capacity

    @property
    def waiting(self) -> int:
        """Runs and other jobs that wait for a place on the cluster, here and in Ray's queue."""
        with self._lock:
            here = sum(not task.job for task in self._tasks.values())
            there = sum(bool(task.job) and task.pending for task in self._tasks.values())
        return here + max(there, self._capacity.waiting)

    def meet(self, seconds: float) -> None:
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
        with self._lock:
            task = _Task(run)
            waiting = [other.owner for other in self._turns([task])[self._room() :]]
            if not self._sweep:
                refuse_too_many(waiting, task.owner, self._queued, self._each)
            self._tasks[run.id] = task
        self._wake.set()

    def adopt(self, runs: Iterable[Run]) -> None:
        """Takes over what an earlier process gave to the cluster, and what waited to be.

        Args:
            runs: in the order of their making.
        """
        with self._lock:
            for run in runs:
                state, claim = run.written_state, claims.read(run)
                if run.id in self._tasks or state in FINAL_STATES or not (claim.job or run.left_waiting()):
                    continue
                submitted = state != "queued"  # else once more, by the same name
                self._tasks[run.id] = _Task(run, claim if claim.job else Claim(), submitted, claim.retried)
        self._wake.set()

    def holds(self, run: Run) -> bool:
        """Whether it waits, trains, or is about to be taken up again."""
        with self._lock:
            return run.id in self._tasks

    def room(self) -> bool:
        """Whether one more would be given to the cluster at once."""
        with self._lock:
            here = sum(not task.job for task in self._tasks.values())
            return not self.trouble and self._room() > here

    @property
    def places(self) -> int:
        """How many runs the cluster takes at once, were it all free; at least one."""
        return max(1, self._capacity.places(self._needs.cpus))

    def request_stop(self, run: Run) -> None:
        """As JobBackend."""
        if run.path.is_dir():
            run.ask(stop=True)
        with self._lock:
            task = self._tasks.get(run.id)
            if task is None:
                return
            if not task.job or (task.pending and run.written_state == "queued"):
                self._withdraw(task)
            else:
                task.stop_asked = task.stop_asked or time.monotonic()
        self._wake.set()

    def kill(self, run: Run) -> None:
        """As JobBackend. Its worker ends within a second or two, whether the cluster can be reached or not."""
        with self._lock:
            task = self._tasks.get(run.id)
            if task is None:
                return
            if not task.job or (task.pending and run.written_state == "queued"):
                self._withdraw(task)
                return
            task.killed = True
            self._unwanted.append(task.job)
            with contextlib.suppress(OSError):
                claims.fence(run)
        self._wake.set()

    def _withdraw(self, task: _Task) -> None:
        """It has not begun, and never will: a job that Ray starts after all finds the run claimed by another."""
        del self._tasks[task.run.id]
        if task.passed:
            passing.have_back(runs_dir(), task.job)
        if task.job:
            self._unwanted.append(task.job)
        if task.run.path.is_dir():
            claims.fence(task.run)
            _write(task.run, replace(task.run.status(), state="stopped", message="Stopped before its turn came."))

    def position(self, run: Run) -> int:
        """As JobBackend: its place in the queue here; 0 for one that Ray has."""
        with self._lock:
            waiting = [task.run.id for task in self._turns()]
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
            except OSError:  # a full disk, a folder deleted just now: the other runs go on
                log.exception("A run's files could not be written")
            finally:
                self._answered = time.monotonic()
                self._met.set()
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _turn(self) -> None:
        """Once around. Raises ClusterError where the cluster cannot be reached: everything is left as it is."""
        self._keep_alive()
        if self._jobs is None:
            self._jobs = self._connect()
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._capacity = self._jobs.capacity()
            self._needs, self._looked = self._capacity.needs(), time.monotonic()
        while self._unwanted:
            self._jobs.stop(self._unwanted[0])
            del self._unwanted[0]
        self._make_way()
        self._recall()
        self._give(self._jobs)
        for task in list(self._tasks.values()):
            if task.job:
                self._follow(task, self._jobs)
                self._answered = time.monotonic()

    def _keep_alive(self) -> None:
        """Those that wait have no worker to say that they do: other machines go by the time of the file."""
        for task in list(self._tasks.values()):
            if time.monotonic() - task.touched >= TOUCH_SECONDS and task.run.written_state == "queued":
                task.touched = time.monotonic()
                with contextlib.suppress(OSError):
                    os.utime(task.run.path / "status.json")

    def _room(self) -> int:
        """How many of the waiting ones may be given away now."""
        given = [task for task in self._tasks.values() if task.job]
        pending = sum(task.pending and not task.passed for task in given)
        busy = len({task.job for task in given} | self._idle.keys())
        free = max(0, min(self._capacity.free(self._needs.cpus), self.places - busy + pending))
        if self._sweep:
            return max(0, free - pending, 1 - busy) + len(self._staying())
        return max(0, AHEAD + free - pending)

    def _staying(self) -> list[str]:
        """Jobs whose worker can be passed another run. Who has been idle for long may be leaving: that one is not."""
        most = passing.STAY_SECONDS - passing.TAKE_SECONDS
        now = time.monotonic()
        self._idle = {job: since for job, since in self._idle.items() if now - since < most}
        return list(self._idle)

    def _make_way(self) -> None:
        """Others wait for a place: as many workers that have nothing to do are sent home."""
        own = sum(bool(task.job) and task.pending for task in self._tasks.values())
        for job in self._staying()[: max(0, self._capacity.waiting - own)]:
            with self._lock:
                del self._idle[job]
            passing.dismiss(runs_dir(), job)

    def _recall(self) -> None:
        """A worker has nothing to do while a run waits in Ray's queue: that is had back, to be passed to the worker."""
        with self._lock:
            if not self._staying() or any(not task.job for task in self._tasks.values()):
                return
            for task in self._tasks.values():
                long = task.job and task.pending and not task.passed and task.silent > RECALL_SECONDS
                if long and task.run.written_state == "queued":
                    claims.fence(task.run)
                    self._unwanted.append(task.job)
                    return task.wait_here()

    def _turns(self, more: Sequence[_Task] = ()) -> list[_Task]:
        """The waiting ones, in the order in which they will be given away."""
        waiting = [task for task in self._tasks.values() if not task.job] + list(more)
        given = Counter(task.owner for task in self._tasks.values() if task.job)
        return [waiting[index] for index in next_turns([task.owner for task in waiting], given, self._served)]

    def _give(self, jobs: Jobs) -> None:
        with self._lock:
            unsure = [task for task in self._tasks.values() if task.job and not task.submitted]
            chosen = unsure + self._turns()[: self._room()]
        for task in chosen:
            if job := self._claim(task):
                try:
                    jobs.submit(job)
                    task.submitted = True
                except RunError as error:
                    self._end(task, "failed", str(error))
                self._answered = time.monotonic()

    def _claim(self, task: _Task) -> Job | None:
        """Makes the run the cluster's; None where it has been withdrawn meanwhile, or passed to a worker that stays.

        One that may have been submitted, or not, is submitted by the same name once more.
        """
        with self._lock:
            run = task.run
            if self._tasks.get(run.id) is not task:
                return None
            if not run.path.is_dir():
                del self._tasks[run.id]
                return None
            if not task.job:
                self._served[task.owner] = max(self._served.values(), default=0) + 1
                _write(run, replace(run.status(), state="queued", message=WAITS_THERE))
                staying = self._staying()
                task.claim = claims.take(run, retried=task.retried, job=staying[0] if staying else "")
                task.pending, task.heard, task.heartbeat = True, time.monotonic(), -1.0
                if staying:
                    del self._idle[task.job]
                    task.submitted = task.passed = True
                    passing.send(runs_dir(), task.job, run, task.claim.number)
                    return None
            return Job(task.job, run, task.claim.number, self._needs, self._sweep)

    def _follow(self, task: _Task, jobs: Jobs) -> None:
        """One run that the cluster has: its worker is listened to, and where it is silent Ray is asked."""
        state = self._listen(task)
        if state in FINAL_STATES and not task.killed:
            if self._sweep and state != "interrupted":
                self._idle[task.job] = time.monotonic()
            return self._forget(task)
        if not task.run.path.is_dir():
            self._unwanted.append(task.job)
            return self._forget(task)
        if task.lost:
            return self._take_up(task) if task.silent >= self._stale else None
        asked = task.stop_asked
        if asked is not None and not task.stop_sent and time.monotonic() - asked > self._grace:
            task.stop_sent = True
            jobs.stop(task.job)
        if task.killed or state == "queued" or task.silent >= QUIET_SECONDS:
            self._heed(task, jobs.state(task.job))

    def _listen(self, task: _Task) -> str:
        """The state that its worker wrote last."""
        status, state = task.run.status(), task.run.written_state
        if status.heartbeat != task.heartbeat:
            task.heartbeat, task.heard = status.heartbeat, time.monotonic()
        if state != "queued":
            task.pending = False
        return state

    def _heed(self, task: _Task, found: JobState) -> None:
        """What Ray says of a job whose worker says nothing."""
        with self._lock:
            if self._tasks.get(task.run.id) is not task:
                return  # withdrawn while Ray was asked
            task.pending = found.state == "pending"
            gone = found.state not in ("pending", "running")
            if found.state == "crowded" or (gone and task.passed and passing.have_back(runs_dir(), task.job)):
                claims.fence(task.run)
                task.wait_here()  # for as long as it takes
            elif found.state == "refused":
                self._end(task, "failed", f"The cluster cannot run it: {found.message[-400:]}")
            elif found.state == "lost" and not task.killed:
                log.warning("%s is lost: %s", task.job, found.message[:300])
                claims.fence(task.run)
                task.lost = True
            elif found.state in ("ended", "lost"):
                self._conclude(task, found)

    def _conclude(self, task: _Task, found: JobState) -> None:
        """Its worker has gone. What it wrote last may take a while to arrive, over a network: that counts first."""
        if task.killed:
            conclude(task.run, -9)
        elif task.silent < self._stale:
            return
        else:
            _keep(task.run, found.message)
            conclude(task.run, found.exit_status)
        self._forget(task)

    def _take_up(self, task: _Task) -> None:
        """A run whose node is gone: `interrupted`, and once it waits for another node."""
        with self._lock:
            run, status = task.run, task.run.status()
            if task.retried:
                return self._end(task, "interrupted", LOST_AGAIN)
            if run.control().get("stop") is True:
                return self._end(task, "interrupted", LOST_STOPPING)
            message = TAKEN_UP.format(epoch=status.epoch, epochs=status.epochs)
            _write(run, replace(status, state="interrupted", message=message, seconds_left=None))
            if not checkpoints.exists(run.path):
                run.trim_metrics(0)  # what it reported of an epoch that was not finished
                status = Status(epochs=status.epochs)
            _write(run, replace(status, state="queued", message=message, seconds_left=None))
            task.retried = True
            task.wait_here()

    def _end(self, task: _Task, state: str, message: str) -> None:
        _write(task.run, replace(task.run.status(), state=state, message=message, seconds_left=None))
        self._forget(task)

    def _forget(self, task: _Task) -> None:
        with self._lock:
            self._tasks.pop(task.run.id, None)


def _write(run: Run, status: Status) -> None:
    """Writes the status, unless somebody has deleted its folder meanwhile."""
    if run.path.is_dir():
        run.write_status(owned(status))


def _keep(run: Run, message: str) -> None:
    """Keeps what Ray said in the run's log where its worker has left none."""
    if message and run.path.is_dir() and not (run.log.exists() and run.log.stat().st_size):
        run.log.write_text(message + "\n", encoding="utf-8")
