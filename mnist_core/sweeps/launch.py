"""Starts and resumes the process of a sweep.

launch_sweep(sweep)                           # a process: python -m mnist_core.sweeps.runner SWEEP_DIR
resume_sweep(sweep, trials=40)
"""

from __future__ import annotations

import os
import subprocess  # noqa: S404 - starts this package's own process
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mnist_core import owners
from mnist_core.errors import SweepError
from mnist_core.files.folders import delete_file
from mnist_core.files.write import open_log
from mnist_core.files.write_errors import explain_write_error
from mnist_core.processes import end_child, start_module
from mnist_core.runs import claims
from mnist_core.runs.disk_space import check_room
from mnist_core.runs.status import stamp_status
from mnist_core.sweeps.plan import checked_trials
from mnist_core.sweeps.store import Sweep, check_limits

DATABASE_AND_CLUSTER = ("PG*", "MYSQL_*", "RAY_*")
"""Environment variables by which a sweep's process connects to Optuna's database and to Ray, passwords included."""
_children: list[subprocess.Popen[bytes]] = []
"""Sweep processes that this process started. Polling them reaps those that have ended."""


def launch_sweep(sweep: Sweep) -> subprocess.Popen[bytes]:
    """Starts the sweep's process. It has a session of its own and outlives this process.

    Raises:
        SweepError: no process can be started, another process runs the sweep, or the folder cannot be written.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    started = None
    try:
        with claims.claiming(sweep.files):  # its process waits until its id is noted
            if sweep.live and (owner := sweep.files.status().pid) != os.getpid():  # whose server died as it started it
                raise SweepError(f"Process {owner} is already running the sweep {sweep.id}.")
            started = _start_process(sweep)
            # Readers notice if it dies before it writes a status itself.
            sweep.files.write_status(replace(stamp_status(sweep.files.status()), pid=started.pid))
    except OSError as error:
        if started is not None:
            end_child(started)  # otherwise resuming the sweep would start a second one
        message = f"The sweep {sweep.id} cannot be started. {explain_write_error(error, sweep.path)} Then resume it."
        _mark_failed(sweep, message)
        raise SweepError(message) from None
    _children.append(started)
    return started


def _start_process(sweep: Sweep) -> subprocess.Popen[bytes]:
    with open_log(sweep.log) as output:
        return start_module(
            "mnist_core.sweeps.runner",
            str(sweep.path.resolve()),
            threads=1,
            keep=DATABASE_AND_CLUSTER,
            stdout=output,
            stderr=output,
        )


def _mark_failed(sweep: Sweep, message: str) -> None:
    """Records that the sweep could not be started, so that it can be resumed while this process lives."""
    try:
        sweep.files.write_status(stamp_status(replace(sweep.files.status(), state="failed", message=message)))
    except OSError:
        with suppress(OSError):  # needs no space on the disk
            delete_file(sweep.path / "status.json")


def resume_sweep(sweep: Sweep, trials: int | None = None, backend: str | None = None) -> subprocess.Popen[bytes] | None:
    """Resumes a sweep that is paused or has ended, or extends one that is running.

    Args:
        sweep: the sweep.
        trials: how many in all from now on; unchanged by default.
        backend: where to train from now on, one of plan.BACKENDS; unchanged by default, and while the sweep is running.

    Returns:
        The sweep's new process; None if it was running already.

    Raises:
        SettingError: the number of trials is out of range.
        QueueFullError: as many sweeps run already as may.
        RunError: the runs of the sweep's owner, or all runs, take as much disk space as they may.
        SweepError: the sweep cannot be read or started, or its files cannot be written.
    """
    plan = sweep.plan()
    requests: dict[str, Any] = {"paused": False, "stop": False}
    if trials is not None:
        requests["trials"] = checked_trials(trials)
    try:
        with claims.claiming(sweep.files):
            if sweep.live:
                sweep.update_control(**requests)
                return None
            owner = owners.read_owner(sweep.path)
            check_limits(sweep, owner)
            check_room(owner, sweep.root)
            if backend is not None:
                requests["backend"] = backend
            sweep.update_control(**requests)
            queued = replace(sweep.files.status(), state="queued", message="Starting.", steps=sweep.target_trials(plan))
            sweep.files.write_status(stamp_status(queued))
    except OSError as error:
        raise SweepError(f"The sweep {sweep.id} cannot be resumed. {explain_write_error(error, sweep.path)}") from None
    return launch_sweep(sweep)
