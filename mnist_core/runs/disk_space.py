"""The disk space of runs, for each owner and in all: DIGITLAB_RUNS_MB_EACH and DIGITLAB_RUNS_MB.

check_room(visitor.owner, root)          # before a run is made
deletable_runs(usage, owner, wanted)     # what the Runs page offers to delete; nothing is deleted without a click

The trash counts in all: it takes space for a day. An owner's own trash is deleted earlier, the oldest first, where its
space is needed; nobody else's ever is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mnist_core import owners
from mnist_core.config import runs_dir, runs_mb, runs_mb_each
from mnist_core.errors import RunError
from mnist_core.files.folders import delete_folder
from mnist_core.runs.labels import read_label
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import trashed_folders

MEGABYTE = 1_000_000
"""Bytes of the unit in settings and messages."""
BLOCK_BYTES = 512
"""Unit of `st_blocks`, whatever the file system."""
DELETABLE_STATES = ("finished", "stopped", "failed")
"""Of the runs that are offered for deletion: an interrupted one can be resumed."""


@dataclass(frozen=True)
class Measured:
    """A run's folder.

    Attributes:
        path: the folder.
        owner: of the run.
        size: disk space in bytes.
    """

    path: Path
    owner: str
    size: int


@dataclass(frozen=True)
class Usage:
    """The disk space of all runs.

    Attributes:
        runs: newest first.
        trash: deleted runs, the last deleted first.
    """

    runs: tuple[Measured, ...]
    trash: tuple[Measured, ...]

    @property
    def total(self) -> int:
        """Bytes of all runs and of the trash."""
        return _sum(self.runs) + _sum(self.trash)

    def of(self, owner: str) -> int:
        """Bytes of an owner's runs, without the trash."""
        return _sum([run for run in self.runs if run.owner == owner])


def measure_usage(root: Path | None = None) -> Usage:
    """Measures all runs. A run that has not changed since is not walked through again: 500 take 20 ms."""
    root = root or runs_dir()
    return Usage(tuple(_measured(run.path) for run in list_runs(root)), tuple(map(_measured, trashed_folders(root))))


def check_room(owner: str, root: Path | None = None) -> None:
    """Checks that there is room for another run, and makes it by deleting from the owner's own trash.

    Args:
        owner: of the next run. NOBODY, the command line, has no limit of its own.
        root: the folder of all runs.

    Raises:
        RunError: the owner's runs, or all runs, take as much as they may.
    """
    usage, each, most = measure_usage(root), runs_mb_each() * MEGABYTE, runs_mb() * MEGABYTE
    own_trash = [run for run in usage.trash if run.owner == owner]
    mine = usage.of(owner)
    if owner != owners.NOBODY and mine >= each:
        raise RunError(
            f"Your runs take {_megabytes(mine)}; the limit for one person is {_megabytes(each)}. Delete some on the "
            "Runs page: Disk space lists the oldest and their sizes."
        )
    if usage.total - _sum(own_trash) >= most:
        raise RunError(
            f"The runs on this server, including the trash, take {_megabytes(usage.total)}; the limit is "
            f"{_megabytes(most)}. Delete some of yours on the Runs page, under Disk space. The administrator of this "
            "server can raise DIGITLAB_RUNS_MB."
        )
    excess = usage.total - most
    if owner != owners.NOBODY:
        excess = max(excess, mine + _sum(own_trash) - each)
    for run in reversed(own_trash):
        if excess >= 0:
            delete_folder(run.path)
            excess -= run.size


def deletable_runs(usage: Usage, owner: str | None, wanted: int) -> list[Measured]:
    """The oldest runs that have ended and have no star.

    Args:
        usage: of `measure_usage`.
        owner: whose runs; None for everybody's, which only an administrator may delete.
        wanted: as many runs as free these bytes.
    """
    chosen: list[Measured] = []
    for measured in reversed(usage.runs):
        if _sum(chosen) >= wanted:
            break
        run = Run(measured.path)
        if owner in (None, measured.owner) and run.status().state in DELETABLE_STATES and not read_label(run).starred:
            chosen.append(measured)
    return chosen


def disk_bytes(folder: Path) -> int:
    """Disk space of a folder and everything in it, in bytes. What is deleted meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for path in (Path(place), *(Path(place) / name for name in names)):
            try:
                found = path.lstat()
            except OSError:
                continue
            total += found.st_blocks * BLOCK_BYTES if hasattr(found, "st_blocks") else found.st_size
    return total


def _measured(path: Path) -> Measured:
    return _measure(path, _changed_at(path), _changed_at(path / "status.json"))


@lru_cache(maxsize=5000)
def _measure(path: Path, folder_changed: int, status_changed: int) -> Measured:
    """A run's folder as it was at these times. A run that trains writes its status every few seconds."""
    return Measured(path, owners.read_owner(path), disk_bytes(path))


def _changed_at(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _sum(runs: Sequence[Measured]) -> int:
    return sum(run.size for run in runs)


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:,.0f} MB"
