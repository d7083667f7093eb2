"""Slots: how many runs train on this machine at once, whichever processes start them.

    slots = Slots(limit=2)
    slots.take(run)                  # False while as many runs train already, or others have waited longer
    slots.assign(run, worker.pid)    # from now on the slot is free when this process ends

    RUNS_DIR/.slots-<host>.json     {"training": {"<run's folder>": {"pid", "process"}}, "waiting": {"<pid>": …}}

The file is read and written under the lock of RUNS_DIR. A slot is free as soon as its process is gone, or when
it is given back. A process that found no slot waits in line, and the one that has waited longest goes first; within a
process its own queue decides. Paused runs need no core and do not count.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psutil

from mnist_core.config import runs_dir
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.liveness import identified_process_is_alive, process_identity
from mnist_core.locks import locked
from mnist_core.runs.run import Run

SLOTS_FILES = ".slots-*.json"
"""Pattern of the files of all machines, in RUNS_DIR."""

Entries = dict[str, dict[str, Any]]
"""Run's folder, or process id -> a process: its `pid`, and which `process` has that id, see `process_identity`."""


class Slots:
    """The slots of this machine, as one process uses them.

    Args:
        limit: runs that may train at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def take(self, run: Run) -> bool:
        """Takes a slot for a run in the name of this process, which is about to start its worker.

        Returns:
            False if there is no slot. This process is then in line, until it gets one or calls `stop_waiting`.

        Raises:
            OSError: the file cannot be written.
            RunError: another process holds the lock for long.
        """
        me = str(os.getpid())
        with locked(runs_dir()):
            training, waiting = _read()
            if _key(run) in training:  # taken already, or an earlier server has started its worker a moment ago
                return bool(training[_key(run)]["pid"] == os.getpid())
            line = list(waiting)
            ahead = line.index(me) if me in line else len(line)
            if self._limit - sum(not _is_paused(key) for key in training) > ahead:
                waiting.pop(me, None)
                _write({**training, _key(run): _entry(os.getpid())}, waiting)
                return True
            if me not in waiting:
                _write(training, {**waiting, me: _entry(os.getpid())})
            return False

    def assign(self, run: Run, pid: int) -> None:
        """Notes which process trains the run, so that its slot stays taken if this process dies. Raises OSError."""
        with locked(runs_dir()):
            training, waiting = _read()
            _write({**training, _key(run): _entry(pid)}, waiting)

    def stop_waiting(self) -> None:
        """Leaves the line. Raises OSError."""
        with locked(runs_dir()):
            training, waiting = _read()
            if waiting.pop(str(os.getpid()), None):
                _write(training, waiting)


def training_process(run: Run) -> int:
    """The process on this machine that trains the run, or is about to start its worker; 0 if there is none."""
    training, _ = _read()
    return int(training[_key(run)]["pid"]) if _key(run) in training else 0


def release(run: Run, pids: Collection[int] = ()) -> None:
    """Gives the slot of an ended run back.

    Args:
        run: that has ended.
        pids: only if one of these processes has the slot; by default, whoever has it.

    Raises:
        OSError: the file cannot be written.
    """
    with locked(runs_dir()):
        training, waiting = _read()
        entry = training.pop(_key(run), None)
        if entry is not None and (not pids or entry["pid"] in pids):
            _write(training, waiting)


def _file() -> Path:
    return runs_dir() / SLOTS_FILES.replace("*", socket.gethostname())


def _read() -> tuple[Entries, Entries]:
    """The taken slots and the line, without processes that are gone."""
    content = read_json(_file())
    training, waiting = (_valid_entries(content.get(part)) for part in ("training", "waiting"))
    return (
        {key: entry for key, entry in training.items() if _is_alive(entry)},
        {pid: entry for pid, entry in waiting.items() if _is_alive(entry) and not _is_suspended(entry)},
    )


def _valid_entries(part: Any) -> Entries:
    entries = part.items() if isinstance(part, dict) else ()
    return {
        key: entry
        for key, entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("pid"), int) and isinstance(entry.get("process"), str)
    }


def _write(training: Entries, waiting: Entries) -> None:
    write_json(_file(), {"training": training, "waiting": waiting}, durable=False)


def _key(run: Run) -> str:
    return str(run.path.resolve())


def _entry(pid: int) -> dict[str, Any]:
    return {"pid": pid, "process": process_identity(pid)}


def _is_alive(entry: dict[str, Any]) -> bool:
    return identified_process_is_alive(entry["process"])


def _is_suspended(entry: dict[str, Any]) -> bool:
    """True for a process that was suspended, as by Ctrl-Z: the others in line do not wait for it."""
    try:
        return psutil.Process(entry["pid"]).status() == psutil.STATUS_STOPPED
    except (psutil.Error, ValueError, OverflowError):
        return False


def _is_paused(key: str) -> bool:
    return Run(Path(key)).recorded_state == "paused"
