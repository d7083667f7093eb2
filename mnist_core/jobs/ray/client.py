"""Talks to Ray's job server over HTTP: every call has a time limit, every failure an explanation.

    jobs = connect("http://head:8265")

Only this module imports ray.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

from mnist_core.errors import ClusterError, RunError
from mnist_core.jobs.ray.cluster import Capacity, Job, Jobs, JobState

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 15.0
"""Time limits: for the connection, and between two bytes of an answer."""


def connect(url: str) -> Jobs:
    """Connects to the job server at a URL, which takes seconds: ray is imported. Raises ClusterError if it fails."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "DIGITLAB_RAY_ADDRESS is set, but Ray is not installed here. Install it with "
            "`pip install -r requirements-cluster.txt`, or unset DIGITLAB_RAY_ADDRESS."
        )
    return RayJobs(url)


class RayJobs:
    """The `Jobs` protocol on Ray's own client."""

    def __init__(self, url: str) -> None:
        self._url = url
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

    def submit(self, job: Job) -> None:
        """See Jobs."""
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
            if "already exists" in str(error):  # the first answer got lost, and the job was submitted again
                return
            kind = RunError if "status code 400" in str(error) else ClusterError  # 400: the job is invalid
            raise kind(explain_failure(error, self._url)) from error

    def state(self, name: str) -> JobState:
        """See Jobs."""
        try:
            found = self._client.get_job_info(name)
        except Exception as error:
            if "status code 404" in str(error):
                return JobState("lost", message="The cluster does not know the job: the cluster was restarted.")
            raise ClusterError(explain_failure(error, self._url)) from error
        kind = None if found.error_type is None else str(getattr(found.error_type, "value", found.error_type))
        return JobState.from_ray(str(found.status), kind, found.driver_exit_code, found.message)

    def stop(self, name: str) -> None:
        """See Jobs."""
        try:
            self._client.stop_job(name)
        except Exception as error:
            if "status code 404" not in str(error):
                raise ClusterError(explain_failure(error, self._url)) from error

    def capacity(self) -> Capacity:
        """See Jobs."""
        answer = self._call(lambda: self._client._do_request("GET", "/api/cluster_status").json())
        return read_capacity(answer)


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
