"""The driver on a cluster: one Ray job, `python -m mnist_core.worker --cluster NAME`, whose tasks are the runs.

Ray places the tasks and queues them. A process that has run one, and loaded TensorFlow, gets the next. A task whose
process or node is lost is run once more. The driver decides whose turn is next, and records how a run ended if its
worker could not. It exits after IDLE_SECONDS without a run; whoever submits the next run starts another driver.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from typing import Any, Protocol

from mnist_core.errors import RunError
from mnist_core.jobs.backend import GRACE_SECONDS
from mnist_core.jobs.lifecycle import conclude_run, requeue
from mnist_core.jobs.ray.cluster import Capacity
from mnist_core.jobs.ray.holds import WAITING_MESSAGE, Hold, Holds, keep_alive, turns
from mnist_core.runs import claims
from mnist_core.runs.claims import Claim
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import FINAL_STATES, STALE_SECONDS

POLL_SECONDS = 0.2
"""How often the files are read; the end of a task is noticed at once."""
IDLE_SECONDS = 300.0
"""How long the driver waits for another run. Until then, Ray keeps processes with TensorFlow loaded on the nodes."""
CHECK_SECONDS = 1.0
"""How often it is checked whether runs that train are still wanted."""

RESTARTED = "Its worker was lost after {epoch} of {epochs} epochs. It continues on another one."
LOST_AGAIN = "Its worker was lost for the second time. Resume it to continue."
LOST_STOPPING = "Its worker was lost before it had stopped. Resume it to continue."
KILLED = -9
"""Exit status of a worker that was ended on request."""

log = logging.getLogger("digitlab.ray")


class Pool(Protocol):
    """Ray's tasks."""

    def capacity(self) -> Capacity:
        """Of the cluster."""

    def submit(self, hold: Hold) -> Any:
        """Starts a task that trains a run, on a node of Ray's choice. Returns a handle of it."""

    def wait(self, tasks: list[Any], seconds: float) -> list[Any]:
        """Waits until one of the tasks has ended. Returns those that have."""

    def failure(self, task: Any) -> str:
        """Why an ended task did not train its run to an end; empty if it did."""

    def cancel(self, task: Any) -> None:
        """Ends a task and its process at once."""


