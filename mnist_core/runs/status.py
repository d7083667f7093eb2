"""How far a run has come and who trains it, stored in status.json; and whether that process is still alive."""

from __future__ import annotations

import math
import os
import socket
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mnist_core.fields import (
    AMOUNT,
    COUNT,
    SHARE,
    TIMESTAMP,
    Choice,
    Maybe,
    Text,
    accepted,
    allowed,
    is_number,
    rule_violations,
)
from mnist_core.files.json_reader import read_json
from mnist_core.liveness import identified_process_is_alive, process_identity, process_is_alive

FINAL_STATES = ("finished", "stopped", "failed", "interrupted")
STATES = ("queued", "running", "paused", "stopping", *FINAL_STATES)
END_SECONDS = 2.0
"""For this long after the last heartbeat of a process on this machine, its parent may still record how it ended."""
STALE_SECONDS = 10.0
"""A process on another machine whose heartbeat is older than this counts as gone."""

INFORMATIVE = {"images_per_second": AMOUNT, "seconds_left": AMOUNT, "train_seconds": AMOUNT, "prepared": SHARE}
"""Numbers that are only shown: one that is out of range is left out."""


@dataclass(frozen=True)
class Status:
    """How far a run has come.

    Attributes:
        state: one of STATES.
        message: one line for people: what the worker is doing, or why the run ended.
        epoch: finished epochs.
        epochs: epochs to train in all.
        step: trained batches.
        steps: batches to train in all.
        started: when the training loop began, in seconds since the epoch; 0 before.
        heartbeat: when the status was last written, in seconds since the epoch.
        images_per_second: over the last reports.
        seconds_left: estimated time left; None while there is no estimate.
        train_seconds: time spent in the training loop, without evaluation.
        pid: process that owns the run: the worker, or the server while the run is queued.
        process: which process `pid` is, see `liveness.process_identity`.
        host: name of the machine that this process runs on.
        data: one line about the training images.
        prepared: done share of what the message says is being prepared, 0..1.
    """

    state: str = allowed(Choice(STATES), "queued")
    message: str = allowed(Text(10_000), "")
    epoch: int = allowed(COUNT, 0)
    epochs: int = allowed(COUNT, 0)
    step: int = allowed(COUNT, 0)
    steps: int = allowed(COUNT, 0)
    started: float = allowed(TIMESTAMP, 0.0)
    heartbeat: float = allowed(TIMESTAMP, 0.0)
    images_per_second: float = allowed(AMOUNT, 0.0)
    seconds_left: float | None = allowed(Maybe(AMOUNT), None)
    train_seconds: float = allowed(AMOUNT, 0.0)
    pid: int = allowed(COUNT, 0)
    process: str = allowed(Text(1_000), "")
    host: str = allowed(Text(1_000), "")
    data: str = allowed(Text(10_000), "")
    prepared: float = allowed(SHARE, 0.0)

    @property
    def final(self) -> bool:
        """True when the run has ended."""
        return self.state in FINAL_STATES

    @property
    def epochs_trained(self) -> float:
        """Finished epochs and the trained share of the current one."""
        return self.epochs * self.step / self.steps if self.steps else 0.0

    @property
    def progress(self) -> float:
        """Trained share of all steps, before the training the prepared share of its images, 0..1."""
        return min(1.0, self.step / self.steps if self.steps else self.prepared)


def stamp_status(status: Status) -> Status:
    """Adds this process's id, host and the current time."""
    pid = os.getpid()
    return replace(status, pid=pid, process=process_identity(pid), host=socket.gethostname(), heartbeat=time.time())


def read_status(path: Path, grace: float = END_SECONDS) -> Status:
    """Reads a status.json. The state is `interrupted` when the process that wrote it is gone.

    Args:
        path: of the file. If it is missing or broken, the status is that of a queued run that nobody owns.
        grace: seconds after its last heartbeat in which a process that is gone does not count as gone yet.
    """
    value = read_json(path)
    known = {field.name: value[field.name] for field in fields(Status) if field.name in value}
    for name in INFORMATIVE:  # a worker's division, for example: no reason to give up the run
        if name in known and (known[name] is None or is_number(known[name])):
            known[name] = accepted(INFORMATIVE[name], known[name], getattr(Status(), name))
    status = replace(Status(), **known)
    if violations := rule_violations(status):
        return Status(
            "failed", f"Its status.json cannot be used: {violations[0]}. Restore the file, or delete the run."
        )
    if not _is_abandoned(status, path, grace):
        return status
    message = f"Its process is gone after {status.epoch} of {status.epochs} epochs."
    if status.state == "queued":
        message = "Its server ended before its turn came. Resume it."
        if status.host == socket.gethostname():
            message = "Its server ended before its turn came. Resume it, or start the server: it takes over its queue."
    if not value:
        message = "Its status.json is missing or cannot be read."
    return replace(status, state="interrupted", message=message, seconds_left=None)


def _is_abandoned(status: Status, path: Path, grace: float) -> bool:
    """True when the process is gone, or when it is on a machine that cannot be asked and its heartbeat is stale.

    The clocks of two machines may differ. For another machine's run, the file's time of change counts as well: it
    comes from the clock of the storage that both share. If that clock is wrong, too, what counts is whether this
    process has seen the time change.
    """
    if status.final:
        return False
    age = abs(time.time() - status.heartbeat)
    if status.host == socket.gethostname():
        return age >= grace and not _is_alive(status)
    if age < STALE_SECONDS:
        return False
    try:
        modified = path.stat().st_mtime
    except OSError:
        return True
    if not status.host:
        return True
    return abs(time.time() - modified) >= STALE_SECONDS and not _changes(path, modified)


_last_changes: dict[Path, tuple[float, float]] = {}  # status.json -> its time, and when that was seen to change


def _changes(path: Path, modified: float) -> bool:
    """True if this process has seen the file's time change within STALE_SECONDS, by a clock that nobody sets."""
    known, changed_at = _last_changes.get(path, (modified, -math.inf))
    if modified != known:
        changed_at = time.monotonic()
    _last_changes[path] = (modified, changed_at)
    return time.monotonic() - changed_at < STALE_SECONDS


def _is_alive(status: Status) -> bool:
    """True while the process that wrote the status runs. A younger process with the same id does not count."""
    if status.process.startswith(f"{status.pid} "):
        return identified_process_is_alive(status.process)
    return process_is_alive(status.pid, status.heartbeat)  # as earlier versions wrote it
