"""Which backend trains: this machine, or the cluster that DIGITLAB_RAY_ADDRESS names; and both beside one another.

backend = backends.cluster()                 # a RayBackend; it says itself where it cannot be reached
both = RoutingBackend(backend, LocalBackend())       # of a server: runs go to the cluster
both.on_this_machine                                    # the same, for somebody whose runs are to be trained on this machine
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
from mnist_core.runs import claims
from mnist_core.runs.run import Run, sweep_mark

MEET_SECONDS = 12.0
"""So long a command waits for the cluster's first answer."""


def default_backend() -> str:
    """`ray` where DIGITLAB_RAY_ADDRESS is set, else `local`."""
    try:
        return "ray" if ray_address() else "local"
    except SettingError:  # it is said, with how to mend it, where the cluster is used
        return "ray"


def cluster_backend(sweep: bool = False) -> RayBackend:
    """The cluster that DIGITLAB_RAY_ADDRESS names. `sweep`: see RayBackend."""
    return RayBackend(lambda: client.connect(_address()), sweep=sweep)


def connect_to_cluster(sweep: bool = False) -> RayBackend:
    """The same, once it has answered. Raises ClusterError where it does not, SettingError where none is named."""
    _address()
    backend = cluster_backend(sweep)
    try:
        backend.wait_for_answer(MEET_SECONDS)
    except ClusterError as error:
        backend.close()
        raise ClusterError(f"{error} Or train on this machine: `--backend local`.") from None
    return backend


def _address() -> str:
    url = ray_address()
    if not url:
        raise SettingError(
            "This is to be trained on a cluster, and none is named. Set DIGITLAB_RAY_ADDRESS to http://HEAD:8265, or "
            "train on this machine: `--backend local`."
        )
    return url


class RoutingBackend:
    """A JobBackend that gives runs to the cluster, and knows which are trained on this machine nevertheless.

    Args:
        cluster: where runs go.
        local: where those go that are submitted to `here`.
    """

    def __init__(self, cluster: RayBackend, local: LocalBackend) -> None:
        self.cluster, self.local = cluster, local
        self.on_this_machine: JobBackend = _Here(self)

    def adopt(self, runs: Iterable[Run]) -> None:
        """Takes over what an earlier server left, each run where it is. A sweep's own are its process's.

        Args:
            runs: in the order of their making.
        """
        found = [run for run in runs if not sweep_mark(run)]
        self.cluster.adopt(found)
        self.local.adopt(run for run in found if not self.cluster.holds(run))

    @property
    def slots(self) -> int:
        return self._default.slots

    @property
    def trouble(self) -> str:
        return self._default.trouble

    @property
    def crowded_message(self) -> str:
        return self._default.crowded_message

    @property
    def _default(self) -> JobBackend:
        """Where submitted runs go."""
        return self.cluster

    def room(self) -> bool:
        return self._default.room()

    def holds(self, run: Run) -> bool:
        return self.cluster.holds(run) or self.local.holds(run)

    def backend_of(self, run: Run) -> JobBackend:
        """Who has it; this machine, where nobody does."""
        return self.cluster if self.cluster.holds(run) else self.local

    def submit(self, run: Run) -> None:
        self.cluster.submit(run)

    def request_stop(self, run: Run) -> None:
        self.backend_of(run).request_stop(run)

    def kill(self, run: Run) -> None:
        self.backend_of(run).kill(run)

    def position(self, run: Run) -> int:
        return self.backend_of(run).position(run)

    def prepare(self) -> None:
        """Nothing is kept warm: runs go elsewhere."""


class _Here(RoutingBackend):
    """The other side of it: what is submitted goes to this machine."""

    def __init__(self, both: RoutingBackend) -> None:
        self.cluster, self.local, self.on_this_machine = both.cluster, both.local, self

    @property
    def _default(self) -> JobBackend:
        return self.local

    def submit(self, run: Run) -> None:
        claims.fence(run)
        self.local.submit(run)

    def prepare(self) -> None:
        self.local.prepare()


def describe_capacity(capacity: Capacity, waiting: int) -> str:
    """`Cluster: 2 nodes, 3 of 8 cores busy, 2 runs waiting`."""
    if not capacity.cores:
        return f"Cluster: no node with cores has joined it yet{_waiting(waiting)}"
    nodes = len(capacity.cores)
    cores, gpus = f"{capacity.busy:g} of {sum(capacity.cores):g} cores busy", sum(capacity.gpus)
    beside = f", {gpus:g} GPU{'s' if gpus != 1 else ''}" if gpus else ""
    return f"Cluster: {nodes} node{'s' if nodes != 1 else ''}, {cores}{beside}{_waiting(waiting)}"


def _waiting(count: int) -> str:
    return f", {count} run{'s' if count != 1 else ''} waiting" if count else ", none waiting"
