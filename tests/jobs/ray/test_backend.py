"""What a web server does with a Ray cluster, with a fake one; the other end is in `test_driver`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_core.config import ray_address
from mnist_core.errors import ClusterError, QueueFullError, SettingError
from mnist_core.files.write import write_json
from mnist_core.jobs import worker_pool
from mnist_core.jobs.lifecycle import resume_run, start_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.ray import backend as backend_module
from mnist_core.jobs.ray import client, cluster, holds
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.jobs.ray.cluster import Capacity
from mnist_core.jobs.ray.holds import Holds
from mnist_core.locks import LOCK_FILE
from mnist_core.runs import claims
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run
from mnist_core.sweeps.trial_runs import TrialRuns
from tests.support import ROOT, environment, wait_until

NODES = Capacity((4.0, 4.0), (0.0, 0.0))


class Cluster:
    """A fake cluster that records which drivers were to be started. The test sets the error that it `fails` with."""

    def __init__(self) -> None:
        self.drivers: list[str] = []
        self.there = NODES
        self.fails: ClusterError | None = None
        self.stuck = threading.Event()
        self.stuck.set()

    def _answer(self) -> None:
        self.stuck.wait(30)
        if self.fails:
            raise self.fails

    def start_driver(self, name: str) -> None:
        self._answer()
        self.drivers.append(name)

    def capacity(self) -> Capacity:
        self._answer()
        return self.there


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(backend_module, "POLL_SECONDS", 0.02)
    return Cluster()


@pytest.fixture
def queue(cloud: Cluster) -> Iterator[Callable[..., RayBackend]]:
    """Makes a backend that has seen the cluster."""
    made: list[RayBackend] = []

    def make(**options: Any) -> RayBackend:
        made.append(RayBackend(lambda: cloud, **{"queued": 9, "each": 9, **options}))
        wait_until(lambda: made[-1].has_answered, "the first answer")
        return made[-1]

    yield make
    cloud.stuck.set()
    for backend in made:
        backend.close()


def make_run(owner: str = "", mark: dict[str, Any] | None = None) -> Run:
    return create_run(make_spec("fast", {"epochs": 3}, "sample"), owner=owner, mark=mark)


def make_trial(number: int) -> Run:
    return make_run(mark={"sweep": "20261121-093000-1f2e3d4c", "trial": number, "part": ""})


def report_from_node(run: Run, state: str, **changes: Any) -> None:
    """Writes a status as a worker on another node does."""
    status = replace(run.status(), state=state, host="node-7", pid=1, heartbeat=time.time(), epochs=3)
    run.write_status(replace(status, **changes))


def submitted() -> Holds:
    """The files that a driver reads."""
    return Holds(Path(os.environ["DIGITLAB_RUNS"]), cluster.driver_name())


def test_a_run_is_submitted_as_a_file_and_the_driver_is_started(
    cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, run = queue(), make_run("1" * 64)
    assert not backend.holds(run) and not cloud.drivers, "no driver where there is nothing to train"
    backend.submit(run)
    (hold,) = submitted().all()
    assert (hold.run, hold.job, hold.owner, hold.sweep) == (run, f"{run.id}-1", "1" * 64, False)
    assert claims.read_claim(run) == claims.Claim(1, hold.job) and not hold.withdrawn
    assert run.status().message == holds.WAITING_MESSAGE and backend.holds(run)
    wait_until(lambda: cloud.drivers, "the driver")
    assert set(cloud.drivers) == {cluster.driver_name()}
    report_from_node(run, "finished")
    submitted().remove(hold)  # as the driver does
    assert not backend.holds(run) and submitted().find(run) is None


def test_the_driver_and_its_workers_get_the_settings_and_no_secrets(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_MNIST", "/data/mnist.npz")
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "nobody else's business")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody else's business")
    monkeypatch.setenv("DIGITLAB_RAY_CPUS", "3")
    variables = cluster.worker_variables()
    assert variables["DIGITLAB_RUNS"] == str(runs_root.resolve()) and variables["OMP_NUM_THREADS"] == "3"
    assert variables["DIGITLAB_MNIST"] == "/data/mnist.npz" and str(ROOT) in variables["PYTHONPATH"]
    assert "nobody else's business" not in variables.values()
    assert cluster.driver_command("name") == f"exec {sys.executable} -m mnist_core.worker --cluster name"


def test_a_server_and_its_sweeps_share_a_driver_and_other_settings_have_another(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cluster.driver_name()
    monkeypatch.setattr(os, "environ", cluster.child_environment(2))  # that of a sweep's process
    assert cluster.driver_name() == before
    monkeypatch.setattr(os, "environ", cluster.child_environment(1))
    assert cluster.driver_name() == before
    monkeypatch.setenv("DIGITLAB_RAY_CPUS", "4")
    assert cluster.driver_name() != before


def test_turns_are_fair_among_owners_and_trials_come_last(cloud: Cluster, queue: Any) -> None:
    backend, one, other = queue(), "1" * 64, "2" * 64
    made = [make_trial(0), *(make_run(one) for _ in range(3)), make_run(other), make_trial(1)]
    for run in made:
        backend.submit(run)
    assert [backend.position(run) for run in made] == [5, 1, 3, 4, 2, 6]
    assert backend.ahead(made[2]) == [made[1], made[4]]
    report_from_node(made[1], "running")
    assert [backend.position(run) for run in made] == [4, 0, 2, 3, 1, 5], "whoever has the fewest goes first"
    assert backend.waiting == 5


def test_a_full_queue_refuses_runs_and_leaves_nothing_behind(cloud: Cluster, queue: Any, runs_root: Path) -> None:
    cloud.there = Capacity((2.0,), (0.0,), busy=2.0)  # room for one
    backend, mine = queue(queued=3, each=2), "1" * 64
    wait_until(lambda: backend.capacity.cores == (2.0,), "the capacity")
    spec = make_spec("fast", {}, "sample")
    for _ in range(3):
        start_run(backend, spec, mine)
    with pytest.raises(QueueFullError, match=r"^You have 2 waiting runs; .* 2\. "):
        start_run(backend, spec, mine)
    start_run(backend, spec)
    with pytest.raises(QueueFullError, match=r"3 waiting runs; .* 3\. "):
        start_run(backend, spec)
    assert len(list(runs_root.glob("*/spec.json"))) == 4 == len(submitted().all())
    assert {path.name for path in runs_root.iterdir() if path.name[0] == "."} <= {LOCK_FILE, holds.FOLDER}


def test_an_unreachable_cluster_is_reported_and_tried_again(cloud: Cluster, queue: Any, runs_root: Path) -> None:
    cloud.fails = ClusterError("Ray at http://head:8265 cannot be reached.")
    backend = queue()
    with pytest.raises(ClusterError, match="http://head:8265 cannot be reached"):
        backend.wait_for_answer(10)
    with pytest.raises(ClusterError, match="http://head:8265 cannot be reached"):
        start_run(backend, make_spec("fast", {}, "sample"))
    assert not list(runs_root.glob("*/spec.json")) and not backend.room()
    patient, run = queue(sweep=True), make_run()
    patient.submit(run)
    cloud.fails = None
    wait_until(lambda: cloud.drivers, "the driver")
    wait_until(lambda: not backend.trouble, "the cluster again")
    backend.wait_for_answer(1)


def test_a_run_that_cannot_be_written_is_not_submitted(
    queue: Any, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(holds, "write_json", full_disk)
    with pytest.raises(ClusterError, match="cannot be submitted.*No space left on device"):
        start_run(queue(), make_spec("fast", {}, "sample"))
    assert not list(runs_root.glob("*/spec.json")) and not submitted().all()


def test_a_resumed_run_is_as_it_was_where_the_cluster_is_out_of_reach(cloud: Cluster, queue: Any) -> None:
    cloud.fails = ClusterError("Ray cannot be reached.")
    backend, run = queue(), make_run()
    report_from_node(run, "stopped", message="Stopped in epoch 2", epoch=1)
    (run.path / "checkpoint").mkdir()
    (run.path / "checkpoint" / "state.npz").touch()
    with pytest.raises(ClusterError):
        resume_run(backend, run, 5)
    assert run.status().message == "Stopped in epoch 2" and run.control() == {}


def test_a_cluster_that_hangs_blocks_nobody(cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "PATIENCE_SECONDS", 0.2)
    backend, run, late = queue(), make_run(), make_run()
    backend.submit(run)
    report_from_node(run, "running")
    cloud.stuck.clear()
    wait_until(lambda: "has not answered for" in backend.trouble, "the silence", 10)
    began = time.monotonic()
    with pytest.raises(ClusterError, match="has not answered"):
        backend.submit(late)
    backend.position(run), backend.room(), backend.waiting
    backend.request_stop(run)
    backend.kill(run)
    assert time.monotonic() - began < 10, "none of them waited for the call that hangs"
    assert run.control()["stop"] is True and claims.read_claim(run) == claims.Claim(2, "")


def test_a_queued_run_is_stopped_at_once_and_one_that_trains_by_its_worker(cloud: Cluster, queue: Any) -> None:
    backend, trains, stopped, killed = queue(), make_run(), make_run(), make_run()
    for run in (trains, stopped, killed):
        backend.submit(run)
    report_from_node(trains, "running")
    backend.request_stop(trains)
    backend.request_stop(stopped)
    backend.kill(killed)
    assert trains.control()["stop"] is True and backend.holds(trains) and not submitted().find(trains).withdrawn
    for run in (stopped, killed):
        assert (run.status().state, run.status().message) == ("stopped", "Stopped before its turn came.")
        assert claims.read_claim(run) == claims.Claim(2, ""), "should a worker have it after all, it finds it taken"
        assert not backend.holds(run)
    backend.kill(trains)
    assert submitted().find(trains).withdrawn and backend.holds(trains), "until the driver has seen its end"


def test_another_server_knows_the_same_runs_and_adopts_what_never_reached_the_cluster(
    cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, run, left = queue(), make_run(), make_run()
    first.submit(run)
    first.close()
    second = queue()
    assert second.holds(run) and not second.holds(left)
    monkeypatch.setattr(Run, "left_in_queue", lambda run: run.recorded_state == "queued")
    second.adopt([run, left])
    assert second.holds(left) and claims.read_claim(run).number == 1 == claims.read_claim(left).number
    second.request_stop(run)
    assert not first.holds(run)


def test_a_sweep_has_room_while_nobody_waits(cloud: Cluster, queue: Any) -> None:
    backend, trial, run = queue(sweep=True), make_trial(0), make_run()
    cloud.there = replace(NODES, busy=8.0)  # as the dashboard says for a while after a trial has ended
    wait_until(lambda: backend.capacity.busy, "the figures")
    assert backend.room()
    backend.submit(trial)
    assert not backend.room(), "it waits, and the cluster seems to be full"
    report_from_node(trial, "running")
    assert backend.room()
    backend.submit(run)
    assert not backend.room()
    cloud.there = NODES
    wait_until(lambda: not backend.capacity.busy, "the figures")
    assert backend.room(), "a cluster with free cores is filled at once"


def test_a_run_that_waits_is_not_taken_for_abandoned_on_other_machines(cloud: Cluster, queue: Any) -> None:
    backend, run = queue(), make_run()
    backend.submit(run)
    old = time.time() - 3600
    run.write_status(replace(run.status(), host="elsewhere", heartbeat=old))
    os.utime(run.path / "status.json", (old, old))
    wait_until(lambda: run.status().state == "queued", "a sign of life")


def test_what_waited_for_a_cluster_is_taken_from_it_before_it_is_trained_here(
    cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_worker(run: Run, threads: int) -> None:
        raise OSError("this is a test")

    monkeypatch.setattr(worker_pool, "start_worker", no_worker)
    monkeypatch.setattr(Run, "left_in_queue", lambda run: True)
    monkeypatch.setattr(Status, "final", property(lambda status: status.state != "running"))
    backend, run = queue(), make_run()
    backend.submit(run)
    backend.close()
    LocalBackend(running=1, warm=False).adopt([run])
    wait_until(lambda: run.recorded_state == "failed", "its turn")
    assert claims.read_claim(run) == claims.Claim(2, "") and submitted().find(run).withdrawn


@pytest.mark.parametrize("content", ["", "{", '{"owner": 3, "sweep": "yes", "since": "soon"}', "[]"])
def test_a_damaged_file_of_a_submitted_run_is_read_as_far_as_it_goes(runs_root: Path, content: str) -> None:
    run, files = make_run(), submitted()
    files.add(run)
    hold = files.find(run)
    assert hold is not None
    (runs_root / holds.FOLDER / cluster.driver_name() / f"{hold.job}.json").write_text(content)
    found = submitted().find(run)
    assert found is not None and (found.run, found.job, found.owner, found.sweep) == (run, hold.job, "", False)


# the driver's job


class JobServer:
    """Stands for Ray's client. The test sets the state of each job."""

    def __init__(self, url: str) -> None:
        self.url, self.jobs, self.commands = url, {}, []
        self.exists = False

    def get_address(self) -> str:
        return self.url

    def get_job_status(self, name: str) -> str:
        if name not in self.jobs:
            raise RuntimeError("Request failed with status code 404: no such job")
        return str(self.jobs[name])

    def submit_job(self, *, entrypoint: str, submission_id: str, runtime_env: dict[str, Any]) -> None:
        if self.exists:
            raise RuntimeError(f"Job with submission_id {submission_id} already exists.")
        self.commands.append(entrypoint)
        self.jobs[submission_id] = "PENDING"


