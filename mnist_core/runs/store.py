"""Creates, finds and lists the runs in RUNS_DIR."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError, RunNotFoundError
from mnist_core.files.folders import new_folder
from mnist_core.files.write import write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.runs.run import SWEEP_MARK, Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status, stamp_status

_RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
RESERVED_NAMES = ("drawings", "networks", "sweeps", "default", "nobody")
"""Folders in RUNS_DIR, the shipped model, and nobody: they look like run ids, and no run has such a name."""


def is_run_id(text: object) -> bool:
    """True for up to 80 lower-case letters, digits and hyphens, which are safe as the name of a folder."""
    return isinstance(text, str) and _RUN_ID.fullmatch(text) is not None


def new_run_id(spec: RunSpec) -> str:
    """A new id for a run: `20261121-093000-fast-1f2e3d4c`."""
    created = time.strftime("%Y%m%d-%H%M%S", time.localtime(spec.created))
    return f"{created}-{spec.kind}-{secrets.token_hex(4)}"


def create_run(
    spec: RunSpec, root: Path | None = None, owner: str = owners.NOBODY, mark: Mapping[str, Any] | None = None
) -> Run:
    """Creates a queued run.

    Args:
        spec: what it trains.
        root: the folder for it; by default RUNS_DIR.
        owner: of the run, see `owners`.
        mark: content of sweep.json, for a trial of a sweep.

    Raises:
        RunError: the directory cannot be written.
    """
    root = root or runs_dir()
    run = Run(root / new_run_id(spec))
    try:
        with new_folder(run.path) as folder:
            owners.write_owner(folder, owner)
            if mark is not None:
                write_json(folder / SWEEP_MARK, dict(mark))
            Run(folder).write_status(stamp_status(Status(epochs=spec.settings.epochs, message="Waiting for its turn.")))
            write_json(folder / "spec.json", spec.to_json())
    except OSError as error:
        raise RunError(f"The run cannot be created. {explain_write_error(error, root)}") from None
    return run


def find_run(run_id: str, root: Path | None = None) -> Run:
    """Returns the run with this id.

    Args:
        run_id: may come from a URL; it becomes part of a path only if it looks like a run id.
        root: the folder to look in; by default RUNS_DIR.

    Raises:
        RunNotFoundError: there is no such run.
    """
    if not is_run_id(run_id) or run_id in RESERVED_NAMES:
        raise RunNotFoundError(f"{run_id[:80]!r} is not a run id: those are lower-case letters, digits and hyphens.")
    root = root or runs_dir()
    run = Run(root / run_id)
    if not run.path.is_dir():
        raise RunNotFoundError(f"There is no run {run_id!r} in {root}. It may have been deleted.")
    return run


def list_runs(root: Path | None = None) -> list[Run]:
    """Returns all runs, newest first. `root`: the folder to look in; by default RUNS_DIR."""
    root = root or runs_dir()
    if not root.is_dir():
        return []
    names = [path.name for path in root.iterdir() if is_run_id(path.name) and path.name not in RESERVED_NAMES]
    # lexists answers False where DirEntry.is_dir raises: for a symbolic link to itself
    return [Run(root / name) for name in sorted(names, reverse=True) if os.path.lexists(root / name / "spec.json")]
