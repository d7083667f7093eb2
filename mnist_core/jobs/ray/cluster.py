"""Data types for a cluster: what a run needs, what the cluster has, a job and its state.

jobs = client.connect("http://head:8265")
jobs.submit(Job(name, run, number, needs))   # Ray queues and places `python -m mnist_core.worker RUN_DIR`
jobs.state(name)                             # JobState("running")
jobs.capacity()                              # Capacity: nodes, cores, busy cores, waiting jobs
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from dataclasses import dataclass
from typing import Protocol

from mnist_core.config import DEFAULT_RAY_CPUS, ray_cpus, ray_gpus, runs_dir
from mnist_core.processes import child_environment
from mnist_core.runs import claims, mailbox
from mnist_core.runs.run import Run

GPU_PARTS = 10_000
"""Ray gives out a GPU in parts of this size."""

_SECRET_VARIABLES = ("DIGITLAB_ADMIN_TOKEN", "DIGITLAB_RAY_ADDRESS", "DIGITLAB_WARM")
"""Not passed to workers: everybody who can open the cluster's dashboard sees the environment of its jobs."""
_LOST_ERRORS = (
    "JOB_SUPERVISOR_ACTOR_DIED",
    "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE",
    "JOB_SUPERVISOR_ACTOR_START_FAILURE",
)


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


@dataclass(frozen=True)
class Job:
    """A worker for a run, to be started on the cluster.

    Attributes:
        name: unique on the cluster.
        run: to train.
        number: of the claim on the run.
        needs: cores and GPUs.
        stays: whether the worker is persistent.
    """

    name: str
    run: Run
    number: int
    needs: Needs
    stays: bool = False

    @property
    def entrypoint(self) -> str:
        """The worker's command. With `exec`, signals reach the worker and not a shell. Its output goes to the log."""
        command = [sys.executable, "-m", "mnist_core.worker", str(self.run.path.resolve())]
        log = shlex.quote(str(self.run.log.resolve()))
        return f"exec {shlex.join(command)} >> {log} 2>&1"

    @property
    def variables(self) -> dict[str, str]:
        """The worker's environment: number of threads, folders of runs and data, and the claim."""
        given = child_environment(max(1, int(self.needs.cpus)))
        names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "PYTHONPATH", "KERAS_HOME")
        kept = {name: given[name] for name in names if name in given}
        own = {name: value for name, value in os.environ.items() if name.startswith("DIGITLAB_")}
        own |= {"DIGITLAB_RUNS": str(runs_dir().resolve()), claims.CLAIM_VARIABLE: str(self.number)}
        own |= {mailbox.JOB_VARIABLE: self.name} if self.stays else {}
        shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if self.needs.gpus else {}
        return {name: value for name, value in {**kept, **own, **shared}.items() if name not in _SECRET_VARIABLES}


@dataclass(frozen=True)
class JobState:
    """The state of a job.

    Attributes:
        state: `pending` in Ray's queue; `running`; `ended` by itself or stopped; `lost` with its node, or unknown to
            the cluster; `crowded`: waited too long for cores, and Ray gave up; `refused`: cannot be run.
        exit_status: of the worker if it has `ended` by itself, otherwise -9.
        message: from Ray.
    """

    state: str
    exit_status: int = -9
    message: str = ""

    @classmethod
    def from_ray(cls, status: str, error: str | None, exit_status: int | None, message: str | None) -> JobState:
        """Translates Ray's status, error type, exit status and message."""
        text = (message or "").strip()
        if status in ("PENDING", "RUNNING"):
            return cls(status.lower(), message=text)
        if status in ("SUCCEEDED", "STOPPED") or error == "JOB_ENTRYPOINT_COMMAND_ERROR":
            known = 0 if status == "SUCCEEDED" else exit_status
            return cls("ended", -9 if known is None or status == "STOPPED" else known, text)
        if error == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT":
            return cls("crowded", message=text)
        return cls("lost" if error is None or error in _LOST_ERRORS else "refused", message=text)


class Jobs(Protocol):
    """The job server of a cluster. All methods raise ClusterError, with the URL, if it cannot be reached."""

    def submit(self, job: Job) -> None:
        """Queues the job. Does nothing if there is a job of this name. Raises RunError if the cluster refuses it."""

    def state(self, name: str) -> JobState:
        """Returns the state of a job."""

    def stop(self, name: str) -> None:
        """Ends a job: SIGTERM, three seconds later SIGKILL. Does nothing if there is none of this name."""

    def capacity(self) -> Capacity:
        """Returns the current capacity of the cluster."""
