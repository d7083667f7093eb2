"""The job backend for a Ray cluster: submits runs to the cluster's driver, which has Ray train them as its tasks.

    backend = RayBackend(lambda: client.connect(address))
    backend.submit(run)     # writes a file, see `holds`
    backend.trouble         # why no run can be submitted at the moment, in words for people; empty if it can
    backend.capacity        # of the cluster, at most a few seconds old

All that is known of a run is in files, so any server, sweep or command sees, stops and withdraws the runs of all
others. One thread asks the cluster for its capacity, and starts the driver if there are runs and it does not run.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from mnist_core import owners
from mnist_core.config import max_queued, max_queued_each, ray_cpus, runs_dir
from mnist_core.errors import ClusterError, DigitLabError, RunError
from mnist_core.jobs.lifecycle import check_queue_limits
from mnist_core.jobs.ray.cluster import Capacity, Cluster, driver_name
from mnist_core.jobs.ray.holds import WAITING_MESSAGE, Hold, Holds, keep_alive, turns
from mnist_core.runs import claims
from mnist_core.runs.run import Run, write_stamped_status

POLL_SECONDS = 1.0
"""How often the cluster is asked for its capacity, and whether the driver runs."""
PATIENCE_SECONDS = 10.0
"""How long an answer may take before `trouble` says that there is none."""

log = logging.getLogger("digitlab.ray")


class RayBackend:
    """A JobBackend on a Ray cluster.

    Args:
        connect: connects to the cluster. Called in the backend's thread, and again after it has failed.
        queued: runs that may be queued; by default DIGITLAB_MAX_QUEUED.
        each: runs of one owner that may be queued; by default DIGITLAB_MAX_QUEUED_EACH.
        sweep: whether the runs are trials of a sweep. Then any number is accepted, even while the cluster cannot be
            reached.
    """

    def __init__(
        self,
        connect: Callable[[], Cluster],
        queued: int | None = None,
        each: int | None = None,
        sweep: bool = False,
    ) -> None:
        self._connect, self._sweep = connect, sweep
        self._cluster: Cluster | None = None
        self._queued, self._each = queued or max_queued(), each or max_queued_each()
        self._driver = driver_name()
        self._holds = Holds(runs_dir(), self._driver)
        self.capacity = Capacity()
        self._trouble = ""
        self._answered = time.monotonic()
        self._has_answered = threading.Event()  # set by the first answer, and by the first failure
        self._wake, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, name="ray-jobs", daemon=True).start()

    # For all threads: nothing here waits for the cluster.

    @property
    def trouble(self) -> str:
        """Why no run can be submitted at the moment, in words for people; empty if it can."""
        silent = time.monotonic() - self._answered
        if self._trouble or silent < PATIENCE_SECONDS:
            return self._trouble
        return f"The cluster has not answered for {silent:.0f} seconds. Still trying."

    @property
    def crowded_message(self) -> str:
        """See JobBackend."""
        return WAITING_MESSAGE

    @property
    def has_answered(self) -> bool:
        """True once the cluster has answered for the first time, or has failed to."""
        return self._has_answered.is_set()

    @property
    def slots(self) -> int:
        """See JobBackend: how many runs fit on the whole cluster."""
        return max(1, self.capacity.slots(ray_cpus()))

    @property
    def waiting(self) -> int:
        """How many runs and other jobs wait for the cluster."""
        return max(self.capacity.waiting, sum(hold.queued for hold in self._holds.all()))

    def wait_for_answer(self, seconds: float) -> None:
        """Blocks until the cluster has answered for the first time. For the command line.

        Raises:
            ClusterError: there is no answer within this many seconds, or it is an error.
        """
        self._has_answered.wait(seconds)
        if self.trouble or not self._has_answered.is_set():
            raise ClusterError(self.trouble or f"The cluster has not answered within {seconds:.0f} seconds.")

    def close(self) -> None:
        """Ends the backend's thread after its current call. Jobs on the cluster continue."""
        self._ended.set()
        self._wake.set()

    def submit(self, run: Run) -> None:
        """See JobBackend."""
        if self.trouble and not self._sweep:
            raise ClusterError(self.trouble)
        if not self._sweep:
            holds = self._holds.all()
            queued = [hold for hold in holds if hold.queued]
            new = Hold(run, "", owners.read_owner(run.path), False, time.time())
            running = [hold for hold in holds if not hold.queued]
            waiting = turns([*queued, new], running)[max(0, self.slots - len(running)) :]
            check_queue_limits([hold.owner for hold in waiting], new.owner, self._queued, self._each)
        try:
            write_stamped_status(run, replace(run.status(), state="queued", message=WAITING_MESSAGE))
            self._holds.add(run)
        except OSError as error:
            raise ClusterError(f"The run {run.id} cannot be submitted: {error}.") from None
        self._wake.set()

    def adopt(self, runs: Iterable[Run]) -> None:
        """See JobBackend. What the cluster has needs no adoption; this is for runs that had not yet reached it."""
        for run in runs:
            if not self.holds(run) and run.left_in_queue():
                self._holds.add(run)
        self._wake.set()

    def holds(self, run: Run) -> bool:
        """See JobBackend."""
        return self._holds.find(run) is not None

    def room(self) -> bool:
        """See JobBackend."""
        holds = self._holds.all()
        queued = sum(hold.queued for hold in holds)
        return not self.trouble and len(holds) < self.slots and queued < max(1, self.capacity.free(ray_cpus()))

    def request_stop(self, run: Run) -> None:
        """See JobBackend."""
        if run.path.is_dir():
            run.update_control(stop=True)
        self._end_queued(run)

    def kill(self, run: Run) -> None:
        """See JobBackend. The worker ends within two seconds, even if the cluster cannot be reached."""
        if not self._end_queued(run):
            with contextlib.suppress(OSError, RunError):
                claims.fence(run)

    def _end_queued(self, run: Run) -> bool:
        """Ends a run that no worker trains. Returns False if a worker does, or the cluster does not have it."""
        hold = self._holds.find(run)
        if hold is None or not run.path.is_dir():
            return False
        with claims.claiming(run):
            if not hold.queued:
                return False
            self.release(run)
            message = "Stopped before its turn came."
            write_stamped_status(run, replace(run.status(), state="stopped", message=message, seconds_left=None))
        return True

    def release(self, run: Run) -> None:
        """Takes a run from the cluster. If a worker trains it, or is about to, the worker finds its claim lost."""
        claims.fence(run)
        if hold := self._holds.find(run):
            self._holds.remove(hold)

    def position(self, run: Run) -> int:
        """See JobBackend."""
        ids = [hold.run.id for hold in self._turns()]
        return ids.index(run.id) + 1 if run.id in ids else 0

    def ahead(self, run: Run) -> list[Run]:
        """See JobBackend."""
        return [hold.run for hold in self._turns()][: max(0, self.position(run) - 1)]

    def _turns(self) -> list[Hold]:
        holds = self._holds.all()
        return turns([hold for hold in holds if hold.queued], [hold for hold in holds if not hold.queued])

    def prepare(self) -> None:
        """Does nothing: no worker is kept warm on a cluster."""

    # From here on: the backend's thread.

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                self._take_turn()
                self._trouble = ""
            except DigitLabError as error:
                if str(error) != self._trouble:
                    log.info("%s", error)
                self._trouble = str(error)
            except OSError:  # a full disk, or a folder that was deleted just now: the next turn copes
                log.exception("A run's files could not be written")
            finally:
                self._note_answer()
                self._has_answered.set()
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _note_answer(self) -> None:
        self._answered = time.monotonic()

    def _take_turn(self) -> None:
        """Reads the capacity and sees that there is a driver. Raises ClusterError if the cluster cannot be reached."""
        holds = self._holds.all()
        keep_alive(holds)
        if self._cluster is None:
            self._cluster = self._connect()
        self.capacity = self._cluster.capacity()
        if holds:
            self._cluster.start_driver(self._driver)
