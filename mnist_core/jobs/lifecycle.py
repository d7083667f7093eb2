"""Starts, resumes and restarts runs on any job backend, and records how they ended."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnist_core import owners
from mnist_core.errors import ClusterError, QueueFullError, RunError, SettingError
from mnist_core.files import write_json
from mnist_core.jobs.backend import JobBackend
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs import claims
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run

WAITING_MESSAGE = "Waiting for its turn."


def start_run(backend: JobBackend, spec: RunSpec, owner: str = owners.NOBODY, root: Path | None = None) -> Run:
    """Creates a run and submits it.

    Args:
        backend: trains it.
        spec: what it trains.
        owner: of the run.
        root: the folder for it; by default RUNS_DIR.

    Raises:
        QueueFullError: the queue is full, for everybody or for this owner.
        ClusterError: the cluster cannot be reached.

    After an error, the run is deleted.
    """
    run = create_run(spec, root, owner)
    try:
        backend.submit(run)
    except (QueueFullError, ClusterError):
        shutil.rmtree(run.path)
        raise
    return run


def resume_run(backend: JobBackend, run: Run, epochs: int | None = None) -> None:
    """Submits an ended run again, to resume from its checkpoint.

    Args:
        backend: trains it.
        run: ended, with a checkpoint.
        epochs: to train in all; by default as before.

    Raises:
        RunError: the run has not ended, or has no checkpoint.
        SettingError: the number of epochs is out of range.
        QueueFullError: the queue is full.
        ClusterError: the cluster cannot be reached.

    After an error, the run is as it was.
    """
    status, control = run.status(), run.control()
    prepare_resume(run, epochs)
    try:
        backend.submit(run)
    except (QueueFullError, ClusterError):
        write_json(run.path / "control.json", control)
        run.write_status(status)
        raise


def prepare_resume(run: Run, epochs: int | None = None) -> None:
    """Marks an ended run as queued, so that a worker resumes it from its checkpoint.

    Args:
        run: ended, with a checkpoint.
        epochs: to train in all; by default as before.

    Raises:
        RunError: the run has not ended, or has no checkpoint.
        SettingError: the number of epochs is out of range.
    """
    status = run.status()
    if not status.final:
        raise RunError(f"The run {run.id} is {status.state}: it need not be resumed.")
    if not has_checkpoint(run.path):
        raise RunError(f"The run {run.id} ended before its first epoch was over. Train it again from the beginning.")
    rule = setting_rules()["epochs"]
    if epochs is not None and not rule.accepts(epochs):
        raise SettingError(f"epochs is {epochs!r}, expected {rule}.")
    claims.fence(run)  # a worker that was cut off somewhere must not write to it again
    run.update_control(stop=False, paused=False, **({} if epochs is None else {"epochs": epochs}))
    requeue(run)


def resume_or_restart_run(backend: JobBackend, run: Run) -> None:
    """Submits an ended run again: from its checkpoint, or from the beginning if it has none.

    Raises:
        QueueFullError: the queue is full.
        ClusterError: the cluster cannot be reached.
    """
    if has_checkpoint(run.path):
        resume_run(backend, run)
        return
    claims.fence(run)  # a worker that was cut off somewhere must not write to it again
    run.update_control(stop=False, paused=False)
    requeue(run)
    backend.submit(run)


def requeue(run: Run, message: str = WAITING_MESSAGE) -> None:
    """Sets the status of an ended run to queued. Does nothing if the run was deleted.

    Without a checkpoint the training begins again, so the reports of the unfinished first epoch are removed.

    Args:
        run: ended.
        message: for people, in its status.
    """
    status = run.status()
    if run.path.is_dir() and not has_checkpoint(run.path):
        run.trim_metrics(0)
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
            f"{len(waiting) - 1} runs are waiting already, and at most {limit} may. Try again when one has ended, "
            "or raise DIGITLAB_MAX_QUEUED."
        )
    own = sum(other == owner for other in waiting)
    if own > limit_each:
        raise QueueFullError(
            f"{own - 1} of your runs are waiting already, and at most {limit_each} may. Wait until one of them has "
            "started, or stop one. The administrator of this server can raise DIGITLAB_MAX_QUEUED_EACH."
        )


def conclude_run(run: Run, exit_status: int) -> None:
    """Records how a run ended whose worker is gone, unless the worker did so itself.

    Args:
        run: whose worker has ended.
        exit_status: of the worker; negative, or 137, if a signal ended it.
    """
    status = run.status()
    if status.final and status.state != "interrupted":
        return
    if exit_status < 0 or exit_status == 137:
        reason = "Something ended its worker from outside; perhaps the machine ran out of memory."
        write_stamped_status(run, replace(status, state="interrupted", message=reason))
        return
    lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines() if run.log.exists() else []
    last_line = next((line for line in reversed(lines) if line.strip()), "it left no message")
    write_stamped_status(run, replace(status, state="failed", message=f"Its worker ended: {last_line}"))
