"""The runs that a sweep has in progress: starts them when there is room, resumes a run whose worker died, ends them.

Other people's runs have priority: the backend has room for a trial only while their runs leave a slot free. Somebody
who starts a training during a trial waits for the end of that one trial; the next trial waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mnist_core.jobs.backend import JobBackend
from mnist_core.jobs.lifecycle import can_be_resumed, resume_run
from mnist_core.runs import claims
from mnist_core.runs.disk_space import check_room
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import stamp_status
from mnist_core.runs.store import create_run

MAX_RETRIES = 1
"""How often a run whose worker has died is started again."""
KILL_SECONDS = 15.0
"""How long to wait for killed workers to be gone."""


class TrialRuns:
    """The runs of a sweep that are in progress.

    Args:
        backend: trains them.
        root: the folder of all runs.
        owner: of new runs.
    """

    def __init__(self, backend: JobBackend, root: Path, owner: str) -> None:
        self._backend, self._root, self._owner = backend, root, owner
        self._retries: dict[str, int] = {}  # id of each run in progress -> how often it was started again
        self._stopping = False

    @property
    def max_parallel(self) -> int:
        """How many runs can be in progress at once."""
        return self._backend.slots

    def has_room(self) -> bool:
        """Whether one more run can start now.

        Runs that have died and wait to be started again count too: the backend does not hold them.
        """
        return len(self._retries) < self._backend.slots and self._backend.room()

    @property
    def waiting_for(self) -> str:
        """Why no run is in progress although one is needed, for people; empty otherwise."""
        if self._backend.trouble:
            return f"Waiting for the cluster. {self._backend.trouble}"
        return "" if self._retries or self.has_room() else self._backend.crowded_message

    def start(self, spec: RunSpec, mark: dict[str, object], before: Callable[[Run], object] | None = None) -> Run:
        """Creates a run and submits it.

        Args:
            spec: what to train.
            mark: from `store.trial_mark`.
            before: called with the run before it is submitted.

        Raises:
            RunError: the run's folder cannot be written; or the runs of this owner, or all runs, take as much disk
                space as they may.
        """
        check_room(self._owner, self._root)
        run = create_run(spec, self._root, self._owner, mark)
        if before is not None:
            before(run)
        self._retries[run.id] = 0
        self._backend.submit(run)
        return run

    def adopt(self, run: Run) -> None:
        """Takes over a run of an earlier process. It may be training still, have ended, or have died with the process.

        A run that died with the process is started again without counting as a retry: that was not its own failure.
        """
        self._backend.adopt([run])
        self._retries[run.id] = 0 if self._backend.holds(run) else -1

    def collect_ended(self) -> list[Run]:
        """Returns the runs that have ended since the last call. Starts those whose worker has died again, if it may."""
        ended = []
        for run_id in list(self._retries):
            run = Run(self._root / run_id)
            exists, status = run.path.is_dir(), run.status()
            if exists and not status.final:
                continue
            if status.state == "interrupted" and self._backend.holds(run):
                continue  # the backend starts it again itself, or has not noticed yet
            died = exists and status.state == "interrupted" and can_be_resumed(run)
            if died and not self._stopping and self._tries(run) < MAX_RETRIES:
                self._retries[run_id] += 1
                resume_run(self._backend, run)
                continue
            del self._retries[run_id]
            ended.append(run)
        return ended

    def _tries(self, run: Run) -> int:
        """How often the run was started again, by this sweep or by the cluster's backend."""
        return self._retries[run.id] + claims.read_claim(run).retried

    def request_stop(self, run: Run) -> None:
        """Requests that the run ends soon and keeps its model."""
        self._backend.request_stop(run)

    def stop_all(self) -> None:
        """Requests that all runs end soon. None is resumed from now on."""
        self._stopping = True
        for run_id in self._retries:
            self.request_stop(Run(self._root / run_id))

    def kill_all(self, message: str) -> None:
        """Ends all runs at once. They can be resumed from their last checkpoint.

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
