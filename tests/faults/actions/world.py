"""The folder of runs in which an action takes place, and what must be true of it after every action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_core.files.leftovers import delete_leftovers
from mnist_core.runs.history import history_rows
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import trashed_runs
from tests.faults.disk import attempt, contents, temporaries


@dataclass
class World:
    """A folder of runs in which an action takes place.

    Attributes:
        root: RUNS_DIR.
        bystander: a finished run that no action changes.
        subject: a finished run.
        done: what was acknowledged, by the name of the action's step.
    """

    root: Path
    bystander: Run
    subject: Run
    interrupted: Run | None = None
    done: dict[str, Any] = field(default_factory=dict)

    def do(self, step: str, action: Callable[[], Any]) -> Any:
        """Does one step, and notes its result if it succeeds."""
        results: list[Any] = []
        if not attempt(lambda: results.append(action())):
            self.done[step] = results[0]
            return results[0]
        return None


@dataclass(frozen=True)
class Action:
    """What one process does, and what the next one finds.

    Attributes:
        act: does it; called while the disk may fail.
        check: raises AssertionError if something is lost; called on a disk that works.
        trains: whether TensorFlow trains.
    """

    act: Callable[[World], object]
    check: Callable[[World], object]
    trains: bool = False


def check_world(world: World, before: dict[str, bytes]) -> None:
    """Checks what holds after every action: the next process finds nothing half-written, and all lists work."""
    delete_leftovers(world.root, subfolders=True)
    assert temporaries(world.root) == []
    assert contents(world.bystander.path) == before, "another run has changed"
    runs = list_runs(world.root)
    assert {world.bystander.id, world.subject.id} <= {run.id for run in runs} | set(trashed_runs(world.root))
    for run in runs:
        run.spec(), run.status(), run.card(), run.metrics()
    assert len(history_rows(world.root)) == len(runs)
    folders = {path.name for path in world.root.iterdir() if path.is_dir() and path.name[0] != "."}
    assert folders - {"drawings", "networks", "sweeps"} == {run.id for run in runs}, "an empty folder"
