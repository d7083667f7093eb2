"""Follows the runs that a cluster has: reads what their workers write and, when a worker is silent, asks Ray.

A worker itself records how its run ended. Ray's answer counts only when it does not: for a job that was lost with its
node, that waited too long, or that cannot be run.
"""

from __future__ import annotations

import logging
import time

from mnist_core.config import runs_dir
from mnist_core.files import write_bytes
from mnist_core.jobs.lifecycle import conclude_run, requeue
from mnist_core.jobs.ray.cluster import Jobs, JobState
from mnist_core.jobs.ray.tasks import Task, Tasks
from mnist_core.runs import claims, mailbox
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES

QUIET_SECONDS = 4.0
"""Ray is asked about a worker that has written nothing for this long."""

RESTARTED = "Its node was lost after {epoch} of {epochs} epochs. It continues on another one."
LOST_AGAIN = "Its node was lost for the second time. Resume it to continue."
LOST_STOPPING = "Its node was lost before it had stopped. Resume it to continue."
KILLED = -9
"""Exit status of a worker that was ended on request."""

log = logging.getLogger("digitlab.ray")


class TaskMonitor:
    """Follows the runs of a RayBackend, in the backend's thread.

    Args:
        tasks: the runs.
        grace: seconds from a request to stop until the backend asks Ray to end the job.
        stale: seconds of silence after which a lost worker counts as dead.
    """

    def __init__(self, tasks: Tasks, grace: float, stale: float) -> None:
        self._tasks, self._grace, self._stale = tasks, grace, stale

    def follow(self, task: Task, jobs: Jobs) -> None:
        """Handles what has happened to one run since the last call. Raises ClusterError if Ray does not answer."""
        state = self._read_worker_state(task)
        if state in FINAL_STATES and not task.killed:
            if state != "interrupted":
                self._tasks.mark_idle(task.job)
            self._tasks.forget(task)
        elif not task.run.path.is_dir():
            self._tasks.unwanted.append(task.job)
            self._tasks.forget(task)
        elif task.lost:
            if task.silent >= self._stale:
                self._restart(task)
        else:
            if self._should_end_job(task):
                task.stop_sent = True
                jobs.stop(task.job)
            if task.killed or state == "queued" or task.silent >= QUIET_SECONDS:
                self._handle_job_state(task, jobs.state(task.job))

    def _read_worker_state(self, task: Task) -> str:
        """The state that the worker wrote last. Notes when the heartbeat changed."""
        status, state = task.run.status(), task.run.recorded_state
        if status.heartbeat != task.heartbeat:
            task.heartbeat, task.heard = status.heartbeat, time.monotonic()
        if state != "queued":
            task.pending = False
        return state

    def _should_end_job(self, task: Task) -> bool:
        requested = task.stop_requested
        return requested is not None and not task.stop_sent and time.monotonic() - requested > self._grace

    def _handle_job_state(self, task: Task, job: JobState) -> None:
        """Acts on Ray's answer about a job whose worker is silent."""
        with self._tasks.lock:
            if not self._tasks.has(task):
                return
            task.pending = job.state == "pending"
            gone = job.state not in ("pending", "running")
            if job.state == "crowded" or (gone and task.passed and mailbox.take_back(runs_dir(), task.job)):
                claims.fence(task.run)
                task.wait_here()  # for as long as it takes
            elif job.state == "refused":
                self.end(task, "failed", f"The cluster cannot run it: {job.message[-400:]}")
            elif job.state == "lost" and not task.killed:
                log.warning("%s is lost: %s", task.job, job.message[:300])
                claims.fence(task.run)
                task.lost = True
            elif job.state in ("ended", "lost"):
                self._conclude(task, job)

    def _conclude(self, task: Task, job: JobState) -> None:
        """Records the end of a run whose worker is gone.

        What the worker wrote last may take a while to arrive over a network, and counts first. So this waits until the
        run has been silent long enough.
        """
        if not task.killed and task.silent < self._stale:
            return
        if not task.killed:
            _save_to_log(task.run, job.message)
        conclude_run(task.run, KILLED if task.killed else job.exit_status)
        self._tasks.forget(task)

    def _restart(self, task: Task) -> None:
        """Queues a run whose node was lost, once; the second time it stays `interrupted`."""
        with self._tasks.lock:
            run, status = task.run, task.run.status()
            if not self._tasks.has(task):
                return
            if task.killed:
                self._conclude(task, JobState("lost"))
            elif task.retried:
                self.end(task, "interrupted", LOST_AGAIN)
            elif run.control().get("stop") is True:
                self.end(task, "interrupted", LOST_STOPPING)
            else:
                message = RESTARTED.format(epoch=status.epoch, epochs=status.epochs)
                task.write(state="interrupted", message=message, seconds_left=None)
                requeue(run, message)
                task.retried = True
                task.wait_here()

    def end(self, task: Task, state: str, message: str) -> None:
        """Records how a run ended, and forgets it."""
        task.write(state=state, message=message, seconds_left=None)
        self._tasks.forget(task)


def _save_to_log(run: Run, message: str) -> None:
    """Writes Ray's message to the run's log if the worker has written nothing there."""
    if message and run.path.is_dir() and not (run.log.exists() and run.log.stat().st_size):
        write_bytes(run.log, f"{message}\n".encode())
