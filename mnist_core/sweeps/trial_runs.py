"""The runs that a sweep has under way: begun when there is room, taken over, taken up again once, ended together.

A sweep has a queue of its own, and the app has another on the same cores. So a sweep goes last: it begins a run only
while fewer runs than DIGITLAB_MAX_RUNNING are training or waiting on this machine, whoever's they are. Who presses
Train while a trial runs shares the cores with that one trial until it ends, and the next one waits for them.

On a cluster there are as many at once as it has room for, and it is the backend that takes up again what was lost.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mnist_core.config import max_running
from mnist_core.jobs.local import JobBackend, LocalBackend, resume_run
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.runs import claims
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.run import Run, RunSpec, Status, create_run, list_runs, stamp_status

RETRIES = 1
"""How often a run whose worker has died is taken up again."""
LOOK_SECONDS = 0.5  # between two looks at what others train
CROWDED = "Waits while others train on this machine: they go first."
END_SECONDS = 15.0  # that workers have to be gone, once they were killed


class OtherRuns:
    """The runs of others on this machine. Those that have ended are read once, however many there are."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ended: dict[str, int] = {}  # run id -> when its status was written, nanoseconds
        self._looked, self._found = -LOOK_SECONDS, 0

    def others(self, own: set[str]) -> int:
        """How many are training, or waiting for their turn, but for those of `own`."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._found = sum(self._counts(run) for run in list_runs(self._root) if run.id not in own)
            self._looked = time.monotonic()
        return self._found

    def _counts(self, run: Run) -> bool:
        try:
            written = (run.path / "status.json").stat().st_mtime_ns
        except OSError:
            return False
        if self._ended.get(run.id) == written:
            return False
        status = run.status()
        if status.final:
            self._ended[run.id] = written
        return not status.final and status.host == socket.gethostname() and status.state != "paused"


class TrialRuns:
    """The runs under way.

    Args:
        backend: who trains them.
        root: where they are.
        owner: whose they are.
    """

    def __init__(self, backend: JobBackend, root: Path, owner: str) -> None:
        self._backend, self._root, self._owner = backend, root, owner
        self._cluster = backend if isinstance(backend, RayBackend) else None
        self._crowd = OtherRuns(root)
        self._going: dict[str, int] = {}  # run id -> how often it was taken up again
        self._closing = False

    @property
    def most(self) -> int:
        """How many may be under way at once."""
        return max_running() if self._cluster is None else self._cluster.places

    def room(self) -> bool:
        """Whether one more may begin."""
        if self._cluster is not None:
            return self._cluster.room()
        local = isinstance(self._backend, LocalBackend)
        others = self._crowd.others(set(self._going)) if local and len(self._going) < max_running() else 0
        return len(self._going) + others < max_running()

    @property
    def waits_for(self) -> str:
        """Why nothing begins although nothing is under way, for people; empty where it does."""
        if self._cluster is not None and self._cluster.trouble:
            return f"Waits for the cluster. {self._cluster.trouble}"
        if self._going or self.room():
            return ""
        return CROWDED if self._cluster is None else "Waits for a free place on the cluster."

    def begin(self, spec: RunSpec, mark: dict[str, object], note: Callable[[Run], None]) -> Run:
        """Makes a run and has it trained. `note`: told of it before it is. Raises as runs.create."""
        run = create_run(spec, self._root, self._owner, mark)
        note(run)
        self._going[run.id] = 0
        self._backend.submit(run)
        return run

    def take_over(self, run: Run) -> None:
        """A run that an earlier process began: it may have ended, still train, or have died with it."""
        self._going[run.id] = -1  # it is no fault of the run's that it was left alone
        if self._cluster is not None:
            self._cluster.adopt([run])
            self._going[run.id] = 0 if self._cluster.holds(run) else -1
        if isinstance(self._backend, LocalBackend):
            self._backend.adopt([run])

    def ended(self) -> list[Run]:
        """Those that have ended since it was asked last; one whose worker has died is first taken up again."""
        found, retries = [], -1 if self._closing else RETRIES
        for run_id in list(self._going):
            run = Run(self._root / run_id)
            status = run.status()
            if run.path.is_dir() and not status.final:
                continue
            if status.state == "interrupted" and self._cluster is not None and self._cluster.holds(run):
                continue
            if run.path.is_dir() and status.state == "interrupted" and self._tries(run) < retries:
                self._going[run_id] += 1
                self._again(run)
                continue
            del self._going[run_id]
            found.append(run)
        return found

    def _tries(self, run: Run) -> int:
        """How often it was taken up again, by the cluster's backend where its node was lost."""
        return self._going[run.id] + (self._cluster is not None and claims.read(run).retried)

    def _again(self, run: Run) -> None:
        if has_checkpoint(run.path):
            return resume_run(self._backend, run)
        claims.fence(run)
        run.trim_metrics(0)  # what it reported of an epoch that was not finished
        run.ask(stop=False, paused=False)
        epochs = run.spec().settings.epochs
        run.write_status(stamp_status(Status(epochs=epochs, message="Waiting for its turn.")))
        self._backend.submit(run)

    def stop(self, run: Run) -> None:
        """Asks one to end soon, with its model kept."""
        self._backend.request_stop(run)

    def stop_all(self) -> None:
        """Asks all of them to end soon; none is taken up again."""
        self._closing = True
        for run_id in self._going:
            self.stop(Run(self._root / run_id))

    def kill_all(self, message: str) -> None:
        """Ends all at once; they can be taken up from their last finished epoch. `message`: what their status says."""
        runs = [Run(self._root / run_id) for run_id in self._going]
        for run in runs:
            self._backend.kill(run)
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline and not all(run.status().final for run in runs):
            time.sleep(0.05)
        for run in runs:
            status = run.status()
            if run.path.is_dir() and status.state in ("interrupted", "stopped"):
                run.write_status(stamp_status(replace(status, state="interrupted", message=message)))
        self._going.clear()
