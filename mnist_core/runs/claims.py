"""Which worker a run belongs to, where it is trained on another machine: never two at once.

    RUNS_DIR/<run id>/claim.json     {"number": 2, "job": "20261121-…-2", "retried": true}

Every time a run is given to a cluster it is claimed anew, under the next number, and its worker is told that number in
an environment variable. The worker looks once a second, and before whatever it writes of its status; where the file
says another number, the run has been given to somebody else (its node was cut off from the cluster, and the cluster
took it for lost), and it ends on the spot, without a word.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from mnist_core.files import read_json, write_json
from mnist_core.runs.run import Run

CLAIM_FILE = "claim.json"
CLAIM_VARIABLE = "MNIST_CORE_CLAIM"
"""Names to a worker the number under which it was started; of no use to people."""
EXIT_STATUS = 75  # of a worker whose run has been given to another


@dataclass(frozen=True)
class Claim:
    """What claim.json says.

    Attributes:
        number: counted up whenever the run is given to a worker elsewhere, or taken from one; 0 before.
        job: the cluster's name of the job that trains it; empty where none does.
        retried: whether it has been taken up again by itself since somebody last asked for it.
    """

    number: int = 0
    job: str = ""
    retried: bool = False


def read_claim(run: Run) -> Claim:
    """The claim on a run; an empty one where there is none, or the file is nonsense."""
    value = read_json(run.path / CLAIM_FILE)
    number, job, retried = value.get("number"), value.get("job"), value.get("retried")
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(job, str):
        return Claim()
    return Claim(number, job, retried is True)


def take_claim(run: Run, *, retried: bool = False, job: str = "") -> Claim:
    """Claims the run for a job that is about to be submitted, or for one that there is (see `passing`).

    Raises:
        OSError: that cannot be written.
    """
    number = read_claim(run).number + 1
    return _write(run, Claim(number, job or default_job(run, number), retried))


def default_job(run: Run, number: int) -> str:
    """The name of the job that is submitted for a run under this number."""
    return f"{run.id}-{number}"


def fence(run: Run) -> None:
    """Takes the run from whatever worker has it; that one ends within a second. Nothing, where none ever had."""
    before = read_claim(run)
    if before.number:
        _write(run, Claim(before.number + 1, "", before.retried))


def _write(run: Run, claim: Claim) -> Claim:
    write_json(run.path / CLAIM_FILE, asdict(claim))
    return claim


def claim_lost(run: Run) -> bool:
    """In a worker: whether its run has been given to another. Never, where it was started without a number.

    A file that cannot be read at this moment takes nothing from anybody.
    """
    mine = os.environ.get(CLAIM_VARIABLE, "")
    return mine.isdecimal() and read_claim(run).number not in (0, int(mine))
