"""The runs of a LocalBackend: which are training, which are queued, and whose turn is next."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mnist_core import owners
from mnist_core.jobs.fair_queue import next_turns
from mnist_core.jobs.lifecycle import check_queue_limits
from mnist_core.jobs.worker_pool import Worker
from mnist_core.runs.run import Run


@dataclass
class LocalJob:
    """A run that the backend holds.

    Attributes:
        run: the run.
        worker: trains it; None while it is queued.
        record_end: writes how the run ended; None before. The run is held until this has succeeded, so that a full disk
            loses no run.
        stop_requested: when its stop was requested, in monotonic seconds; None if it was not.
        terminated: whether the worker was sent SIGTERM.
        trouble: the last error of this run that was logged.
        submitted: when the run was submitted or adopted, in seconds since the epoch.
        owner: of the run; read once, because the folder may be deleted while the run is queued.
    """

    run: Run
    worker: Worker | None = None
    record_end: Callable[[], None] | None = None
    stop_requested: float | None = None
    terminated: bool = False
    trouble: str = ""
    submitted: float = field(default_factory=time.time)
    owner: str = field(init=False)

    def __post_init__(self) -> None:
        self.owner = owners.read_owner(self.run.path)

    @property
    def queued(self) -> bool:
        """True until it has a worker or is withdrawn."""
        return self.worker is None and self.record_end is None


class LocalQueue:
    """Jobs in the order of their submission; those that have ended are removed. Not thread-safe.

    Args:
        slots: runs that train at the same time.
        limit: runs that may be queued.
        limit_each: runs of one owner that may be queued.
    """

    def __init__(self, slots: int, limit: int, limit_each: int) -> None:
        self.slots = slots
        self._limit, self._limit_each = limit, limit_each
        self._jobs: OrderedDict[str, LocalJob] = OrderedDict()
        self._last_turns: dict[str, int] = {}  # owner -> number of the last turn; turns are numbered from 1

    def get(self, run: Run) -> LocalJob | None:
        """The job of a run, if there is one."""
        return self._jobs.get(run.id)

    def run_ids(self) -> set[str]:
        """Ids of all runs that are queued or training."""
        return {run_id for run_id, job in self._jobs.items() if job.record_end is None}

    def ended(self) -> list[LocalJob]:
        """The jobs that have ended, while that is not written."""
        return [job for job in self._jobs.values() if job.record_end is not None]

    def add(self, job: LocalJob) -> None:
        """Adds a job, whatever the limits."""
        self._jobs[job.run.id] = job

    def submit(self, job: LocalJob) -> None:
        """Adds a job. Raises QueueFullError if more would be queued than may once all slots are taken."""
        still_waiting = self.turns([job])[self.free_slots() :]
        check_queue_limits([other.owner for other in still_waiting], job.owner, self._limit, self._limit_each)
        self.add(job)

    def remove(self, job: LocalJob) -> None:
        """Removes a job that has ended or was withdrawn."""
        if self._jobs.get(job.run.id) is job:
            del self._jobs[job.run.id]

    def training(self) -> list[tuple[LocalJob, Worker]]:
        """The jobs that have a worker, with it."""
        jobs = self._jobs.values()
        return [(job, job.worker) for job in jobs if job.worker is not None and job.record_end is None]

    def free_slots(self) -> int:
        """How many more runs may train. As many paused ones as there are slots do not count: they need no core.

        More of them do, because their workers take memory.
        """
        states = [job.run.recorded_state for job, _ in self.training()]
        paused = states.count("paused")
        return max(0, self.slots - (len(states) - min(paused, self.slots)))

    def turns(self, more: Sequence[LocalJob] = ()) -> list[LocalJob]:
        """The queued jobs in the order in which they will start. `more` are treated as if submitted last."""
        waiting = [job for job in self._jobs.values() if job.queued] + list(more)
        running = Counter(job.owner for job, _ in self.training())
        return [waiting[index] for index in next_turns([job.owner for job in waiting], running, self._last_turns)]

    def position(self, run: Run) -> int:
        """The run's place among the queued ones, from 1; 0 if it is not queued."""
        ids = [job.run.id for job in self.turns()]
        return ids.index(run.id) + 1 if run.id in ids else 0

    def ahead(self, run: Run) -> list[Run]:
        """The runs that are training and not paused, then those that start before this one."""
        waiting = [job.run for job in self.turns()]
        training = [job.run for job, _ in self.training() if job.run.recorded_state != "paused"]
        return training + waiting[: max(0, self.position(run) - 1)]

    def record_turn(self, job: LocalJob) -> None:
        """Notes that the owner of a job had a turn just now."""
        self._last_turns[job.owner] = max(self._last_turns.values(), default=0) + 1