def test_a_driver_is_one_job_and_starts_again_when_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, runs_root: Path
) -> None:
    server = JobServer("http://h:1")
    monkeypatch.setattr(client, "_client", lambda url: server)
    made = client.RayCluster("http://h:1")
    for _ in range(2):
        made.start_driver("d")
    assert server.jobs == {"d-1": "PENDING"} and server.commands == [cluster.driver_command("d")]
    server.jobs["d-1"] = "SUCCEEDED"
    made.start_driver("d")
    assert server.jobs["d-2"] == "PENDING"
    server.jobs["d-2"] = "FAILED"
    with pytest.raises(ClusterError, match="driver d-2 .* has failed.*http://h:1"):
        made.start_driver("d")
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    made.start_driver("d")
    assert server.jobs["d-3"] == "PENDING"
    server.jobs.clear()  # a new head
    client.RayCluster("http://h:1").start_driver("d")
    assert list(server.jobs) == ["d-1"]
    server.jobs.clear()
    server.exists = True
    client.RayCluster("http://h:1").start_driver("d")  # another process was quicker


def test_a_sweeps_run_without_a_checkpoint_is_taken_from_whoever_may_have_it(runs_root: Path) -> None:
    class Here:
        """Trains nothing."""

        submitted: list[str] = []

        def submit(self, run: Run) -> None:
            self.submitted.append(run.id)

        def adopt(self, runs: list[Run]) -> None:
            """Takes over nothing."""

        def holds(self, run: Run) -> bool:
            return False

    run = make_run()
    claims.take_claim(run)
    report_from_node(run, "interrupted")
    made = TrialRuns(Here(), runs_root, "")  # type: ignore[arg-type]
    made.adopt(run)
    assert made.collect_ended() == [] and Here.submitted == [run.id] and claims.read_claim(run) == claims.Claim(2, "")


