"""Gives the jobs of a LocalQueue to workers when their turn comes, and records how their runs end."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from mnist_core.jobs import slots
from mnist_core.jobs.lifecycle import conclude_run
from mnist_core.jobs.local_queue import LocalJob, LocalQueue
from mnist_core.jobs.slots import Slots
from mnist_core.jobs.worker_pool import WorkerPool
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import FINAL_STATES, Status

log = logging.getLogger("digitlab.jobs")


class Dispatcher:
    """Starts, stops and ends the jobs of a queue. Not thread-safe: LocalBackend calls it under its lock.

    Args:
        queue: the jobs.
        pool: starts the workers.
        slots: of this machine.
        grace: seconds from a request to stop until SIGTERM, and from there until SIGKILL.
    """

    def __init__(self, queue: LocalQueue, pool: WorkerPool, slots: Slots, grace: float) -> None:
        self._queue, self._pool, self._slots, self._grace = queue, pool, slots, grace
        self._in_line = False

    def collect_ended(self) -> None:
        """Records how the runs whose workers have ended went."""
        for job in self._queue.ended():
            self._record_end(job)
        for job, worker in self._queue.training():
            with _noting_trouble(job):
                if worker.poll() is not None:
                    self.end(job, partial(conclude_run, job.run, worker.returncode, worker.pid, job.submitted))

    def end(self, job: LocalJob, record: Callable[[], None]) -> None:
        """Ends a job: writes how its run ended, as soon as that is possible, and only then removes it."""
        job.record_end = record
        self._record_end(job)

    def _record_end(self, job: LocalJob) -> None:
        with _noting_trouble(job):
            if job.record_end is not None:
                job.record_end()
            slots.release(job.run, {os.getpid(), job.worker.pid} if job.worker else {os.getpid()})
            self._queue.remove(job)

    def enforce_stops(self) -> None:
        """Sends SIGTERM, then SIGKILL, to workers that have ignored a request to stop."""
        for job, worker in self._queue.training():
            if job.stop_requested is None:
                continue
            waited = time.monotonic() - job.stop_requested
            if waited > 2 * self._grace:
                worker.kill()
            elif waited > self._grace and not job.terminated:
                worker.terminate()
                job.terminated = True

    def start_next(self) -> None:
        """Starts the jobs whose turn it is, as far as slots are free."""
        next_jobs = self._queue.turns()[: self._queue.free_slots()]
        if not next_jobs and self._in_line:
            self._slots.stop_waiting()
            self._in_line = False
        for job in next_jobs:
            with _noting_trouble(job):
                if _has_left(job.run):
                    self._queue.remove(job)
                elif job.run.path.is_dir() and not _is_stopped(job.run) and not self._slots.take(job.run):
                    self._in_line = True
                    return
                else:
                    self._start(job)

    def _start(self, job: LocalJob) -> None:
        if _is_stopped(job.run):
            self.end(job, lambda: record_stop(job.run))
            return
        self._queue.record_turn(job)
        in_use = [worker for _, worker in self._queue.training()]
        try:
            job.worker = self._pool.start(job.run, in_use)
        except OSError as error:  # the folder was deleted, or the machine takes no more processes
            failed = Status("failed", f"The worker could not be started: {error}.")
            self.end(job, lambda: write_stamped_status(job.run, failed))
        else:
            self._slots.assign(job.run, job.worker.pid)

    def keep_alive(self) -> None:
        """Renews the queued runs for other machines that share the storage: see `Run.keep_alive`."""
        for job in self._queue.turns():
            job.run.keep_alive()

    def update_idle_workers(self) -> None:
        """Starts or ends the workers that wait for a run."""
        self._pool.update_idle_workers(training=bool(self._queue.training()), waiting=bool(self._queue.turns()))


def _is_stopped(run: Run) -> bool:
    """True if another process has requested to stop a queued run."""
    return run.control().get("stop") is True


def _has_left(run: Run) -> bool:
    """True if a queued run has ended or trains elsewhere, because to others this process seemed to be gone."""
    status = run.status(grace=0)
    elsewhere = status.pid != 0 and (status.pid, status.host) != (os.getpid(), socket.gethostname())
    return run.recorded_state in FINAL_STATES or (not status.final and elsewhere)


def record_stop(run: Run) -> None:
    """Writes that a run was stopped while it was queued. Raises OSError."""
    status = replace(run.status(), state="stopped", message="Stopped before its turn came.", seconds_left=None)
    write_stamped_status(run, status)


@contextmanager
def _noting_trouble(job: LocalJob) -> Iterator[None]:
    """Logs any error that concerns one run, once: the other runs continue, and the next turn tries again."""
    try:
        yield
        job.trouble = ""
    except Exception as error:
        if repr(error) != job.trouble:
            log.exception("The files of %s could not be read or written", job.run.id)
        job.trouble = repr(error)
