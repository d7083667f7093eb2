"""The runs that a sweep has in progress: starts them when there is room, resumes a run whose worker died, ends them.

The app has a queue of its own on the same cores, and its users come first: on this machine, a sweep starts a run only
while fewer runs than DIGITLAB_MAX_RUNNING are training or queued, whoever owns them. Somebody who starts a training
shares the cores with one trial at most, and the next trial waits for them.

On a cluster a sweep uses all the room there is, and the cluster's backend resumes lost runs.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mnist_core.config import max_running
from mnist_core.jobs.backend import JobBackend
from mnist_core.jobs.lifecycle import resume_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.runs import claims
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, list_runs

MAX_RETRIES = 1
"""How often a run whose worker has died is resumed."""
SCAN_SECONDS = 0.5
"""How often the runs of others are counted."""
KILL_SECONDS = 15.0
"""How long to wait for killed workers to be gone."""
CROWDED = "Waiting: runs that others train on this machine go first."


class OtherRuns:
    """Counts the runs of others on this machine. The status of a run that has ended is read only once.

    Args:
        root: the folder of all runs.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ended: dict[str, int] = {}  # run id -> modification time of its final status.json, nanoseconds
        self._scanned, self._count = -SCAN_SECONDS, 0

    def count(self, own: set[str]) -> int:
        """How many runs are training or queued, apart from those with an id in `own`."""
        if time.monotonic() - self._scanned >= SCAN_SECONDS:
            self._count = sum(self._is_active(run) for run in list_runs(self._root) if run.id not in own)
            self._scanned = time.monotonic()
        return self._count

    def _is_active(self, run: Run) -> bool:
        try:
            modified = (run.path / "status.json").stat().st_mtime_ns
        except OSError:
            return False
        if self._ended.get(run.id) == modified:
            return False
        status = run.status()
        if status.final:
            self._ended[run.id] = modified
        return not status.final and status.host == socket.gethostname() and status.state != "paused"


class TrialRuns:
    """The runs of a sweep that are in progress.

    Args:
        backend: trains them.
        root: the folder of all runs.
        owner: of new runs.
    """

    def __init__(self, backend: JobBackend, root: Path, owner: str) -> None:
        self._backend, self._root, self._owner = backend, root, owner
        self._cluster = backend if isinstance(backend, RayBackend) else None
        self._others = OtherRuns(root)
        self._retries: dict[str, int] = {}  # id of each run in progress -> how often it was resumed
        self._stopping = False

    @property
    def max_parallel(self) -> int:
        """How many runs can be in progress at once."""
        return max_running() if self._cluster is None else self._cluster.slots

    def has_room(self) -> bool:
        """Whether one more run can start now."""
        if self._cluster is not None:
            return self._cluster.room()
        if len(self._retries) >= max_running():
            return False
        others = self._others.count(set(self._retries)) if isinstance(self._backend, LocalBackend) else 0
        return len(self._retries) + others < max_running()

    @property
    def waiting_for(self) -> str:
        """Why no run is in progress although one is needed, for people; empty otherwise."""
        if self._cluster is not None and self._cluster.trouble:
            return f"Waiting for the cluster. {self._cluster.trouble}"
        if self._retries or self.has_room():
            return ""
        return CROWDED if self._cluster is None else "Waiting for room on the cluster."

    def start(self, spec: RunSpec, mark: dict[str, object], before: Callable[[Run], object] | None = None) -> Run:
        """Creates a run and submits it.

        Args:
            spec: what to train.
            mark: from `store.trial_mark`.
            before: called with the run before it is submitted.

        Raises:
            RunError: the run's folder cannot be written.
        """
        run = create_run(spec, self._root, self._owner, mark)
        if before is not None:
            before(run)
        self._retries[run.id] = 0
        self._backend.submit(run)
        return run

    def adopt(self, run: Run) -> None:
        """Takes over a run of an earlier process. It may be training still, have ended, or have died with the process.

        A run that died with the process may be resumed once more than others: that was not its own failure.
        """
        self._retries[run.id] = -1
        if self._cluster is not None:
            self._cluster.adopt([run])
            self._retries[run.id] = 0 if self._cluster.holds(run) else -1
        if isinstance(self._backend, LocalBackend):
            self._backend.adopt([run])

    def collect_ended(self) -> list[Run]:
        """Returns the runs that have ended since the last call. Resumes those whose worker has died, if they may be."""
        ended = []
        for run_id in list(self._retries):
            run = Run(self._root / run_id)
            exists, status = run.path.is_dir(), run.status()
            if exists and not status.final:
                continue
            if status.state == "interrupted" and self._cluster is not None and self._cluster.holds(run):
                continue
            if exists and status.state == "interrupted" and not self._stopping and self._tries(run) < MAX_RETRIES:
                self._retries[run_id] += 1
                self._restart(run)
                continue
            del self._retries[run_id]
            ended.append(run)
        return ended

    def _tries(self, run: Run) -> int:
        """How often the run was resumed, by this sweep or by the cluster's backend."""
        return self._retries[run.id] + (self._cluster is not None and claims.read_claim(run).retried)

    def _restart(self, run: Run) -> None:
        """Resumes a run from its checkpoint, or from the start if it has none."""
        if has_checkpoint(run.path):
            resume_run(self._backend, run)
            return
        claims.fence(run)
        run.trim_metrics(0)  # reports of the unfinished first epoch
        run.update_control(stop=False, paused=False)
        epochs = run.spec().settings.epochs
        run.write_status(stamp_status(Status(epochs=epochs, message="Waiting for its turn.")))
        self._backend.submit(run)

    def request_stop(self, run: Run) -> None:
        """Requests that the run ends soon and keeps its model."""
        self._backend.request_stop(run)

    def stop_all(self) -> None:
        """Requests that all runs end soon. None is resumed from now on."""
        self._stopping = True
        for run_id in self._retries:
            self.request_stop(Run(self._root / run_id))

    def kill_all(self, message: str) -> None:
        """Ends all runs at once. They can be resumed from their last finished epoch.

        Args:
            message: for their status.
        """
        runs = [Run(self._root / run_id) for run_id in self._retries]
        for run in runs:
            self._backend.kill(run)
        deadline = time.monotonic() + KILL_SECONDS
        while time.monotonic() < deadline and not all(run.status().final for run in runs):
            time.sleep(0.05)
        for run in runs:
            status = run.status()
            if run.path.is_dir() and status.state in ("interrupted", "stopped"):
                run.write_status(stamp_status(replace(status, state="interrupted", message=message)))
        self._retries.clear()
