"""Starts, resumes and restarts runs on any job backend, and records how they ended."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mnist_core import owners
from mnist_core.errors import DigitLabError, QueueFullError, RunError, SettingError
from mnist_core.files.folders import delete_folder
from mnist_core.files.read import read_tail
from mnist_core.files.write import write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.jobs import slots
from mnist_core.jobs.backend import JobBackend
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs import claims
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.disk_space import check_room
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import FINAL_STATES, Status
from mnist_core.runs.store import create_run
from mnist_core.wording import plural

WAITING_MESSAGE = "Waiting for its turn."
LOG_BYTES = 4_000
"""Length of the end of a log in which its last line is looked for."""


def start_run(backend: JobBackend, spec: RunSpec, owner: str = owners.NOBODY, root: Path | None = None) -> Run:
    """Creates a run and submits it.

    Args:
        backend: trains it.
        spec: what it trains.
        owner: of the run.
        root: the folder for it; by default RUNS_DIR.

    Raises:
        RunError: the runs of this owner, or all runs, take as much disk space as they may.
        QueueFullError: the queue is full, for everybody or for this owner.
        ClusterError: the cluster cannot be reached.

    After an error, the run is deleted.
    """
    check_room(owner, root)
    run = create_run(spec, root, owner)
    try:
        backend.submit(run)
    except (DigitLabError, OSError):
        delete_folder(run.path)
        raise
    return run


def resume_run(backend: JobBackend, run: Run, epochs: int | None = None) -> None:
    """Submits an ended run again: from its checkpoint, or from the beginning if it has none.

    Args:
        backend: trains it.
        run: ended.
        epochs: to train in all; by default as before.

    Raises:
        RunError: the run has not ended, cannot be trained again, or its files cannot be written; or the runs of its
            owner, or all runs, take as much disk space as they may.
        SettingError: the number of epochs is out of range.
        QueueFullError: the queue is full.
        ClusterError: the cluster cannot be reached.

    After an error, the run is as it was.
    """
    undo = prepare_resume(run, epochs)
    try:
        backend.submit(run)
    except (DigitLabError, OSError):
        undo()
        raise


def prepare_resume(run: Run, epochs: int | None = None) -> Callable[[], None]:
    """Marks an ended run as queued by this process, which then has to train it. Only one process succeeds.

    Args:
        run: ended.
        epochs: to train in all; by default as before. If the run has finished, its early-stopping limits start over.

    Returns:
        What makes the run as it was.

    Raises:
        RunError: the run has not ended, cannot be trained again, or its files cannot be written; or the runs of its
            owner, or all runs, take as much disk space as they may.
        SettingError: the number of epochs is out of range.
    """
    rule = setting_rules()["epochs"]
    if epochs is not None and not rule.accepts(epochs):
        raise SettingError(f"epochs is {epochs!r}, expected {rule}.")
    try:
        with claims.claiming(run):
            status, control = run.status(grace=0), run.control()
            _check_resumable(run, status)
            check_room(owners.read_owner(run.path), run.path.parent)
            slots.release(run)
            claims.fence(run)  # a worker that was cut off somewhere must not write to it again
            requested = {"epochs": epochs} if epochs is not None else {}
            if epochs is not None and (status.state == "finished" or epochs > status.epochs):
                requested["extended_epoch"] = status.epoch
            run.update_control(stop=False, paused=False, **requested)
            try:
                requeue(run)
            except OSError:
                write_json(run.path / "control.json", control)
                raise
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be resumed. {explain_write_error(error, run.path)}") from None

    def undo() -> None:
        write_json(run.path / "control.json", control)
        run.write_status(status)

    return undo


def can_be_resumed(run: Run) -> bool:
    """True if a run that has ended can be trained on, or again if it has no checkpoint and no model."""
    return has_checkpoint(run.path) or not run.has_model


def _check_resumable(run: Run, status: Status) -> None:
    if not run.path.is_dir():
        raise RunError(f"There is no run {run.id!r} any more. It was deleted.")
    if not status.final:
        raise RunError(f"The run {run.id} is {status.state}: it need not be resumed.")
    if run.recorded_state not in FINAL_STATES and (worker := slots.training_process(run)):
        raise RunError(f"The run {run.id} is being trained by process {worker}: it need not be resumed.")
    if not can_be_resumed(run):
        raise RunError(f"The run {run.id} has a model but no checkpoint to resume from. Train it again as a new run.")


def requeue(run: Run, message: str = WAITING_MESSAGE) -> None:
    """Sets the status of an ended run to queued. Does nothing if the run was deleted.

    Without a checkpoint the training begins again; its worker then removes the earlier reports.

    Args:
        run: ended.
        message: for people, in its status.
    """
    status = run.status()
    if run.path.is_dir() and not has_checkpoint(run.path):
        status = Status(epochs=status.epochs)
    write_stamped_status(run, replace(status, state="queued", message=message, seconds_left=None))


def check_queue_limits(waiting: Sequence[str], owner: str, limit: int, limit_each: int) -> None:
    """Checks that a queue takes one more run.

    Args:
        waiting: owners of the runs that would wait, including the new one.
        owner: of the new run.
        limit: how many runs may wait.
        limit_each: how many runs of one owner may wait.

    Raises:
        QueueFullError: more runs would wait than may.
    """
    if len(waiting) > limit:
        raise QueueFullError(
            f"The queue has {plural(len(waiting) - 1, 'waiting run')}; the limit is {limit}. Try again when one has "
            "ended. The administrator of this server can raise DIGITLAB_MAX_QUEUED."
        )
    own = sum(other == owner for other in waiting)
    if own > limit_each:
        raise QueueFullError(
            f"You have {plural(own - 1, 'waiting run')}; the limit for one person is {limit_each}. Wait until one has "
            "started, or stop one. The administrator of this server can raise DIGITLAB_MAX_QUEUED_EACH."
        )


def conclude_run(run: Run, exit_status: int, worker: int = 0, submitted: float = math.inf) -> None:
    """Records how a run ended whose worker is gone, unless the worker did so itself.

    Args:
        run: whose worker has ended.
        exit_status: of the worker; negative, or 137, if a signal ended it.
        worker: process id of the worker, if it trained on this machine. The run may belong to another process by now.
        submitted: when the run was submitted, in seconds since the epoch. If it has been queued again since, this is
            not the end of it.

    Raises:
        OSError: the run's files cannot be read or written.
    """
    with claims.claiming(run):
        status = run.status(grace=0)
        if status.final and (status.state != "interrupted" or run.recorded_state == "interrupted"):
            return
        here = worker and status.host == socket.gethostname()
        if not status.final and here and status.pid not in (worker, os.getpid()):
            return
        if status.state == "queued" and status.heartbeat > submitted:
            return
        state, message = _describe_end(run, exit_status)
        write_stamped_status(run, replace(status, state=state, message=message, seconds_left=None))


def _describe_end(run: Run, exit_status: int) -> tuple[str, str]:
    """The state and the message of a run whose worker ended without a word."""
    if exit_status < 0 or exit_status == 137:
        if run.control().get("stop") is True:
            return "interrupted", "Its worker did not stop by itself, and was ended."
        return "interrupted", "Something ended its worker from outside; perhaps the machine ran out of memory."
    lines = _last_lines(run)
    last_line = next((line for line in reversed(lines) if line.strip()), "it left no message")
    return "failed", f"Its worker ended: {last_line}"


def _last_lines(run: Run) -> list[str]:
    """The last lines of its log; none if there is no log that can be read."""
    try:
        return read_tail(run.log, LOG_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
