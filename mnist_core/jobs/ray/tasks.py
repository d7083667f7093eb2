"""The runs that a RayBackend holds: which are queued here, which the cluster has, who is next, how many to submit.

Pages call the backend while its thread works. Call the methods with `lock` held, except those that take it themselves.
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
"""Runs that are submitted before there is a free slot, so that a slot is filled as soon as it is free."""
RECALL_SECONDS = 10.0
"""A trial that has been in Ray's queue for longer is taken back when a persistent worker is idle."""
WAITING_MESSAGE = "Waiting for a free slot on the cluster."


@dataclass
class Task:
    """A run that the backend holds.

    Attributes:
        run: the run.
        claim: its `job` is the name of the job on the cluster; empty while the run is queued here.
        submitted: whether the cluster has confirmed that it has the job.
        passed: whether the run was given to the persistent worker of a job that was there already.
        retried: whether it was restarted after its node was lost.
        pending: whether it is in Ray's queue, as far as is known.
        stop_requested: when its stop was requested, in monotonic seconds; None if it was not.
        stop_sent: whether Ray was asked to end the job.
        killed: whether the run is to end at once.
        lost: whether its job was lost with its node. The run has then been fenced off from its worker.
        heartbeat: the last one in its status.json, by the clock of the worker's machine.
        heard: when that heartbeat was first seen, in monotonic seconds. Clocks of two machines are never compared.
        touched: when the time of its status.json was last renewed, in monotonic seconds.
        owner: of the run.
    """

    run: Run
    claim: Claim = Claim()
    submitted: bool = False
    passed: bool = False
    retried: bool = False
    pending: bool = True
    stop_requested: float | None = None
    stop_sent: bool = False
    killed: bool = False
    lost: bool = False
    heartbeat: float = -1.0
    heard: float = field(default_factory=time.monotonic)
    touched: float = 0.0
    owner: str = field(init=False)

    def __post_init__(self) -> None:
        self.owner = owners.read_owner(self.run.path)

    @property
    def job(self) -> str:
        """Name of the job on the cluster; empty while the run is queued here."""
        return self.claim.job

    @property
    def silent(self) -> float:
        """Seconds since its status was last seen to change."""
        return time.monotonic() - self.heard

    @property
    def begun(self) -> bool:
        """True if a worker has it, as far as is known."""
        return bool(self.job) and not (self.pending and self.run.recorded_state == "queued")

    def wait_here(self) -> None:
        """Puts the run back into the queue here: the cluster no longer has it."""
        self.claim, self.submitted, self.passed, self.lost = Claim(), False, False, False

    def write(self, **changes: object) -> None:
        """Changes the run's status. Does nothing if its folder was deleted meanwhile."""
        write_stamped_status(self.run, replace(self.run.status(), **changes))  # type: ignore[arg-type]


