"""What becomes of a run that a cluster has: its worker is listened to, and where that one is silent, Ray is asked.

A worker says by itself how its run ended. Ray's word counts where it does not: of a job that is lost with its node, was
given up, or cannot be run.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from mnist_core.config import runs_dir
from mnist_core.jobs.lifecycle import conclude_run
from mnist_core.jobs.ray.cluster import Jobs, JobState
from mnist_core.jobs.ray.tasks import Task, Tasks
from mnist_core.runs import claims, mailbox
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import FINAL_STATES, Status

QUIET_SECONDS = 4.0
"""A worker that has not written for so long is asked after."""

TAKEN_UP = "Its node was lost after {epoch} of {epochs} epochs. It is taken up elsewhere."
LOST_AGAIN = "Its node was lost, for the second time. Resume it to go on."
LOST_STOPPING = "Its node was lost before it had stopped. Resume it to go on."
KILLED = -9

log = logging.getLogger("digitlab.ray")


class Watch:
    """Over the runs of a RayBackend, by its thread.

    Args:
        tasks: the runs.
        grace: seconds between asking a run to stop and telling Ray to end its job.
        stale: seconds of silence after which a lost worker is taken for dead.
    """

    def __init__(self, tasks: Tasks, grace: float, stale: float) -> None:
        self._tasks, self._grace, self._stale = tasks, grace, stale

    def follow(self, task: Task, jobs: Jobs) -> None:
        """One run that the cluster has. Raises ClusterError where that cannot be asked."""
        state = self._listen(task)
        if state in FINAL_STATES and not task.killed:
            if state != "interrupted":
                self._tasks.stays(task.job)
            return self._tasks.forget(task)
        if not task.run.path.is_dir():
            self._tasks.unwanted.append(task.job)
            return self._tasks.forget(task)
        if task.lost:
            return self._take_up(task) if task.silent >= self._stale else None
        asked = task.stop_asked
        if asked is not None and not task.stop_sent and time.monotonic() - asked > self._grace:
            task.stop_sent = True
            jobs.stop(task.job)
        if task.killed or state == "queued" or task.silent >= QUIET_SECONDS:
            self._heed(task, jobs.state(task.job))

    def _listen(self, task: Task) -> str:
        """The state that its worker wrote last."""
        status, state = task.run.status(), task.run.recorded_state
        if status.heartbeat != task.heartbeat:
            task.heartbeat, task.heard = status.heartbeat, time.monotonic()
        if state != "queued":
            task.pending = False
        return state

    def _heed(self, task: Task, found: JobState) -> None:
        """What Ray says of a job whose worker says nothing."""
        with self._tasks.lock:
            if not self._tasks.has(task):
                return
            task.pending = found.state == "pending"
            gone = found.state not in ("pending", "running")
            if found.state == "crowded" or (gone and task.passed and mailbox.take_back(runs_dir(), task.job)):
                claims.fence(task.run)
                task.wait_here()  # for as long as it takes
            elif found.state == "refused":
                self.end(task, "failed", f"The cluster cannot run it: {found.message[-400:]}")
            elif found.state == "lost" and not task.killed:
                log.warning("%s is lost: %s", task.job, found.message[:300])
                claims.fence(task.run)
                task.lost = True
            elif found.state in ("ended", "lost"):
                self._conclude(task, found)

    def _conclude(self, task: Task, found: JobState) -> None:
        """Its worker has gone. What it wrote last may take a while to arrive, over a network: that counts first."""
        if not task.killed and task.silent < self._stale:
            return
        if not task.killed:
            _keep(task.run, found.message)
        conclude_run(task.run, KILLED if task.killed else found.exit_status)
        self._tasks.forget(task)

    def _take_up(self, task: Task) -> None:
        """A run whose node is gone: `interrupted`, and once it waits for another node."""
        with self._tasks.lock:
            run, status = task.run, task.run.status()
            if not self._tasks.has(task):
                return None
            if task.killed:
                return self._conclude(task, JobState("lost"))
            if task.retried:
                return self.end(task, "interrupted", LOST_AGAIN)
            if run.control().get("stop") is True:
                return self.end(task, "interrupted", LOST_STOPPING)
            message = TAKEN_UP.format(epoch=status.epoch, epochs=status.epochs)
            task.write(state="interrupted", message=message, seconds_left=None)
            if not has_checkpoint(run.path):
                run.trim_metrics(0)  # what it reported of an epoch that was not finished
                status = Status(epochs=status.epochs)
            write_stamped_status(run, replace(status, state="queued", message=message, seconds_left=None))
            task.retried = True
            task.wait_here()

    def end(self, task: Task, state: str, message: str) -> None:
        """It comes to nothing more."""
        task.write(state=state, message=message, seconds_left=None)
        self._tasks.forget(task)


def _keep(run: Run, message: str) -> None:
    """Keeps what Ray said in the run's log where its worker has left none."""
    if message and run.path.is_dir() and not (run.log.exists() and run.log.stat().st_size):
        run.log.write_text(message + "\n", encoding="utf-8")
