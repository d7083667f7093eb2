"""Chooses the job backend: this machine, the cluster that DIGITLAB_RAY_ADDRESS names, or both side by side.

backend = routing.cluster_backend()                  # connects in the background; `trouble` says if it cannot
both = RoutingBackend(backend, LocalBackend())       # of a server: new runs go to the cluster
both.on_this_machine.submit(run)                     # except those that the user wants trained here
"""

from __future__ import annotations

from collections.abc import Iterable

from mnist_core.config import ray_address
from mnist_core.errors import ClusterError, SettingError
from mnist_core.jobs.backend import JobBackend
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.ray import client
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.jobs.ray.cluster import Capacity
from mnist_core.runs.run import Run, sweep_mark

CONNECT_SECONDS = 12.0
"""How long a command waits for the cluster's first answer."""


def default_backend() -> str:
    """Returns `ray` if DIGITLAB_RAY_ADDRESS is set, otherwise `local`."""
    try:
        return "ray" if ray_address() else "local"
    except SettingError:  # an invalid address is reported when the cluster is used
        return "ray"


def cluster_backend(sweep: bool = False) -> RayBackend:
    """Returns a backend for the cluster that DIGITLAB_RAY_ADDRESS names. `sweep`: see RayBackend."""
    return RayBackend(lambda: client.connect(_required_address()), sweep=sweep)


def connect_to_cluster(sweep: bool = False) -> RayBackend:
    """Returns a backend for the cluster once the cluster has answered. `sweep`: see RayBackend.

    Raises:
        SettingError: DIGITLAB_RAY_ADDRESS is not set, or invalid.
        ClusterError: the cluster does not answer.
    """
    _required_address()
    backend = cluster_backend(sweep)
    try:
        backend.wait_for_answer(CONNECT_SECONDS)
    except ClusterError as error:
        backend.close()
        raise ClusterError(f"{error} Or train on this machine: `--backend local`.") from None
    return backend


def _required_address() -> str:
    url = ray_address()
    if not url:
        raise SettingError(
            "No cluster is configured. Set DIGITLAB_RAY_ADDRESS to http://HEAD:8265, or train on this machine: "
            "`--backend local`."
        )
    return url


class RoutingBackend:
    """A JobBackend that submits runs to a cluster, and finds each run on the backend that holds it.

    Args:
        cluster: gets the runs that are submitted.
        local: gets the runs that are submitted to `on_this_machine`.

    Attributes:
        on_this_machine: a JobBackend for the same runs, which submits to this machine.
    """

    def __init__(self, cluster: RayBackend, local: LocalBackend) -> None:
        self.cluster, self.local = cluster, local
        self.on_this_machine: JobBackend = _OnThisMachine(self)

    @property
    def _target(self) -> JobBackend:
        """The backend that submitted runs go to."""
        return self.cluster

    @property
    def slots(self) -> int:
        """See JobBackend."""
        return self._target.slots

    @property
    def trouble(self) -> str:
        """See JobBackend."""
        return self._target.trouble

    @property
    def crowded_message(self) -> str:
        """See JobBackend."""
        return self._target.crowded_message

    def room(self) -> bool:
        """See JobBackend."""
        return self._target.room()

    def adopt(self, runs: Iterable[Run]) -> None:
        """See JobBackend. Runs of a sweep are left to the sweep's own process."""
        own = [run for run in runs if not sweep_mark(run)]
        self.cluster.adopt(own)
        self.local.adopt(run for run in own if not self.cluster.holds(run))

    def holds(self, run: Run) -> bool:
        """See JobBackend."""
        return self.cluster.holds(run) or self.local.holds(run)

    def backend_of(self, run: Run) -> JobBackend:
        """The backend that holds the run; the local one if neither does."""
        return self.cluster if self.cluster.holds(run) else self.local

    def submit(self, run: Run) -> None:
        """See JobBackend."""
        self.cluster.submit(run)

    def request_stop(self, run: Run) -> None:
        """See JobBackend."""
        self.backend_of(run).request_stop(run)

    def kill(self, run: Run) -> None:
        """See JobBackend."""
        self.backend_of(run).kill(run)

    def position(self, run: Run) -> int:
        """See JobBackend."""
        return self.backend_of(run).position(run)

    def ahead(self, run: Run) -> list[Run]:
        """See JobBackend."""
        return self.backend_of(run).ahead(run)

    def prepare(self) -> None:
        """Does nothing: the next run trains elsewhere."""


class _OnThisMachine(RoutingBackend):
    """The same two backends, but submitted runs go to this machine."""

    def __init__(self, both: RoutingBackend) -> None:
        self.cluster, self.local, self.on_this_machine = both.cluster, both.local, self

    @property
    def _target(self) -> JobBackend:
        return self.local

    def submit(self, run: Run) -> None:
        self.cluster.release(run)  # a worker there must not write to it again
        self.local.submit(run)

    def prepare(self) -> None:
        self.local.prepare()


def describe_capacity(capacity: Capacity, waiting: int) -> str:
    """`Cluster: 2 nodes, 3 of 8 cores busy, 2 runs waiting`."""
    queue = f"{waiting} run{'s' if waiting != 1 else ''} waiting" if waiting else "none waiting"
    if not capacity.cores:
        return f"Cluster: no node with cores has joined yet, {queue}"
    nodes, gpus = len(capacity.cores), sum(capacity.gpus)
    parts = [
        f"Cluster: {nodes} node{'s' if nodes != 1 else ''}",
        f"{capacity.busy:g} of {sum(capacity.cores):g} cores busy",
        *([f"{gpus:g} GPU{'s' if gpus != 1 else ''}"] if gpus else []),
        queue,
    ]
    return ", ".join(parts)
