"""A cluster, as a web server sees it: what a run needs, what the cluster has, and the driver that trains runs there.

cluster = client.connect("http://head:8265")
cluster.start_driver(driver_name())     # a Ray job: `python -m mnist_core.worker --cluster NAME`
cluster.capacity()                      # Capacity: cores and GPUs of each node, busy cores, waiting jobs
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
import sys
from dataclasses import dataclass
from typing import Protocol

from mnist_core.config import DEFAULT_RAY_CPUS, ray_cpus, ray_gpus, runs_dir
from mnist_core.processes import child_environment

GPU_PARTS = 10_000
"""Ray gives out a GPU in parts of this size."""

_SECRET_VARIABLES = ("DIGITLAB_ADMIN_TOKEN", "DIGITLAB_RAY_ADDRESS", "DIGITLAB_WARM")
"""Not passed to workers: everybody who can open the cluster's dashboard sees the environment of its jobs."""


@dataclass(frozen=True)
class Needs:
    """What a run needs.

    Attributes:
        cpus: cores.
        gpus: GPUs, or the share of one.
    """

    cpus: float = DEFAULT_RAY_CPUS
    gpus: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """What a cluster has, and how much of it is in use.

    Attributes:
        cores: of each node that has any.
        gpus: of each of these nodes.
        busy: cores in use, by all jobs of all people.
        waiting: jobs and other requests of all people that wait for cores.
    """

    cores: tuple[float, ...] = ()
    gpus: tuple[float, ...] = ()
    busy: float = 0.0
    waiting: int = 0

    def slots(self, cpus: float) -> int:
        """How many runs with this many cores each fit on the whole cluster."""
        return sum(int(cores // cpus) for cores in self.cores)

    def needs(self) -> Needs:
        """What a run gets on this cluster: DIGITLAB_RAY_CPUS and DIGITLAB_RAY_GPUS.

        If the latter is not set and every node has a GPU, the runs that fit on the cores of a node share its GPUs. So
        the cores decide how many runs there are, as on a cluster without GPUs.
        """
        cpus, chosen = ray_cpus(), ray_gpus()
        if chosen is not None:
            return Needs(cpus, chosen)
        pairs = list(zip(self.cores, self.gpus, strict=True))
        share = min((min(1.0, gpus / max(1, cores // cpus)) for cores, gpus in pairs), default=0.0)
        return Needs(cpus, math.floor(share * GPU_PARTS) / GPU_PARTS)

    def free(self, cpus: float) -> int:
        """How many more runs with this many cores fit. An estimate: the free cores of each node are not known."""
        return max(0, min(self.slots(cpus), int((sum(self.cores) - self.busy) // cpus)))


def driver_command(name: str) -> str:
    """The command of the driver's job."""
    return f"exec {shlex.join([sys.executable, '-m', 'mnist_core.worker', '--cluster', name])}"


def worker_variables() -> dict[str, str]:
    """The environment of the driver and of its tasks: number of threads, folders of runs and data."""
    given = child_environment(max(1, int(ray_cpus())))
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "KERAS_HOME")
    kept = {name: value for name, value in given.items() if name in names or name.startswith("DIGITLAB_")}
    kept |= {"DIGITLAB_RUNS": str(runs_dir().resolve()), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(given["PYTHONPATH"].split(os.pathsep)))  # no child adds to it
    return {name: value for name, value in kept.items() if name not in _SECRET_VARIABLES}


def driver_name() -> str:
    """The driver for runs with this environment: runs of servers with different settings have different drivers."""
    text = json.dumps(worker_variables(), sort_keys=True)
    return f"digitlab-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class Cluster(Protocol):
    """A cluster, as a web server sees it. All methods raise ClusterError, with the URL, if it cannot be reached."""

    def start_driver(self, name: str) -> None:
        """Starts a driver; does nothing if one of this name runs."""

    def capacity(self) -> Capacity:
        """Returns the current capacity of the cluster."""