class Tasks:
    """The runs that a RayBackend holds, in the order of their submission.

    Args:
        sweep: whether they are trials of a sweep, whose workers are persistent: see RayBackend.

    Attributes:
        lock: protects everything here.
        capacity: of the cluster.
        needs: cores and GPUs of each run.
        unwanted: names of jobs that Ray shall end.
    """

    def __init__(self, sweep: bool) -> None:
        self.lock = threading.RLock()
        self.capacity, self.needs = Capacity(), Needs()
        self.unwanted: list[str] = []
        self._sweep = sweep
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._idle: dict[str, float] = {}  # job of an idle persistent worker -> since when, in monotonic seconds
        self._served: dict[str, int] = {}  # owner -> number of the last turn; turns are numbered from 1

    def get(self, run: Run) -> Task | None:
        """The task of a run, if there is one."""
        return self._tasks.get(run.id)

    def add(self, task: Task) -> None:
        """Adds a task at the end of the queue."""
        self._tasks[task.run.id] = task

    def has(self, task: Task) -> bool:
        """False if the task was withdrawn meanwhile, for example while the cluster was asked about it."""
        return self._tasks.get(task.run.id) is task

    def all(self) -> list[Task]:
        """A copy of the list of tasks. Takes the lock."""
        with self.lock:
            return list(self._tasks.values())

    def forget(self, task: Task) -> None:
        """Removes a task whose run has ended. Takes the lock."""
        with self.lock:
            if self.has(task):
                del self._tasks[task.run.id]

    @property
    def waiting_here(self) -> int:
        """How many runs are queued here."""
        return sum(not task.job for task in self._tasks.values())

    @property
    def pending(self) -> int:
        """How many runs are in Ray's queue, as far as is known."""
        return sum(bool(task.job) and task.pending for task in self._tasks.values())

    @property
    def slots(self) -> int:
        """How many runs fit on the whole cluster, at least 1."""
        return max(1, self.capacity.slots(self.needs.cpus))

    def room(self) -> int:
        """How many of the runs that are queued here may be submitted now."""
        submitted = [task for task in self._tasks.values() if task.job]
        pending = sum(task.pending and not task.passed for task in submitted)
        busy = len({task.job for task in submitted} | self._idle.keys())
        free = max(0, min(self.capacity.free(self.needs.cpus), self.slots - busy + pending))
        if self._sweep:  # if others use the whole cluster, one trial waits in Ray's queue
            return max(0, free - pending, 1 - busy) + len(self.idle_jobs())
        return max(0, AHEAD + free - pending)

    def turns(self, more: Sequence[Task] = ()) -> list[Task]:
        """The tasks that are queued here, in the order of their turns. `more` are treated as if submitted last."""
        waiting = [task for task in self._tasks.values() if not task.job] + list(more)
        given = Counter(task.owner for task in self._tasks.values() if task.job)
        return [waiting[index] for index in next_turns([task.owner for task in waiting], given, self._served)]

    def next_tasks(self) -> list[Task]:
        """The tasks to submit now. First come those for which the cluster's answer got lost. Takes the lock."""
        with self.lock:
            unsure = [task for task in self._tasks.values() if task.job and not task.submitted]
            return unsure + self.turns()[: self.room()]

    def claim(self, task: Task) -> Job | None:
        """Claims a run for the cluster. Takes the lock.

        A run that may or may not have been submitted keeps its claim: Ray ignores a second job of the same name.

        Returns:
            The job to submit; None if the run was withdrawn, or was given to an idle persistent worker.
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
                task.write(state="queued", message=WAITING_MESSAGE)
                idle_job = next(iter(self.idle_jobs()), "")
                task.claim = claims.take_claim(run, retried=task.retried, job=idle_job)
                task.pending, task.heard, task.heartbeat = True, time.monotonic(), -1.0
                if idle_job:
                    del self._idle[idle_job]
                    task.submitted = task.passed = True
                    mailbox.send(runs_dir(), idle_job, run, task.claim.number)
                    return None
            return Job(task.job, run, task.claim.number, self.needs, self._sweep)

    # Persistent workers

    def mark_idle(self, job: str) -> None:
        """Notes that the worker of a job has finished its run. Takes the lock."""
        with self.lock:
            if self._sweep:
                self._idle[job] = time.monotonic()

    def idle_jobs(self) -> list[str]:
        """Jobs whose idle worker can get another run. One that has been idle for long may be exiting already."""
        most, now = mailbox.STAY_SECONDS - mailbox.TAKE_SECONDS, time.monotonic()
        self._idle = {job: since for job, since in self._idle.items() if now - since < most}
        return list(self._idle)

    def dismiss_idle_workers(self) -> None:
        """Tells as many idle workers to exit as others wait for a slot. Takes the lock."""
        with self.lock:
            for job in self.idle_jobs()[: max(0, self.capacity.waiting - self.pending)]:
                del self._idle[job]
                mailbox.dismiss(runs_dir(), job)

    def recall(self) -> None:
        """Takes a run back from Ray's queue if a worker is idle, to give it to that worker. Takes the lock."""
        with self.lock:
            if not self.idle_jobs() or self.waiting_here:
                return
            for task in self._tasks.values():
                waits_long = task.job and not task.passed and task.silent > RECALL_SECONDS
                if waits_long and not task.begun:
                    claims.fence(task.run)
                    self.unwanted.append(task.job)
                    task.wait_here()
                    return

    def withdraw(self, task: Task) -> None:
        """Ends a run that no worker has. If Ray starts its job after all, the worker finds its claim lost."""
        self.forget(task)
        if task.passed:
            mailbox.take_back(runs_dir(), task.job)
        if task.job:
            self.unwanted.append(task.job)
        if task.run.path.is_dir():
            claims.fence(task.run)
            task.write(state="stopped", message="Stopped before its turn came.")