@pytest.mark.parametrize(
    ("heartbeat", "file", "state"),
    [
        (0, 0, "running"),
        (-3600, 0, "running"),  # its clock is behind ours, and the storage's is not
        (0, -3600, "running"),  # the storage's is
        (3600, 0, "running"),
        (-3600, -3600, "interrupted"),
        (3600, -3600, "interrupted"),  # ahead of us, and it has not written for an hour
    ],
)
def test_a_run_elsewhere_lives_by_its_heartbeat_or_its_files_time(heartbeat: float, file: float, state: str) -> None:
    run = make_run()
    report_from_node(run, "running", heartbeat=time.time() + heartbeat)
    os.utime(run.path / "status.json", (time.time() + file,) * 2)
    assert run.status().state == state


# the worker's side


def test_a_run_that_was_given_to_another_is_not_written_to(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    assert not claims.claim_lost(run), "no claim was given to this process"
    monkeypatch.setenv(claims.CLAIM_VARIABLE, "1")
    assert not claims.claim_lost(run), "there is no claim"
    claims.take_claim(run)
    assert not claims.claim_lost(run)
    (run.path / claims.CLAIM_FILE).write_text("{")
    assert not claims.claim_lost(run), "unreadable for a moment"
    write_json(run.path / claims.CLAIM_FILE, {"number": 2, "job": "another"})
    assert claims.claim_lost(run)
    before = (run.path / "status.json").read_bytes()
    monkeypatch.setattr(os, "_exit", lambda status: (_ for _ in ()).throw(SystemExit(status)))
    with pytest.raises(SystemExit) as caught:
        Heartbeat(run).update(state="running")
    assert caught.value.code == claims.EXIT_STATUS and (run.path / "status.json").read_bytes() == before


@pytest.mark.slow
def test_the_real_worker_exits_when_it_loses_its_claim(runs_root: Path) -> None:
    run = create_run(make_spec("fast", {"epochs": 1000}, "sample"))
    claim = claims.take_claim(run)
    with run.log.open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "mnist_core.worker", str(run.path)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=environment(runs_root, **{claims.CLAIM_VARIABLE: str(claim.number)}),
        )
    try:
        wait_until(lambda: run.status().step > 0, "the first batch", 120)
        claims.fence(run)
        assert worker.wait(30) == claims.EXIT_STATUS
    finally:
        worker.kill()
    assert run.recorded_state == "running" and not run.has_model


