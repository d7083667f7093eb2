"""Everything that two people or two processes may do at once, done at once: one wins, and nothing is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_core.export.archive import pack_run
from mnist_core.jobs.slots import SLOTS_FILES
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.claims import read_claim
from mnist_core.runs.labels import Label, read_label
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import create_sweep
from tests.faults.racers import RACERS, Race
from tests.faults.report import scale, write_table
from tests.support import wait_until

pytestmark = pytest.mark.slow

ROUNDS = scale(short=20, long=1_000)
Outcomes = list[tuple[str, Any]]


@pytest.fixture(scope="module")
def race() -> Iterator[Race]:
    race = Race()
    yield race
    race.end()


@pytest.fixture(scope="module")
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture(scope="module")
def table() -> Iterator[list[list[object]]]:
    rows: list[list[object]] = []
    yield rows
    if len(rows) == len(CLAIMS):
        columns = ["what is done at once", "rounds", "done twice or lost", "errors"]
        write_table("races", columns, rows, "make test-faults ARGS='-k races'")


def left_run(gone: int, state: str) -> Path:
    """A run that a server left an hour ago."""
    run = create_run(make_spec("fast", {}, "sample"))
    run.write_status(replace(stamp_status(Status(state, epochs=3)), pid=gone, heartbeat=time.time() - 3600))
    return run.path


def successes(outcomes: Outcomes) -> int:
    return sum(kind == "done" and value is not False for kind, value in outcomes)


def resumed_once(path: Path, outcomes: Outcomes) -> bool:
    return successes(outcomes) == 1 and Run(path).status().state == "queued"


def trained_once(path: Path, outcomes: Outcomes) -> bool:
    wait_until(lambda: Run(path).recorded_state == "finished", "its turn")
    return (path / "starts").read_text() == "started\n"


def two_slots_taken(path: Path, outcomes: Outcomes) -> bool:
    for file in path.parent.glob(SLOTS_FILES):
        file.unlink()
    return successes(outcomes) == 2


def whole_label(path: Path, outcomes: Outcomes) -> bool:
    return read_label(Run(path)) == Label("a name", True, "a note")


def all_requests(path: Path, outcomes: Outcomes) -> bool:
    return Run(path).control() == {f"request {number}": True for number in range(RACERS)}


def distinct_claims(path: Path, outcomes: Outcomes) -> bool:
    numbers = sorted(value for _, value in outcomes)
    return numbers == list(range(1, RACERS + 1)) and read_claim(Run(path)).number == RACERS


def deleted_or_resumed(path: Path, outcomes: Outcomes) -> bool:
    return successes(outcomes) == 1 and (not path.exists() or Run(path).status().state == "queued")


def one_process(path: Path, outcomes: Outcomes) -> bool:
    Run(path).write_status(Status("stopped"))  # it would count towards the limit of sweeps
    return successes(outcomes) == 1


def left_sweep(gone: int) -> Path:
    sweep = create_sweep(make_plan("fast", ["learning_rate=0.01,0.1"], sampler="grid", trials=2, data="sample"))
    sweep.files.write_status(Status("stopped"))
    return sweep.path


def four_new_runs(gone: int) -> Path:
    """Four runs whose folders are numbered."""
    path = left_run(gone, "queued")
    for number in range(RACERS):
        numbered = path.with_name(f"{path.name}-{number}")
        numbered.mkdir()
        (numbered / "status.json").write_bytes((path / "status.json").read_bytes())
    return path


def interrupted(gone: int) -> Path:
    """A run that died with its server, and has a checkpoint."""
    path = left_run(gone, "running")
    (path / CHECKPOINT_FILE).parent.mkdir()
    (path / CHECKPOINT_FILE).touch()
    return path


def queued(gone: int) -> Path:
    return left_run(gone, "queued")


def two_thirds_of_a_budget(gone: int) -> Path:
    """A folder of runs, and a run to import that takes more than half of what one person may import."""
    run = create_run(make_spec("fast", {}, "sample"))
    run.log.write_bytes(random.Random(0).randbytes(600_000))
    folder = run.path.with_name(f"{run.id}-runs")
    folder.mkdir()
    (folder / "run.zip").write_bytes(pack_run(run))
    return folder


def imported_once(path: Path, outcomes: Outcomes) -> bool:
    return successes(outcomes) == 1 == len(list_runs(path))


CLAIMS: dict[str, tuple[str, Callable[[int], Path], Callable[[Path, Outcomes], bool]]] = {
    "resume": ("resume a run", interrupted, resumed_once),
    "adopt": ("take over a queued run, two servers", queued, trained_once),
    "take_slot": ("take one of two slots", four_new_runs, two_slots_taken),
    "relabel": ("name, star and annotate a run", interrupted, whole_label),
    "control": ("send a run four requests", interrupted, all_requests),
    "claim": ("claim a run for the cluster", interrupted, distinct_claims),
    "delete_or_resume": ("delete a run, and resume it", interrupted, deleted_or_resumed),
    "resume_sweep": ("resume a sweep", left_sweep, one_process),
    "import_run": ("import a run where there is room for one", two_thirds_of_a_budget, imported_once),
}


@pytest.mark.parametrize("action", CLAIMS)
def test_what_is_done_at_once_is_done_once_and_nothing_is_lost(
    action: str, race: Race, gone: int, table: list[list[object]]
) -> None:
    what, prepare, holds = CLAIMS[action]
    wrong, errors = [], []
    race.start(action)
    for number in range(ROUNDS):
        path = prepare(gone)
        outcomes = race.round(path)
        errors += [value for kind, value in outcomes if kind == "failed"]
        if not holds(path, outcomes):
            wrong.append((number, outcomes))
    race.finish()
    table.append([what, ROUNDS, len(wrong), len(errors)])
    assert not errors and not wrong, (errors[:3], len(wrong), wrong[:3])
