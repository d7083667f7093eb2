"""What every job backend can do, wherever it trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mnist_core.runs.run import Run

GRACE_SECONDS = 60.0
"""A worker that was asked to stop gets this long to save its model before SIGTERM, and again before SIGKILL."""


class JobBackend(Protocol):
    """Trains runs. `LocalBackend`, `RayBackend` and `RoutingBackend` implement it; all methods return at once.

    Submitted runs wait in a queue until a worker is free. A backend *holds* a run from `submit` or `adopt` until the
    run has ended.
    """

    @property
    def slots(self) -> int:
        """How many runs it can train at the same time, at least 1."""

    @property
    def trouble(self) -> str:
        """Why it cannot start any run at the moment, in words for people; empty if it can."""

    @property
    def crowded_message(self) -> str:
        """What to tell people while `room` is False: who is in the way."""

    def room(self) -> bool:
        """True if one more run would start right away, and would take no core from the runs of others."""

    def submit(self, run: Run) -> None:
        """Queues the run.

        Raises:
            QueueFullError: too many runs wait already, of all people or of the run's owner.
            ClusterError: the cluster cannot be reached.
        """

    def adopt(self, runs: Iterable[Run]) -> None:
        """Takes over what an earlier process left behind: runs that are training, and runs that are still queued.

        Other runs are ignored, for example those that have ended, or that another machine trains.

        Args:
            runs: in the order in which they were created.
        """

    def holds(self, run: Run) -> bool:
        """True while the run is queued, is training, or is about to be started again by the backend itself."""

    def position(self, run: Run) -> int:
        """The run's place in the queue, 1 for the next one; 0 if it is not queued."""

    def ahead(self, run: Run) -> list[Run]:
        """The runs that a queued run waits for: those that are training, then those that start before it."""

    def request_stop(self, run: Run) -> None:
        """Requests that the run ends soon and keeps its model. A queued run ends at once, without a model."""

    def kill(self, run: Run) -> None:
        """Ends the run at once, without a model."""

    def prepare(self) -> None:
        """Announces that somebody may soon submit a run, so that a worker can be made ready."""
