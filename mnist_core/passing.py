"""A worker on a cluster that stays: it trains one run of a sweep after another, in the one Ray job that it began with.

    RUNS_DIR/.passed/<job>.json      {"run": "20261121-…", "number": 3}; {} sends the worker home

A Ray job takes two seconds to start, and TensorFlow several more, for each of a sweep's trials. So a worker that has
trained one waits STAY_SECONDS for the next: its backend passes it the run's name in a file, and the number of the claim
on it. Who wants the file has to move it away, so that a run is either taken by the worker or had back, never both.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from mnist_core import claims
from mnist_core.errors import RunError
from mnist_core.files import read_json, write_json
from mnist_core.runs import Run, find_run, runs_dir

FOLDER = ".passed"
VARIABLE = "MNIST_CORE_STAYS"
"""Names to a worker the job that it is, where it is to stay."""
STAY_SECONDS = 15.0
TAKE_SECONDS = 6.0
"""A worker that has been idle for longer than STAY_SECONDS less these is passed nothing more: it may be leaving."""
POLL_SECONDS = 0.1


def send(root: Path, job: str, run: Run, number: int) -> None:
    """Passes a run to the worker of a job. Raises OSError where that cannot be written."""
    (root / FOLDER).mkdir(exist_ok=True)
    write_json(_file(root, job), {"run": run.id, "number": number})


def dismiss(root: Path, job: str) -> None:
    """Sends the worker of a job home: others wait for its place."""
    (root / FOLDER).mkdir(exist_ok=True)
    write_json(_file(root, job), {})


def have_back(root: Path, job: str) -> bool:
    """Takes back what was passed. False where the worker has it already, or has been sent nothing."""
    return _moved(_file(root, job)) is not None


def next_run() -> Path | None:
    """In the worker: waits for its next run; None where it does not come, or where this one is not to stay.

    From then on the worker has the claim that came with it.
    """
    job = os.environ.get(VARIABLE, "")
    if not job:
        return None
    root, deadline = runs_dir(), time.monotonic() + STAY_SECONDS
    while time.monotonic() < deadline:
        if (sent := _moved(_file(root, job))) is not None:
            return _accepted(root, sent)
        time.sleep(POLL_SECONDS)
    return None


def _accepted(root: Path, sent: dict[str, object]) -> Path | None:
    run, number = sent.get("run"), sent.get("number")
    try:
        found = find_run(str(run), root)
    except RunError:  # it is sent home, or the run was deleted
        return None
    os.environ[claims.VARIABLE] = str(number)
    return found.path


def _file(root: Path, job: str) -> Path:
    return root / FOLDER / f"{job}.json"


def _moved(path: Path) -> dict[str, object] | None:
    """What is in the file, for the one who has moved it away; None for anybody else."""
    mine = path.with_suffix(f".{os.getpid()}")
    try:
        path.replace(mine)
    except OSError:
        return None
    content = read_json(mine)
    mine.unlink(missing_ok=True)
    return content
