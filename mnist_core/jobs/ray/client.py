"""Talks to Ray's job server over HTTP: every call has a time limit, every failure an explanation.

    jobs = connect("http://head:8265")

Only this module imports ray.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from typing import Any

from mnist_core.errors import ClusterError
from mnist_core.jobs.ray.cluster import Capacity, Cluster, driver_command, worker_variables
from mnist_core.jobs.ray.holds import Hold

RUNS_EACH = 50
"""Runs after which a process on the cluster is replaced, in case it leaks memory."""
RETRY_SECONDS = 10.0
"""How long to wait until a driver that has failed is started again."""
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 15.0
"""Time limits: for the connection, and between two bytes of an answer."""


def connect(url: str) -> Cluster:
    """Connects to the job server at a URL, which takes seconds: ray is imported. Raises ClusterError if it fails."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "DIGITLAB_RAY_ADDRESS is set, but Ray is not installed here. Install it with "
            "`pip install -r requirements-cluster.txt`, or unset DIGITLAB_RAY_ADDRESS."
        )
    return RayCluster(url)


class RayCluster:
    """The `Cluster` protocol on Ray's own client."""

    def __init__(self, url: str) -> None:
        self._url, self._number, self._started = url, 1, -RETRY_SECONDS
        self._client = self._call(lambda: _client(url))
        if (used := self._client.get_address()) != url:  # Ray prefers RAY_ADDRESS to its argument
            raise ClusterError(
                f"DIGITLAB_RAY_ADDRESS is {url}, but RAY_ADDRESS makes Ray use {used}. Unset RAY_ADDRESS."
            )

    def _call(self, call: Any) -> Any:
        """Returns what the call returns. Raises ClusterError, with advice, for every failure."""
        try:
            return call()
        except Exception as error:  # Ray raises its own, those of requests, and RuntimeError
            raise ClusterError(explain_failure(error, self._url)) from error

    def start_driver(self, name: str) -> None:
        """See Cluster."""
        while state := self._job_state(f"{name}-{self._number}"):
            if state in ("PENDING", "RUNNING"):
                return
            if state == "FAILED" and time.monotonic() - self._started < RETRY_SECONDS:
                raise ClusterError(
                    f"The driver {name}-{self._number} on the cluster has failed: see its log in Ray's dashboard, "
                    f"{self._url}. Still trying."
                )
            self._number += 1
        self._started = time.monotonic()
        try:
            self._client.submit_job(
                entrypoint=driver_command(name),
                submission_id=f"{name}-{self._number}",
                runtime_env={"env_vars": worker_variables()},
            )
        except Exception as error:
            if "already exists" not in str(error):  # another process was quicker
                raise ClusterError(explain_failure(error, self._url)) from error

    def _job_state(self, name: str) -> str:
        """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED; empty if Ray knows no such job."""
        try:
            return str(self._client.get_job_status(name))
        except Exception as error:
            if "status code 404" in str(error):
                return ""
            raise ClusterError(explain_failure(error, self._url)) from error

    def capacity(self) -> Capacity:
        """See Cluster."""
        answer = self._call(lambda: self._client._do_request("GET", "/api/cluster_status").json())
        return read_capacity(answer)


class RayPool:
    """The `Pool` protocol of the driver, on Ray's tasks.

    Args:
        train: the function that a task runs: (path of the run, name of its job) -> why it failed.
    """

    def __init__(self, train: Any) -> None:
        import ray

        logging.getLogger("ray").setLevel(logging.WARNING)
        ray.init(address="auto", log_to_driver=False, logging_level=logging.WARNING)
        self._ray = ray
        self._train = ray.remote(max_calls=RUNS_EACH, max_retries=1)(train)
        self._train_once = ray.remote(max_calls=1, max_retries=1)(train)

    def capacity(self) -> Capacity:
        """See Pool."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        cores = tuple(float(node["CPU"]) for node in nodes)
        free = self._ray.available_resources().get("CPU", 0.0)
        return Capacity(cores, tuple(float(node.get("GPU", 0)) for node in nodes), sum(cores) - free)

    def submit(self, hold: Hold) -> Any:
        """See Pool."""
        capacity = self.capacity()
        needs, train = capacity.needs(), self._train
        if needs.gpus and max(capacity.gpus) > 1:  # a loaded TensorFlow cannot change to the GPU that Ray picks next
            train = self._train_once
        options = train.options(num_cpus=needs.cpus, num_gpus=needs.gpus, name=hold.job)
        return options.remote(str(hold.run.path), hold.job)

    def wait(self, tasks: list[Any], seconds: float) -> list[Any]:
        """See Pool."""
        if not tasks:
            time.sleep(seconds)
            return []
        return list(self._ray.wait(tasks, timeout=seconds)[0])

    def failure(self, task: Any) -> str:
        """See Pool."""
        try:
            return str(self._ray.get(task))
        except Exception as error:  # Ray's own kinds, and what the task raised
            return str(error) or type(error).__name__

    def cancel(self, task: Any) -> None:
        """See Pool."""
        self._ray.cancel(task, force=True)


def _client(url: str) -> Any:
    from ray.job_submission import JobSubmissionClient

    class Limited(JobSubmissionClient):  # type: ignore[misc,unused-ignore]
        """Ray's client with time limits; it has none of its own."""

        def _do_request(self, *arguments: Any, **named: Any) -> Any:
            return super()._do_request(*arguments, **{"timeout": (CONNECT_SECONDS, ANSWER_SECONDS), **named})

    logging.getLogger("ray").setLevel(logging.WARNING)
    return Limited(url)


def read_capacity(answer: Any) -> Capacity:
    """Parses the answer of the dashboard's /api/cluster_status. Empty if it has no figures yet, or another form."""
    try:
        report = answer["data"]["clusterStatus"]["loadMetricsReport"]
        nodes = [node for node in report["usageByNode"].values() if node.get("CPU", (0, 0))[1] > 0]
        return Capacity(
            tuple(float(node["CPU"][1]) for node in nodes),
            tuple(float(node.get("GPU", (0, 0))[1]) for node in nodes),
            sum(float(node["CPU"][0]) for node in nodes),
            sum(int(count) for _, count in report["resourceDemand"]),
        )
    except (TypeError, KeyError, ValueError, IndexError, AttributeError):
        return Capacity()


def explain_failure(error: BaseException, url: str) -> str:
    """Says what is wrong with a cluster and what to do.

    Args:
        error: raised by Ray's client.
        url: of the cluster.
    """
    text, kind = str(error), type(error).__name__
    if isinstance(error, ImportError):
        return f"Ray cannot be imported here ({text}). Install it with `pip install -r requirements-cluster.txt`."
    if "Authentication" in kind or "status code 401" in text or "status code 403" in text:
        return f"Ray at {url} requires a token. Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, as on the cluster."
    if "Version check returned" in text or "JSONDecode" in kind:
        return f"The server at {url} is not a Ray dashboard. Set DIGITLAB_RAY_ADDRESS to http://HEAD:8265, or unset it."
    if "Timeout" in kind or "timed out" in text:
        return f"Ray at {url} does not answer. Check that its head runs (`ray status` there). Still trying."
    if "Connection" in kind or "Failed to connect" in text:
        return (
            f"Ray at {url} cannot be reached. Start its head (`ray start --head --dashboard-host=0.0.0.0`), or "
            "correct or unset DIGITLAB_RAY_ADDRESS."
        )
    lines = [line for line in text.strip().splitlines() if line.strip(" .")]
    return f"Ray at {url} refused: {(lines or [kind])[-1].strip()[:300]}"