class Driver:
    """Gives runs to a pool until there are none for a while.

    Args:
        holds: the runs.
        pool: trains them.
    """

    def __init__(self, holds: Holds, pool: Pool) -> None:
        self._holds, self._pool = holds, pool
        self._tasks: dict[Any, Hold] = {}
        self._own: set[str] = set()  # jobs whose status says that this process queues them
        self._stops: dict[str, float] = {}  # job -> when its stop was first seen, in monotonic seconds
        self._checked = -CHECK_SECONDS

    def serve(self) -> None:
        """Returns once there has been no run for IDLE_SECONDS."""
        busy = time.monotonic()
        while True:
            holds = self._holds.all()
            if holds or self._tasks:
                busy = time.monotonic()
            elif time.monotonic() - busy >= IDLE_SECONDS:
                return
            try:
                self._start(holds)
                if time.monotonic() - self._checked > CHECK_SECONDS:
                    self._checked = time.monotonic()
                    self._cancel_unwanted(holds)
                    keep_alive(holds)
            except (OSError, RunError):  # a full disk, or a folder that was deleted just now: the next turn copes
                log.exception("The files of a run could not be read or written")
            for task in self._pool.wait(list(self._tasks), POLL_SECONDS):
                self._end(self._tasks.pop(task), self._pool.failure(task))

    def _start(self, holds: list[Hold]) -> None:
        """Gives Ray as many runs as have room."""
        given = {hold.job for hold in self._tasks.values()}
        waiting = [hold for hold in holds if hold.job not in given and self._take(hold)]
        if waiting:
            for hold in turns(waiting, self._tasks.values())[: self._room()]:
                self._tasks[self._pool.submit(hold)] = hold

    def _take(self, hold: Hold) -> bool:
        """Makes this process the one that queues a run. Returns False if the run was withdrawn."""
        if hold.job in self._own and not hold.withdrawn:
            return True
        with claims.claiming(hold.run):
            if hold.withdrawn:
                self._holds.remove(hold)
                return False
            if hold.queued:
                write_state(hold.run, "queued", WAITING_MESSAGE)
        self._own.add(hold.job)
        return True

    def _room(self) -> int:
        """How many runs Ray may get: those that fit on free cores, and one that waits in Ray's queue."""
        capacity = self._pool.capacity()
        cpus = capacity.needs().cpus
        pending = sum(hold.queued for hold in self._tasks.values())
        return max(0, min(capacity.slots(cpus) - len(self._tasks), 1 + capacity.free(cpus) - pending))

    def _cancel_unwanted(self, holds: list[Hold]) -> None:
        """Ends the tasks of runs that were withdrawn, or that were asked to stop GRACE_SECONDS ago."""
        known = {hold.job for hold in holds}
        for task, hold in self._tasks.items():
            overdue = False
            if hold.run.control().get("stop") is True:
                overdue = time.monotonic() - self._stops.setdefault(hold.job, time.monotonic()) > GRACE_SECONDS
            if overdue or hold.job not in known or hold.withdrawn:
                self._pool.cancel(task)

    def _end(self, hold: Hold, failure: str) -> None:
        """Records how a run ended, unless its worker did, and lets go of it."""
        run = hold.run
        self._own.discard(hold.job)
        self._stops.pop(hold.job, None)
        try:
            with claims.claiming(run):
                claim = claims.read_claim(run)
                if failure and claim.job in ("", hold.job) and run.path.is_dir():
                    log.warning("%s: %s", hold.job, failure[:300])
                    self._conclude(run, claim, failure)
        except (OSError, RunError):  # the disk is full: the run will read as interrupted
            log.exception("The end of %s could not be recorded", run.id)
        self._holds.remove(hold)

    def _conclude(self, run: Run, claim: Claim, failure: str) -> None:
        """Records the end of a run whose worker is gone; does nothing if the worker did so itself."""
        state = run.recorded_state
        if state == "queued" and claim.job:
            write_state(run, "failed", f"The cluster cannot run it: {failure[-400:]}")
        elif state not in FINAL_STATES and claim.job and claim.retried:
            write_state(run, "interrupted", LOST_AGAIN)
        elif state not in FINAL_STATES and state != "queued":
            conclude_run(run, KILLED)


def write_state(run: Run, state: str, message: str) -> None:
    """Changes the state of a run in the name of this process."""
    write_stamped_status(run, replace(run.status(), state=state, message=message, seconds_left=None))


def begin_attempt(run: Run, job: str) -> bool:
    """In a task: claims the run for this process. An earlier attempt may have been lost with its node.

    In that case it waits until the worker of that attempt has been silent for STALE_SECONDS: it may live on, cut off
    from the cluster.

    Args:
        run: to train.
        job: under which it was submitted.

    Returns:
        False if the run must not be trained: it was withdrawn, has ended, or was lost for the second time.
    """
    with claims.claiming(run):
        claim, state = claims.read_claim(run), run.recorded_state
        if claim.job != job or state in FINAL_STATES:
            return False
        lost = state != "queued"
        claimed = claims.take_claim(run, retried=lost or claim.retried, job=job)
    os.environ[claims.CLAIM_VARIABLE] = str(claimed.number)
    if not lost:
        return True
    _await_silence(run)
    if run.recorded_state in FINAL_STATES or claims.claim_lost(run):
        return False
    if claim.retried:
        write_state(run, "interrupted", LOST_AGAIN)
        return False
    if run.control().get("stop") is True:
        write_state(run, "interrupted", LOST_STOPPING)
        return False
    status = run.status()
    message = RESTARTED.format(epoch=status.epoch, epochs=status.epochs)
    write_state(run, "interrupted", message)
    requeue(run, message)
    return True


def _await_silence(run: Run) -> None:
    """Returns once the run's status has not changed for STALE_SECONDS, by the clock of this machine."""
    heard, heartbeat = time.monotonic(), run.status().heartbeat
    while time.monotonic() - heard < STALE_SECONDS:
        time.sleep(0.2)
        if run.status().heartbeat != heartbeat:
            heard, heartbeat = time.monotonic(), run.status().heartbeat
