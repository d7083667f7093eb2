"""Claims: who may train a run. Nobody takes a run that somebody else has.

`claiming` is how a run changes hands, wherever it trains: whoever resumes, adopts or deletes a run first checks whose
it is, then writes that it is theirs, and nobody else does so in between. status.json says whose it is: the process on
this machine that queues or trains it. On a cluster, that process may be cut off and live on, so there the run is
claimed under a number as well:

    RUNS_DIR/<run id>/claim.json     {"number": 2, "job": "20261121-…-2", "retried": true}

A run gets the next number when it is submitted to a cluster, and again when a worker there begins it. The worker
compares the number with its own once a second, and before it writes its status. If they differ,
the run has been given to another worker, for example because this node was cut off from the cluster; the worker then
exits at once and writes nothing more. The number is a fencing token.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from mnist_core.fields import COUNT, Text, accepted
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.locks import locked
from mnist_core.processes import STARTER_VARIABLE
from mnist_core.runs.run import Run

CLAIM_FILE = "claim.json"
CLAIM_VARIABLE = "MNIST_CORE_CLAIM"
"""Environment variable that gives a worker the number of its claim. Not for users."""
EXIT_STATUS = 75
"""Exit status of a worker that lost its run."""


@contextmanager
def claiming(run: Run) -> Iterator[None]:
    """Within this context, nobody else resumes, adopts, deletes or claims the run.

    Raises:
        RunError: another process does so for long.
        OSError: the lock file cannot be written.
    """
    with locked(run.path.parent):
        yield


@dataclass(frozen=True)
class Claim:
    """The content of claim.json.

    Attributes:
        number: grows whenever the run is given to a worker elsewhere or taken from one; 0 if that never happened.
        job: the claim under which the run was submitted to the cluster; empty if it was taken from it.
        retried: whether the backend has restarted the run by itself since a user last submitted it.
    """

    number: int = 0
    job: str = ""
    retried: bool = False


def read_claim(run: Run) -> Claim:
    """Returns the claim on a run; an empty one if the file is missing or broken."""
    value = read_json(run.path / CLAIM_FILE)
    number, job = accepted(COUNT, value.get("number")), accepted(Text(200), value.get("job"))
    return Claim() if number is None or job is None else Claim(number, job, value.get("retried") is True)


def take_claim(run: Run, *, retried: bool = False, job: str = "") -> Claim:
    """Claims a run under the next number.

    Args:
        run: to claim.
        retried: whether this is an automatic restart.
        job: under which the run was submitted; by default it is submitted now, and the job is named after the claim.

    Raises:
        OSError: the file cannot be written.
    """
    with claiming(run):
        number = read_claim(run).number + 1
        return _write_claim(run, Claim(number, job or f"{run.id}-{number}", retried))


def fence(run: Run) -> None:
    """Takes the run from its worker, which then exits within a second. Does nothing if the run was never claimed."""
    with claiming(run):
        claim = read_claim(run)
        if claim.number:
            _write_claim(run, Claim(claim.number + 1, "", claim.retried))


def _write_claim(run: Run, claim: Claim) -> Claim:
    write_json(run.path / CLAIM_FILE, asdict(claim))
    return claim


def claim_lost(run: Run) -> bool:
    """In a worker: True if its run has been given to another one.

    False for a worker that was started without a claim, and while the file cannot be read.
    """
    own_number = os.environ.get(CLAIM_VARIABLE, "")
    return own_number.isdecimal() and read_claim(run).number not in (0, int(own_number))


def given_to_another(run: Run) -> bool:
    """In a worker that is about to begin: True if its run was taken over by another process of this machine.

    That happens if its server was killed before it had noted the worker. Call it within `claiming`.
    """
    starter, status = os.environ.get(STARTER_VARIABLE, ""), run.status(grace=0)
    is_here = starter.isdecimal() and status.host == socket.gethostname()
    return is_here and status.pid not in (0, int(starter), os.getpid())