STATUS = {
    "data": {
        "clusterStatus": {
            "loadMetricsReport": {
                "usage": {"CPU": [3.0, 8.0]},
                "resourceDemand": [[{"CPU": 2.0}, 2], [{"CPU": 1.0}, 1]],
                "usageByNode": {
                    "head": {"memory": [0.0, 1e9]},
                    "a": {"CPU": [2.0, 4.0], "GPU": [0.0, 1.0]},
                    "b": {"CPU": [1.0, 4.0], "GPU": [0.0, 1.0]},
                },
            }
        }
    }
}


def test_the_dashboards_capacity_is_parsed() -> None:
    """As Ray 2.60 writes it; a head without cores is no node of ours."""
    found = client.read_capacity(STATUS)
    assert found == Capacity((4.0, 4.0), (1.0, 1.0), 3.0, 3)
    assert (found.slots(2), found.slots(3), found.free(2), found.free(4)) == (4, 2, 2, 1)
    for nonsense in (None, {}, {"data": None}, {"data": {"clusterStatus": None}}, []):
        assert client.read_capacity(nonsense) == Capacity()


@pytest.mark.parametrize(
    ("cores", "gpus", "asked", "share"),
    [
        ((4.0, 4.0), (0.0, 0.0), "", 0.0),
        ((4.0, 4.0), (1.0, 0.0), "", 0.0),  # not on every node: cores decide
        ((4.0, 4.0), (1.0, 1.0), "", 0.5),
        ((6.0,), (1.0,), "", 0.3333),
        ((2.0,), (4.0,), "", 1.0),
        ((4.0,), (0.0,), "1", 1.0),
        ((4.0,), (1.0,), "0", 0.0),
    ],
)
def test_a_gpu_is_asked_for_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, cores: Any, gpus: Any, asked: str, share: float
) -> None:
    monkeypatch.setenv("DIGITLAB_RAY_GPUS", asked)
    assert Capacity(cores, gpus).needs() == cluster.Needs(2.0, share)


