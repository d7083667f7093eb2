"""The disk space that the imports of one owner may take, DIGITLAB_IMPORT_MB.

Imports in the trash count, too: otherwise deleting and importing in turn would fill the disk. They are deleted for
good, the oldest first, when their space is needed.
"""

from __future__ import annotations

from pathlib import Path

from mnist_core import owners
from mnist_core.config import import_mb
from mnist_core.errors import RunError
from mnist_core.files.folders import delete_folder
from mnist_core.runs.disk_space import disk_bytes
from mnist_core.runs.imports import IMPORT_FILE
from mnist_core.runs.labels import run_title
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import trashed_folders

NAMED = 3
"""Runs that the error names."""


def check(owner: str, root: Path, wanted: int = 1) -> None:
    """Checks that an owner may import more, and makes room in the trash for it.

    Args:
        owner: NOBODY, the command line, has no limit.
        root: the folder of all runs.
        wanted: disk space of the next import in bytes.

    Raises:
        RunError: the budget is used up. Names the largest imports.
    """
    if owner == owners.NOBODY:
        return
    budget = import_mb() * 1_000_000
    sizes = {run: disk_bytes(run.path) for run in list_runs(root) if _is_import_of(run.path, owner)}
    used = sum(sizes.values())
    if used + wanted > budget:
        largest = sorted(sizes, key=lambda run: -sizes[run])[:NAMED]
        names = ", ".join(f"{run_title(run)} ({sizes[run] / 1e6:,.1f} MB)" for run in largest)
        raise RunError(
            f"Your imported runs take {used / 1e6:,.1f} MB. With this one they would exceed the limit for one person, "
            f"{budget / 1e6:,.0f} MB. "
            + (f"Delete some that you no longer need. The largest: {names}." if names else "This run is too large.")
        )
    _make_room_in_trash(owner, root, budget - used - wanted)


def _make_room_in_trash(owner: str, root: Path, free: int) -> None:
    """Deletes the oldest imports of an owner from the trash until the others take no more than `free` bytes."""
    for path in trashed_folders(root):  # the last deleted first
        if _is_import_of(path, owner):
            free -= disk_bytes(path)
            if free < 0:
                delete_folder(path)


def _is_import_of(folder: Path, owner: str) -> bool:
    return (folder / IMPORT_FILE).exists() and owners.read_owner(folder) == owner
