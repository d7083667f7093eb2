"""The mailbox through which a backend gives the next run to a persistent worker on a cluster: one file per Ray job.

    RUNS_DIR/.passed/<job>.json      {"run": "20261121-…", "number": 3}; {} tells the worker to exit

Starting a Ray job takes two seconds, and loading TensorFlow several more. So a worker that has trained one trial of a
sweep waits STAY_SECONDS for the next: the backend writes the run's id and the number of the claim on it. Worker and
backend move the file away before they read it, so a run is either received or taken back, never both.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mnist_core.files import delete_file, make_folder, move, read_json, write_json
from mnist_core.runs.run import Run

FOLDER = ".passed"
JOB_VARIABLE = "MNIST_CORE_STAYS"
"""Environment variable of a persistent worker: the name of its Ray job."""
STAY_SECONDS = 15.0
"""How long a worker waits for its next run."""
TAKE_SECONDS = 6.0
"""A worker gets nothing during the last TAKE_SECONDS of its wait, because it may be exiting already."""


def send(root: Path, job: str, run: Run, number: int) -> None:
    """Gives a run to the worker of a Ray job. Raises OSError if the file cannot be written."""
    _write(root, job, {"run": run.id, "number": number})


def dismiss(root: Path, job: str) -> None:
    """Tells the worker of a Ray job to exit, because another job needs its cores."""
    _write(root, job, {})


def take_back(root: Path, job: str) -> bool:
    """Withdraws what was sent. Returns False if the worker has it already, or nothing was sent."""
    return receive(root, job) is not None


def receive(root: Path, job: str) -> dict[str, Any] | None:
    """Removes and returns what was sent to a Ray job; None if nothing was, or another process removed it first."""
    path = root / FOLDER / f"{job}.json"
    moved = path.with_suffix(f".{os.getpid()}")
    try:
        move(path, moved)
    except OSError:
        return None
    content = read_json(moved)
    delete_file(moved)
    return content


def _write(root: Path, job: str, content: dict[str, Any]) -> None:
    make_folder(root / FOLDER)
    write_json(root / FOLDER / f"{job}.json", content)
