"""A cluster in Digit Lab's words: where it is, what a run is given there, what there is to give, how a job stands.

jobs = ray_client.connect(address())         # DIGITLAB_RAY_ADDRESS
jobs.submit(Job(name, run, number, needs))   # queued by Ray, placed by Ray: `python -m mnist_core.worker RUN_DIR`
jobs.state(name)                             # JobState("running")
jobs.capacity()                              # Capacity: nodes, cores, busy ones, what waits

Every method raises ClusterError, in plain words and with the address, where the cluster cannot be reached.
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

GPU_PARTS = 10_000  # as Ray counts them

_KEPT_BACK = ("DIGITLAB_ADMIN_TOKEN", "DIGITLAB_RAY_ADDRESS", "DIGITLAB_WARM")
"""Not for workers: everybody who sees the cluster's dashboard sees the environment of its jobs."""
_LOST = ("JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE", "JOB_SUPERVISOR_ACTOR_START_FAILURE")


@dataclass(frozen=True)
class Needs:
    """What a run is given: `cpus` cores, and of one GPU, or of several, `gpus`."""

    cpus: float = DEFAULT_RAY_CPUS
    gpus: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """The cluster at one moment.

    Attributes:
        cores: of each node that has any.
        gpus: of each of these nodes.
        busy: cores that were given away, to whomever.
        waiting: jobs and other requests of anybody that wait for cores.
    """

    cores: tuple[float, ...] = ()
    gpus: tuple[float, ...] = ()
    busy: float = 0.0
    waiting: int = 0

    def slots(self, cpus: float) -> int:
        """How many runs of so many cores it takes at once, were it all free."""
        return sum(int(cores // cpus) for cores in self.cores)

    def needs(self) -> Needs:
        """What a run is given here: DIGITLAB_RAY_CPUS and DIGITLAB_RAY_GPUS.

        Where the latter is not set, a GPU is shared by the runs that the cores of its node take, if every node has
        one: cores decide how many runs there are, as where there is no GPU.
        """
        cpus, chosen = ray_cpus(), ray_gpus()
        if chosen is not None:
            return Needs(cpus, chosen)
        pairs = list(zip(self.cores, self.gpus, strict=True))
        share = min((min(1.0, gpus / max(1, cores // cpus)) for cores, gpus in pairs), default=0.0)
        return Needs(cpus, math.floor(share * GPU_PARTS) / GPU_PARTS)

    def free(self, cpus: float) -> int:
        """How many runs more it takes, as far as it is known how its free cores lie."""
        return max(0, min(self.slots(cpus), int((sum(self.cores) - self.busy) // cpus)))


@dataclass(frozen=True)
class Job:
    """What the cluster is asked to do: the worker of one run, under one claim; if it `stays`, others after it."""

    name: str
    run: Run
    number: int
    needs: Needs
    stays: bool = False

    @property
    def entrypoint(self) -> str:
        """The worker's command. `exec`: signals reach it, not a shell; its output goes to the run's log."""
        command = [sys.executable, "-m", "mnist_core.worker", str(self.run.path.resolve())]
        log = shlex.quote(str(self.run.log.resolve()))
        return f"exec {shlex.join(command)} >> {log} 2>&1"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its worker: threads, where runs and data are, and the claim."""
        given = child_environment(max(1, int(self.needs.cpus)))
        names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "PYTHONPATH", "KERAS_HOME")
        kept = {name: given[name] for name in names if name in given}
        own = {name: value for name, value in os.environ.items() if name.startswith("DIGITLAB_")}
        own |= {"DIGITLAB_RUNS": str(runs_dir().resolve()), claims.CLAIM_VARIABLE: str(self.number)}
        own |= {mailbox.JOB_VARIABLE: self.name} if self.stays else {}
        shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if self.needs.gpus else {}
        return {name: value for name, value in {**kept, **own, **shared}.items() if name not in _KEPT_BACK}


@dataclass(frozen=True)
class JobState:
    """How a job stands.

    Attributes:
        state: `pending` in Ray's queue; `running`; `ended` by itself or stopped; `lost` with its node, or unknown to
            the cluster; `crowded`: it waited too long for cores, and Ray gave it up; `refused`: it cannot be run.
        exit_status: of its worker where it has `ended` by itself, else -9.
        message: what Ray says of it.
    """

    state: str
    exit_status: int = -9
    message: str = ""

    @classmethod
    def of(cls, status: str, error: str | None, exit_status: int | None, message: str | None) -> JobState:
        """From Ray's words for it."""
        said = (message or "").strip()
        if status in ("PENDING", "RUNNING"):
            return cls(status.lower(), message=said)
        if status in ("SUCCEEDED", "STOPPED") or error == "JOB_ENTRYPOINT_COMMAND_ERROR":
            known = 0 if status == "SUCCEEDED" else exit_status
            return cls("ended", -9 if known is None or status == "STOPPED" else known, said)
        if error == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT":
            return cls("crowded", message=said)
        return cls("lost" if error is None or error in _LOST else "refused", message=said)


class Jobs(Protocol):
    """A cluster's job server."""

    def submit(self, job: Job) -> None:
        """Queues the job; a second one of the same name changes nothing. Raises RunError where it is refused."""

    def state(self, name: str) -> JobState:
        """How a job stands."""

    def stop(self, name: str) -> None:
        """Ends a job: SIGTERM, three seconds later SIGKILL. Nothing, where there is none."""

    def capacity(self) -> Capacity:
        """The cluster now."""
