"""Ray's own client for its job server, by HTTP: each call with a limit of time, each failure in plain words.

jobs = connect("http://head:8265")           # ray is imported here and nowhere else
"""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

from mnist_core.errors import ClusterError, RunError
from mnist_core.jobs.ray.cluster import Capacity, Job, Jobs, JobState

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 15.0
"""A call that takes longer has failed: for the connection, and between two bytes of the answer."""


def connect(url: str) -> Jobs:
    """The job server at an address. It may take seconds: ray is imported. Raises ClusterError."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "DIGITLAB_RAY_ADDRESS is set, and Ray is not installed here. Install it with "
            "`pip install -r requirements-cluster.txt`, or unset DIGITLAB_RAY_ADDRESS."
        )
    return RayJobs(url)


class RayJobs:
    """Ray's own client, with limits of time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = self._asked(lambda: _client(url))
        if (used := self._client.get_address()) != url:  # Ray lets RAY_ADDRESS go before what it is told
            raise ClusterError(f"DIGITLAB_RAY_ADDRESS is {url}, and RAY_ADDRESS leads Ray to {used}: unset that.")

    def _asked(self, call: Any) -> Any:
        """What the call returns. Whatever goes wrong with it is a ClusterError that says what to do."""
        try:
            return call()
        except Exception as error:  # requests', Ray's, and RuntimeError for every answer but yes
            raise ClusterError(why(error, self._url)) from error

    def submit(self, job: Job) -> None:
        options: dict[str, Any] = {"entrypoint_num_cpus": job.needs.cpus}
        if job.needs.gpus:
            options["entrypoint_num_gpus"] = job.needs.gpus
        try:
            self._client.submit_job(
                entrypoint=job.entrypoint,
                submission_id=job.name,
                runtime_env={"env_vars": job.variables},
                metadata={"run": job.run.id, "claim": str(job.number)},
                **options,
            )
        except Exception as error:
            if "already exists" in str(error):  # the answer was lost on its way, and it was asked for again
                return
            kind = RunError if "status code 400" in str(error) else ClusterError  # it is this job's fault, or not
            raise kind(why(error, self._url)) from error

    def state(self, name: str) -> JobState:
        try:
            found = self._client.get_job_info(name)
        except Exception as error:
            if "status code 404" in str(error):
                return JobState("lost", message="The cluster does not know it: it was started anew.")
            raise ClusterError(why(error, self._url)) from error
        kind = None if found.error_type is None else str(getattr(found.error_type, "value", found.error_type))
        return JobState.of(str(found.status), kind, found.driver_exit_code, found.message)

    def stop(self, name: str) -> None:
        try:
            self._client.stop_job(name)
        except Exception as error:
            if "status code 404" not in str(error):
                raise ClusterError(why(error, self._url)) from error

    def capacity(self) -> Capacity:
        answer = self._asked(lambda: self._client._do_request("GET", "/api/cluster_status").json())
        return read_capacity(answer)


def _client(url: str) -> Any:
    from ray.job_submission import JobSubmissionClient

    class Limited(JobSubmissionClient):  # type: ignore[misc,unused-ignore]
        """Ray's client waits for ever, were it not for this."""

        def _do_request(self, *arguments: Any, **named: Any) -> Any:
            return super()._do_request(*arguments, **{"timeout": (CONNECT_SECONDS, ANSWER_SECONDS), **named})

    logging.getLogger("ray").setLevel(logging.WARNING)
    return Limited(url)


def read_capacity(answer: Any) -> Capacity:
    """What the dashboard's /api/cluster_status says; an empty one where it says nothing yet, or something else."""
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


def why(error: BaseException, url: str) -> str:
    """What is wrong with a cluster, and what to do, in plain words."""
    text, kind = str(error), type(error).__name__
    if isinstance(error, ImportError):
        return f"Ray cannot be imported here ({text}). Install it with `pip install -r requirements-cluster.txt`."
    if "Authentication" in kind or "status code 401" in text or "status code 403" in text:
        return f"Ray at {url} wants a token. Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, as on the cluster."
    if "Version check returned" in text or "JSONDecode" in kind:
        return f"What answers at {url} is no Ray dashboard. Mend or unset DIGITLAB_RAY_ADDRESS: http://HEAD:8265."
    if "Timeout" in kind or "timed out" in text:
        return f"Ray at {url} does not answer. See whether its head runs (`ray status` there); it is asked again."
    if "Connection" in kind or "Failed to connect" in text:
        return (
            f"Ray at {url} cannot be reached. Start its head (`ray start --head --dashboard-host=0.0.0.0`), or mend "
            "or unset DIGITLAB_RAY_ADDRESS."
        )
    lines = [line for line in text.strip().splitlines() if line.strip(" .")]
    return f"Ray at {url} says no: {(lines or [kind])[-1].strip()[:300]}"