def test_the_address_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, expected in [
        ("", ""),
        ("http://head:8265", "http://head:8265"),
        ("head:8265", "http://head:8265"),
        (" https://ray.example.org/ ", "https://ray.example.org"),
        ("http://[::1]:8265", "http://[::1]:8265"),
    ]:
        monkeypatch.setenv("DIGITLAB_RAY_ADDRESS", text)
        assert ray_address() == expected
    for text in ("ray://head:10001", "http://", "http://head:8265/jobs", "head:port", "auto\nhead"):
        monkeypatch.setenv("DIGITLAB_RAY_ADDRESS", text)
        with pytest.raises(SettingError, match="expected the address of the cluster's dashboard, http://HEAD:8265"):
            ray_address()


@pytest.mark.parametrize("name", ["DIGITLAB_RAY_CPUS", "DIGITLAB_RAY_GPUS"])
@pytest.mark.parametrize("text", ["-1", "many", "1e9", "nan"])
def test_digitlab_ray_cpus_and_gpus_are_checked(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingError, match=f"{name} is '{text}', expected a number"):
        NODES.needs()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"pip install -r requirements-cluster\.txt"):
        client.connect("http://head:8265")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionError("Failed to connect to Ray at address: x"), "http://h:1 cannot be reached"),
        (TimeoutError("timed out"), "http://h:1 does not answer"),
        (ImportError("No module named 'aiohttp'"), r"pip install -r requirements-cluster\.txt"),
        (RuntimeError("Request failed with status code 401: no token"), "token"),
        (RuntimeError("status code 500: Traceback\n  File x\nNo available agent\n.\n."), "No available agent"),
    ],
)
def test_failures_of_the_cluster_are_explained(error: Exception, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        raise ClusterError(client.explain_failure(error, "http://h:1"))
