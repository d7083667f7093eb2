"""The runs that a RayBackend has in hand: which wait here, which the cluster has, who is next, and how many may go.

Methods are called with `lock` held, but for those that take it themselves: pages ask while the backend's thread works.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.jobs.fair_queue import next_turns
from mnist_core.jobs.ray.cluster import Capacity, Job, Needs
from mnist_core.runs import claims, mailbox
from mnist_core.runs.claims import Claim
from mnist_core.runs.run import Run, write_stamped_status

AHEAD = 2
"""Runs that wait in Ray's queue, so that a place that falls free is taken at once."""
RECALL_SECONDS = 10.0
"""A run of a sweep that waits longer in Ray's queue is had back when a worker is idle."""
WAITS_THERE = "Waits for a free place on the cluster."


@dataclass
class Task:
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
        self.owner = owners.read_owner(self.run.path)

    @property
    def job(self) -> str:
        return self.claim.job

    @property
    def silent(self) -> float:
        """Seconds since its status was last seen to change."""
        return time.monotonic() - self.heard

    @property
    def begun(self) -> bool:
        """Whether a worker has it, as far as anybody has said."""
        return bool(self.job) and not (self.pending and self.run.recorded_state == "queued")

    def wait_here(self) -> None:
        """The cluster has it no longer."""
        self.claim, self.submitted, self.passed, self.lost = Claim(), False, False, False

    def write(self, **changes: object) -> None:
        """Changes the run's status, unless somebody has deleted its folder meanwhile."""
        write_stamped_status(self.run, replace(self.run.status(), **changes))  # type: ignore[arg-type]


class Tasks:
    """Those runs, by their ids, in the order of their submission.

    Args:
        sweep: whether they are a sweep's, whose workers stay for the next one: see RayBackend.
    """

    def __init__(self, sweep: bool) -> None:
        self.lock = threading.RLock()
        self.capacity, self.needs = Capacity(), Needs()
        self.unwanted: list[str] = []  # jobs of runs that nobody wants any more
        self._sweep = sweep
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._idle: dict[str, float] = {}  # jobs whose worker stays, since when, in monotonic seconds
        self._served: dict[str, int] = {}  # owner -> the number of the last turn it had

    def get(self, run: Run) -> Task | None:
        return self._tasks.get(run.id)

    def add(self, task: Task) -> None:
        self._tasks[task.run.id] = task

    def has(self, task: Task) -> bool:
        """Whether it is still in hand: it may have been withdrawn while the cluster was asked."""
        return self._tasks.get(task.run.id) is task

    def all(self) -> list[Task]:
        """A copy, for the thread that works on them."""
        with self.lock:
            return list(self._tasks.values())

    def forget(self, task: Task) -> None:
        """It has ended."""
        with self.lock:
            if self.has(task):
                del self._tasks[task.run.id]

    @property
    def here(self) -> int:
        """How many wait here."""
        return sum(not task.job for task in self._tasks.values())

    @property
    def pending(self) -> int:
        """How many wait at the cluster."""
        return sum(bool(task.job) and task.pending for task in self._tasks.values())

    @property
    def slots(self) -> int:
        """How many runs the cluster takes at once, were it all free; at least one."""
        return max(1, self.capacity.slots(self.needs.cpus))

    def room(self) -> int:
        """How many of the waiting ones may be given away now."""
        given = [task for task in self._tasks.values() if task.job]
        pending = sum(task.pending and not task.passed for task in given)
        busy = len({task.job for task in given} | self._idle.keys())
        free = max(0, min(self.capacity.free(self.needs.cpus), self.slots - busy + pending))
        if self._sweep:  # where others have every place, one waits among them
            return max(0, free - pending, 1 - busy) + len(self.staying())
        return max(0, AHEAD + free - pending)

    def turns(self, more: Sequence[Task] = ()) -> list[Task]:
        """Those that wait here, in the order in which they will be given away; `more` as if submitted last."""
        waiting = [task for task in self._tasks.values() if not task.job] + list(more)
        given = Counter(task.owner for task in self._tasks.values() if task.job)
        return [waiting[index] for index in next_turns([task.owner for task in waiting], given, self._served)]

    def chosen(self) -> list[Task]:
        """Those to be given away now; first those of which nobody knows whether they were."""
        with self.lock:
            unsure = [task for task in self._tasks.values() if task.job and not task.submitted]
            return unsure + self.turns()[: self.room()]

    def claim(self, task: Task) -> Job | None:
        """Makes the run the cluster's; None where it has been withdrawn meanwhile, or passed to a worker that stays.

        One that may have been submitted, or not, is submitted by the same name once more.
        """
        with self.lock:
            run = task.run
            if not self.has(task):
                return None
            if not run.path.is_dir():
                self.forget(task)
                return None
            if not task.job:
                self._served[task.owner] = max(self._served.values(), default=0) + 1
                task.write(state="queued", message=WAITS_THERE)
                staying = next(iter(self.staying()), "")
                task.claim = claims.take_claim(run, retried=task.retried, job=staying)
                task.pending, task.heard, task.heartbeat = True, time.monotonic(), -1.0
                if staying:
                    del self._idle[staying]
                    task.submitted = task.passed = True
                    mailbox.send(runs_dir(), staying, run, task.claim.number)
                    return None
            return Job(task.job, run, task.claim.number, self.needs, self._sweep)

    # workers that stay

    def stays(self, job: str) -> None:
        """The worker of a job has nothing to do."""
        with self.lock:
            if self._sweep:
                self._idle[job] = time.monotonic()

    def staying(self) -> list[str]:
        """Jobs whose worker can be passed another run. Who has been idle for long may be leaving: that one is not."""
        most, now = mailbox.STAY_SECONDS - mailbox.TAKE_SECONDS, time.monotonic()
        self._idle = {job: since for job, since in self._idle.items() if now - since < most}
        return list(self._idle)

    def make_way(self) -> None:
        """Others wait for a place: as many workers that have nothing to do are sent home."""
        with self.lock:
            for job in self.staying()[: max(0, self.capacity.waiting - self.pending)]:
                del self._idle[job]
                mailbox.dismiss(runs_dir(), job)

    def recall(self) -> None:
        """A worker has nothing to do while a run waits in Ray's queue: that is had back, to be passed to the worker."""
        with self.lock:
            if not self.staying() or self.here:
                return None
            for task in self._tasks.values():
                long = task.job and not task.passed and task.silent > RECALL_SECONDS
                if long and not task.begun:
                    claims.fence(task.run)
                    self.unwanted.append(task.job)
                    return task.wait_here()

    def withdraw(self, task: Task) -> None:
        """It has not begun, and never will: a job that Ray starts after all finds the run claimed by another."""
        self.forget(task)
        if task.passed:
            mailbox.take_back(runs_dir(), task.job)
        if task.job:
            self.unwanted.append(task.job)
        if task.run.path.is_dir():
            claims.fence(task.run)
            task.write(state="stopped", message="Stopped before its turn came.")
