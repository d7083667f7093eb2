"""The runs that a cluster is to train, a file for each: job backends write it, and the cluster's driver reads it.

    RUNS_DIR/.cluster/<driver>/<job>.json    {"owner": "…", "sweep": false, "since": 1764…}

A job is a run and the number of the claim under which it was submitted, `<run id>-3`. The file never changes. The
driver removes it once the run has ended, and a backend if no worker has it yet. Once the run has another claim, the
job is withdrawn: no worker begins it, and one that trains it exits.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mnist_core import owners
from mnist_core.files.folders import delete_file, make_folder
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.jobs.fair_queue import next_turns
from mnist_core.runs import claims
from mnist_core.runs.run import Run, sweep_mark

FOLDER = ".cluster"
WAITING_MESSAGE = "Waiting for a free slot on the cluster."


@dataclass(frozen=True)
class Hold:
    """A run that the cluster is to train.

    Attributes:
        run: the run.
        job: the claim under which it was submitted.
        owner: of the run.
        sweep: whether it is a trial. Trials wait until no other run does.
        since: when it was submitted, in seconds since the epoch.
    """

    run: Run
    job: str
    owner: str
    sweep: bool
    since: float

    @property
    def queued(self) -> bool:
        """True while no worker trains it."""
        return self.run.recorded_state == "queued"

    @property
    def withdrawn(self) -> bool:
        """True once the run was deleted, or taken from the cluster by a user or another backend."""
        return not self.run.path.is_dir() or claims.read_claim(self.run).job != self.job


class Holds:
    """The files of one driver.

    Args:
        root: the folder of all runs.
        driver: its name.
    """

    def __init__(self, root: Path, driver: str) -> None:
        self._root, self._folder = root, root / FOLDER / driver
        self._seen: dict[str, Hold] = {}

    def add(self, run: Run) -> None:
        """Claims a run for the cluster and writes its file. Raises OSError if it cannot be written."""
        claim = claims.take_claim(run)
        make_folder(self._folder)
        content = {"owner": owners.read_owner(run.path), "sweep": bool(sweep_mark(run)), "since": time.time()}
        write_json(self._folder / f"{claim.job}.json", content)

    def remove(self, hold: Hold) -> None:
        """Removes a file; does nothing if another process did so first."""
        delete_file(self._folder / f"{hold.job}.json")

    def find(self, run: Run) -> Hold | None:
        """The latest file of a run; None if the cluster has nothing to do with it."""
        found = [self._read(path.name) for path in self._folder.glob(f"{run.id}-[0-9]*.json")]
        return max(found, key=lambda hold: hold.since, default=None)

    def all(self) -> list[Hold]:
        """All of them, in the order of their submission."""
        names = {path.name for path in self._folder.glob("[!.]*.json")}
        self._seen = {name: self._seen.get(name) or self._read(name) for name in names}
        return sorted(self._seen.values(), key=lambda hold: (hold.since, hold.job))

    def _read(self, name: str) -> Hold:
        value, job = read_json(self._folder / name), name.removesuffix(".json")
        owner, since = value.get("owner"), value.get("since")
        return Hold(
            Run(self._root / job.rpartition("-")[0]),
            job,
            owner if isinstance(owner, str) else owners.NOBODY,
            value.get("sweep") is True,
            since if isinstance(since, float) else 0.0,
        )


def turns(waiting: Iterable[Hold], running: Iterable[Hold]) -> list[Hold]:
    """Those that wait, in the order of their turns: fair among owners, trials of sweeps last."""
    workers = Counter(hold.owner for hold in running)
    order: list[Hold] = []
    for sweep in (False, True):
        part = [hold for hold in waiting if hold.sweep == sweep]
        order += [part[index] for index in next_turns([hold.owner for hold in part], workers, {})]
    return order


def keep_alive(holds: Iterable[Hold]) -> None:
    """Renews the queued runs, see `Run.keep_alive`."""
    for hold in holds:
        if hold.queued:
            hold.run.keep_alive()
