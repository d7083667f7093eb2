"""Deleted runs stay in the trash for a day.

RUNS_DIR/.bin/<seconds since the epoch>-<run id>/
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from mnist_core.config import runs_dir
from mnist_core.errors import RunError, RunNotFoundError
from mnist_core.files.folders import delete_folder, make_folder, move
from mnist_core.files.write_errors import explain_write_error
from mnist_core.runs import claims
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run

TRASH_FOLDER = ".bin"
KEPT_SECONDS = 24 * 3600
"""How long a deleted run can be restored."""
CLOCK_SECONDS = 60
"""Largest difference between the clocks of machines that share RUNS_DIR."""

_TRASHED_NAME = re.compile(r"([0-9]{1,12})-(.+)")


def move_to_trash(run: Run) -> None:
    """Deletes a run that has ended; `restore_from_trash` brings it back.

    Raises:
        RunError: the run has not ended, or cannot be moved.
    """
    target = run.path.parent / TRASH_FOLDER / f"{int(time.time())}-{run.id}"
    try:
        with claims.claiming(run):
            status = run.status()
            if not status.final:
                raise RunError(f"The run {run.id} is {status.state}. Stop it before you delete it.")
            make_folder(target.parent)
            move(run.path, target)
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be deleted. {explain_write_error(error, run.path.parent)}") from None


def trashed_runs(root: Path | None = None) -> dict[str, float]:
    """Returns run id -> when it was deleted, in seconds since the epoch; the last deleted first."""
    deleted = {match[2]: min(float(match[1]), time.time()) for match, _ in _trash_entries(root)}
    return dict(sorted(deleted.items(), key=lambda item: -item[1]))


def find_in_trash(run_id: str, root: Path | None = None) -> Run:
    """Returns a run in the trash, readable where it is. Raises RunNotFoundError if it is not there."""
    path = next((path for match, path in _trash_entries(root) if match[2] == run_id), None)
    if path is None:
        raise RunNotFoundError(f"The run {run_id[:80]!r} is not in the trash. Deleted runs can be restored for a day.")
    return Run(path)


def restore_from_trash(run_id: str, root: Path | None = None) -> Run:
    """Moves a run back from the trash.

    Raises:
        RunNotFoundError: it is not in the trash.
        RunError: it cannot be moved.
    """
    root = root or runs_dir()
    try:
        move(find_in_trash(run_id, root).path, root / run_id)
    except OSError as error:
        raise RunError(f"The run {run_id} cannot be restored. {explain_write_error(error, root)}") from None
    return find_run(run_id, root)


def empty_trash(root: Path | None = None) -> None:
    """Deletes for good what has been in the trash for a day."""
    now = time.time()
    for match, path in _trash_entries(root):
        deleted = float(match[1])
        if now - deleted > KEPT_SECONDS:
            delete_folder(path)
        elif deleted > now + CLOCK_SECONDS:  # the clock was set back: the run's day starts now
            with contextlib.suppress(OSError):
                move(path, path.with_name(f"{int(now)}-{match[2]}"))


def trashed_folders(root: Path | None = None) -> list[Path]:
    """Returns the folders of the runs in the trash, the last deleted first."""
    return [path for _, path in _trash_entries(root)]


def _trash_entries(root: Path | None) -> list[tuple[re.Match[str], Path]]:
    """The folders in the trash with their parsed names, the last deleted first."""
    folder = (root or runs_dir()) / TRASH_FOLDER
    paths = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    return [(match, path) for path in paths if (match := _TRASHED_NAME.fullmatch(path.name)) and path.is_dir()]
