"""The queue of a Ray cluster, with a fake cluster; tests/cluster/ has a real one."""

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
from mnist_core.errors import ClusterError, QueueFullError, RunError, SettingError
from mnist_core.files import write_json
from mnist_core.jobs import worker_pool
from mnist_core.jobs.lifecycle import resume_run, start_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.ray import backend as backend_module
from mnist_core.jobs.ray import client, cluster, monitor, tasks
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.jobs.ray.cluster import Capacity, Job, JobState
from mnist_core.locks import LOCK_FILE
from mnist_core.runs import claims, mailbox
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run
from mnist_core.sweeps.trial_runs import TrialRuns
from mnist_core.training import inbox
from tests.support import ROOT, environment, wait_until

NODES = Capacity((4.0, 4.0), (0.0, 0.0))


class Cluster:
    """A fake cluster that records its jobs. The test sets their states, and the error that it `fails` with."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.calls = 0  # of submit, including those that were refused or repeated
        self.states: dict[str, JobState] = {}
        self.stopped: list[str] = []
        self.there = NODES
        self.fails: ClusterError | None = None
        self.refuses = ""
        self.forgets_to_answer = False
        self.stuck = threading.Event()
        self.stuck.set()

    def _answer(self) -> None:
        self.stuck.wait(30)
        if self.fails:
            raise self.fails

    def submit(self, job: Job) -> None:
        self._answer()
        self.calls += 1
        if self.refuses:
            raise RunError(self.refuses)
        self.jobs.setdefault(job.name, job)
        self.states.setdefault(job.name, JobState("pending"))
        if self.forgets_to_answer:
            self.forgets_to_answer = False
            raise ClusterError("The answer was lost.")

    def state(self, name: str) -> JobState:
        self._answer()
        return self.states.get(name, JobState("lost"))

    def stop(self, name: str) -> None:
        self._answer()
        self.stopped.append(name)

    def capacity(self) -> Capacity:
        self._answer()
        return self.there


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    for name in ("POLL_SECONDS", "CAPACITY_SECONDS"):
        monkeypatch.setattr(backend_module, name, 0.02)
    monkeypatch.setattr(monitor, "QUIET_SECONDS", 0.02)
    return Cluster()


@pytest.fixture
def queue(cloud: Cluster) -> Iterator[Callable[..., RayBackend]]:
    made: list[RayBackend] = []

    def make(**options: Any) -> RayBackend:
        made.append(RayBackend(lambda: cloud, **{"queued": 9, "each": 9, "stale": 0.3, **options}))
        return made[-1]

    yield make
    cloud.stuck.set()
    for backend in made:
        backend.close()


def make_run(owner: str = "") -> Run:
    return create_run(make_spec("fast", {"epochs": 3}, "sample"), owner=owner)


def report_from_node(run: Run, state: str, **changes: Any) -> None:
    """Writes a status as a worker on another node does."""
    status = replace(run.status(), state=state, host="node-7", pid=1, heartbeat=time.time(), epochs=3)
    run.write_status(replace(status, **changes))


def submitted_job(cloud: Cluster, run: Run, number: int = 1) -> Job:
    name = f"{run.id}-{number}"
    job: Job = wait_until(lambda: cloud.jobs.get(name), f"the job {name}", 10)
    return job


def started_job(cloud: Cluster, run: Run, number: int = 1) -> Job:
    """Waits for the job of a run and starts its worker."""
    job = submitted_job(cloud, run, number)
    cloud.states[job.name] = JobState("running")
    report_from_node(run, "running", message="Training.", step=5, epoch=1)
    return job


def final_status(run: Run) -> Status:
    wait_until(lambda: run.recorded_state in ("finished", "stopped", "failed", "interrupted"), f"the end of {run.id}")
    return run.status()


def test_a_run_is_one_job_with_the_workers_own_command(
    cloud: Cluster, queue: Any, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_MNIST", "/data/mnist.npz")
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "nobody else's business")
    monkeypatch.setenv("DIGITLAB_RAY_CPUS", "3")
    run, backend = make_run(), queue()
    backend.submit(run)
    job = submitted_job(cloud, run)
    folder = runs_root.resolve() / run.id
    assert job.entrypoint == f"exec {sys.executable} -m mnist_core.worker {folder} >> {folder}/log.txt 2>&1"
    assert job.variables["DIGITLAB_RUNS"] == str(runs_root.resolve())
    assert job.variables["DIGITLAB_MNIST"] == "/data/mnist.npz" and job.variables["OMP_NUM_THREADS"] == "3"
    assert "nobody else's business" not in job.variables.values()
    assert (job.needs.cpus, job.needs.gpus) == (3, 0)
    assert claims.read_claim(run) == claims.Claim(1, job.name)
    started_job(cloud, run)
    report_from_node(run, "finished", message="Finished")
    wait_until(lambda: not backend.holds(run), "the end")
    assert run.status().message == "Finished" and cloud.calls == 1 and list(cloud.jobs) == [job.name]


def test_a_submission_whose_answer_was_lost_is_repeated_by_the_same_name(cloud: Cluster, queue: Any) -> None:
    run, cloud.forgets_to_answer = make_run(), True
    backend = queue()
    backend.submit(run)
    wait_until(lambda: cloud.calls == 2, "the second submission")
    started_job(cloud, run)
    wait_until(lambda: not backend.trouble, "an answer")
    assert list(cloud.jobs) == [f"{run.id}-1"] and claims.read_claim(run).number == 1


def test_runs_for_all_slots_and_two_more_are_submitted(cloud: Cluster, queue: Any) -> None:
    backend, made = queue(), [make_run() for _ in range(8)]  # two nodes of four cores: four runs of two
    wait_until(lambda: backend.capacity == NODES, "the first look")
    for run in made:
        backend.submit(run)
    for run in made[:6]:
        submitted_job(cloud, run)
    for run in made[:4]:
        started_job(cloud, run)
    cloud.there = replace(NODES, busy=8.0, waiting=2)
    wait_until(lambda: backend.capacity.busy == 8, "another look")
    assert len(cloud.jobs) == 6 and backend.waiting == 4 and not backend.room()
    assert [backend.position(run) for run in made] == [0, 0, 0, 0, 0, 0, 1, 2]
    assert made[4].status().message == tasks.WAITING_MESSAGE
    report_from_node(made[0], "finished")
    started_job(cloud, made[4])
    submitted_job(cloud, made[6])
    assert len(cloud.jobs) == 7, "the next one follows when one has started"


def test_turns_are_fair_among_owners(cloud: Cluster, queue: Any) -> None:
    one, other = "1" * 64, "2" * 64
    cloud.there = Capacity((2.0,), (0.0,), busy=2.0)
    backend = queue()
    wait_until(lambda: backend.capacity.cores, "the first look")
    made = [make_run(one) for _ in range(4)] + [make_run(other)]
    with backend._tasks.lock:  # its thread gives none away meanwhile
        for run in made:
            backend.submit(run)
    submitted_job(cloud, made[0]), submitted_job(cloud, made[4])
    assert [backend.position(run) for run in made] == [0, 1, 2, 3, 0], "whoever has the fewest goes first"


def test_a_full_queue_refuses_runs_and_leaves_nothing_behind(cloud: Cluster, queue: Any, runs_root: Path) -> None:
    cloud.there = Capacity((2.0,), (0.0,), busy=2.0)
    backend, mine = queue(queued=3, each=2), "1" * 64
    wait_until(lambda: backend.capacity.cores, "the first look")
    spec = make_spec("fast", {}, "sample")
    for _ in range(2):
        submitted_job(cloud, start_run(backend, spec, mine))
    for _ in range(2):
        start_run(backend, spec, mine)
    with pytest.raises(QueueFullError, match="^2 of your runs .* 2 may"):
        start_run(backend, spec, mine)
    start_run(backend, spec)
    with pytest.raises(QueueFullError, match="^3 runs .* 3 may"):
        start_run(backend, spec)
    assert sum(path.name not in ("sweeps", LOCK_FILE) for path in runs_root.iterdir()) == 5


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
    submitted_job(cloud, run)
    wait_until(lambda: not backend.trouble, "the cluster again")
    backend.wait_for_answer(1)


def test_a_resumed_run_is_as_it_was_where_the_cluster_is_out_of_reach(cloud: Cluster, queue: Any) -> None:
    cloud.fails = ClusterError("Ray cannot be reached.")
    backend, run = queue(), make_run()
    report_from_node(run, "stopped", message="Stopped in epoch 2", epoch=1)
    (run.path / "checkpoint").mkdir()
    (run.path / "checkpoint" / "state.npz").touch()
    wait_until(lambda: backend.trouble, "the failure")
    with pytest.raises(ClusterError):
        resume_run(backend, run, 5)
    assert run.status().message == "Stopped in epoch 2" and run.control() == {}


def test_a_cluster_that_hangs_blocks_nobody(cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "PATIENCE_SECONDS", 0.2)
    backend, run, late = queue(), make_run(), make_run()
    wait_until(lambda: backend.capacity == NODES, "the first look")
    backend.submit(run)
    started_job(cloud, run)
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


@pytest.mark.slow
def test_a_lost_run_restarts_once_and_not_before_its_worker_is_silent(cloud: Cluster, queue: Any) -> None:
    backend, run = queue(stale=0.6), make_run()
    (run.path / "checkpoint").mkdir()
    (run.path / "checkpoint" / "state.npz").touch()
    backend.submit(run)
    job = started_job(cloud, run)
    run.append_metrics({"step": 5, "epoch": 1, "val_accuracy": 0.5})
    run.update_control(learning_rate=0.01)
    cloud.states[job.name] = JobState("lost", message="Job supervisor actor died")
    wait_until(lambda: claims.read_claim(run).number == 2, "its being taken from its worker")
    for _ in range(20):  # cut off from the cluster, not from the files: it lives on
        report_from_node(run, "running", message="Training.", step=6, epoch=1)
        time.sleep(0.06)
    assert len(cloud.jobs) == 1 and backend.holds(run)
    submitted_job(cloud, run, 3)
    assert list(cloud.jobs) == [f"{run.id}-1", f"{run.id}-3"]
    status = run.status()
    assert (status.state, status.epoch, status.step) == ("queued", 1, 6)
    assert len(run.metrics().rows) == 1 and run.control() == {"learning_rate": 0.01}
    started_job(cloud, run, 3)
    cloud.states[f"{run.id}-3"] = JobState("lost")
    assert final_status(run).state == "interrupted" and final_status(run).message == monitor.LOST_AGAIN
    wait_until(lambda: not backend.holds(run), "its being let go")
    assert len(cloud.jobs) == 2, "taken up once"


def test_a_lost_run_says_that_it_was_interrupted(cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = Run.write_status
    monkeypatch.setattr(Run, "write_status", lambda run, status: (written.append(status.state), write(run, status)))
    backend, run = queue(), make_run()
    backend.submit(run)
    job = started_job(cloud, run)
    run.append_metrics({"step": 5, "epoch": 1, "loss": 0.5})
    cloud.states[job.name] = JobState("lost")
    submitted_job(cloud, run, 3)
    assert written[-4:] == ["running", "interrupted", "queued", "queued"]
    assert run.metrics().rows == () and run.status().step == 0, "no epoch was finished: it begins again"


def test_a_worker_that_goes_on_writing_is_believed_whatever_ray_says(
    cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node is cut off from the head, and not from the files."""
    monkeypatch.setattr(monitor, "QUIET_SECONDS", 5.0)
    backend, run = queue(), make_run()
    backend.submit(run)
    job = started_job(cloud, run)
    wait_until(lambda: not backend._tasks.pending, "its being seen")
    cloud.states[job.name] = JobState("lost")
    for step in range(10):
        report_from_node(run, "running", step=step)
        time.sleep(0.1)
    assert claims.read_claim(run).number == 1 and backend.holds(run)
    report_from_node(run, "finished")
    wait_until(lambda: not backend.holds(run), "the end")
    assert list(cloud.jobs) == [job.name]


def test_a_lost_run_that_was_to_stop_is_not_taken_up(cloud: Cluster, queue: Any) -> None:
    backend, run = queue(), make_run()
    backend.submit(run)
    job = started_job(cloud, run)
    backend.request_stop(run)
    cloud.states[job.name] = JobState("lost")
    assert final_status(run).message == monitor.LOST_STOPPING and len(cloud.jobs) == 1


def test_a_job_that_ray_gave_up_is_queued_here_again(cloud: Cluster, queue: Any) -> None:
    backend, run = queue(), make_run()
    backend.submit(run)
    for number in (1, 3, 5):
        cloud.states[submitted_job(cloud, run, number).name] = JobState("crowded")
    started_job(cloud, run, 7)
    report_from_node(run, "finished")
    wait_until(lambda: not backend.holds(run), "the end")


@pytest.mark.parametrize(
    ("exit_status", "state", "message"),
    [
        (1, "failed", "Its worker ended: No module named mnist_core"),
        (137, "interrupted", "from outside"),
        (-9, "interrupted", "from outside"),
    ],
)
def test_a_silent_worker_is_concluded_from_what_ray_says(
    cloud: Cluster, queue: Any, exit_status: int, state: str, message: str
) -> None:
    backend, run = queue(), make_run()
    backend.submit(run)
    job = submitted_job(cloud, run)
    cloud.states[job.name] = JobState("ended", exit_status, "Traceback\nNo module named mnist_core")
    assert final_status(run).state == state and message in final_status(run).message
    assert "No module named mnist_core" in run.log.read_text(), "the end of the output that Ray has"


def test_what_a_worker_said_last_counts_although_it_arrives_late(cloud: Cluster, queue: Any) -> None:
    """Ray tells of the end at once; a file of another machine may be seen seconds later."""
    backend, run = queue(stale=60.0), make_run()
    backend.submit(run)
    job = started_job(cloud, run)
    cloud.states[job.name] = JobState("ended", 0)
    time.sleep(0.5)
    assert run.status().state == "running" and backend.holds(run)
    report_from_node(run, "finished", message="Finished")
    wait_until(lambda: not backend.holds(run), "the end")
    assert run.status().state == "finished"


def test_refused_jobs_fail_and_the_others_go_on(cloud: Cluster, queue: Any) -> None:
    backend, run, other, third = queue(), make_run(), make_run(), make_run()
    cloud.refuses = "Ray says no: entrypoint_num_gpus"
    backend.submit(run)
    assert final_status(run).message == "Ray says no: entrypoint_num_gpus"
    cloud.refuses = ""
    backend.submit(other)
    cloud.states[submitted_job(cloud, other).name] = JobState("refused", message="runtime_env setup failed")
    assert final_status(other).state == "failed" and "runtime_env setup failed" in final_status(other).message
    backend.submit(third)
    submitted_job(cloud, third)


def test_stop_requests_reach_queued_and_running_jobs(cloud: Cluster, queue: Any) -> None:
    cloud.there = Capacity((2.0,), (0.0,), busy=2.0)
    backend = queue(grace=0.3)
    wait_until(lambda: backend.capacity.cores, "the first look")
    trains, pends, waits = make_run(), make_run(), make_run()
    for run in (trains, pends, make_run(), waits):
        backend.submit(run)
    job = started_job(cloud, trains)
    submitted_job(cloud, pends)
    for run in (pends, waits):
        backend.request_stop(run)
        assert run.status().state == "stopped" and run.status().message == "Stopped before its turn came."
    wait_until(lambda: f"{pends.id}-1" in cloud.stopped, "the job's end")
    assert claims.read_claim(pends) == claims.Claim(2, ""), "should Ray start it after all, it finds itself unwanted"
    backend.request_stop(trains)
    assert trains.control()["stop"] is True
    wait_until(lambda: job.name in cloud.stopped, "the end of patience")
    assert backend.holds(trains)
    report_from_node(trains, "stopped", message="Stopped in epoch 1")
    wait_until(lambda: not backend.holds(trains), "the end")
    assert trains.status().message == "Stopped in epoch 1"


def test_kill_ends_queued_and_running_jobs(cloud: Cluster, queue: Any) -> None:
    backend, run = queue(), make_run()
    backend.submit(run)
    job = started_job(cloud, run)
    backend.kill(run)
    assert claims.read_claim(run) == claims.Claim(2, "")
    wait_until(lambda: job.name in cloud.stopped, "the call")
    cloud.states[job.name] = JobState("ended", -9)
    assert final_status(run).state == "interrupted" and not [name for name in cloud.jobs if name != job.name]
    wait_until(lambda: not backend.holds(run), "the end")


def test_a_deleted_run_does_not_disturb_the_others(cloud: Cluster, queue: Any) -> None:
    import shutil

    backend, run, other = queue(), make_run(), make_run()
    backend.submit(run)
    job = started_job(cloud, run)
    shutil.rmtree(run.path)
    wait_until(lambda: job.name in cloud.stopped and not backend.holds(run), "its end on the cluster")
    backend.submit(other)
    submitted_job(cloud, other)


def test_the_next_server_takes_over(cloud: Cluster, queue: Any) -> None:
    first = queue()
    trains, pends, done, local = make_run(), make_run(), make_run(), make_run()
    for run in (trains, pends, done):
        first.submit(run)
        submitted_job(cloud, run)
    started_job(cloud, trains), started_job(cloud, done)
    first.close()
    report_from_node(done, "finished", message="Finished")
    report_from_node(local, "running")  # not on the cluster: on another machine
    second = queue()
    second.adopt([trains, pends, done, local])
    assert [second.holds(run) for run in (trains, pends, done, local)] == [True, True, False, False]
    cloud.states[f"{trains.id}-1"] = JobState("lost")
    started_job(cloud, pends)
    submitted_job(cloud, trains, 3)
    assert sorted(cloud.jobs) == sorted([f"{trains.id}-1", f"{pends.id}-1", f"{done.id}-1", f"{trains.id}-3"]), (
        "one job each, and the lost one's second"
    )


def test_a_run_that_waits_is_not_taken_for_abandoned_on_other_machines(
    cloud: Cluster, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_module, "TOUCH_SECONDS", 0.05)
    backend, run = queue(), make_run()
    backend.submit(run)
    submitted_job(cloud, run)
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
    submitted_job(cloud, run)
    backend.close()
    LocalBackend(running=1, warm=False).adopt([run])
    wait_until(lambda: run.recorded_state == "failed", "its turn")
    assert claims.read_claim(run) == claims.Claim(2, "")


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


# words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("PENDING", None, None, None), JobState("pending")),
        (("RUNNING", None, None, "Job is running."), JobState("running", message="Job is running.")),
        (("SUCCEEDED", None, 0, None), JobState("ended", 0)),
        (("STOPPED", None, None, None), JobState("ended", -9)),
        (("FAILED", "JOB_ENTRYPOINT_COMMAND_ERROR", 1, "last words"), JobState("ended", 1, "last words")),
        (("FAILED", "JOB_SUPERVISOR_ACTOR_DIED", None, None), JobState("lost")),
        (("FAILED", None, None, "who knows"), JobState("lost", message="who knows")),
        (("FAILED", "JOB_SUPERVISOR_ACTOR_START_TIMEOUT", None, None), JobState("crowded")),
        (("FAILED", "RUNTIME_ENV_SETUP_FAILURE", None, None), JobState("refused")),
        (("FAILED", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", None, None), JobState("refused")),
    ],
)
def test_rays_job_states_are_translated(words: tuple[Any, ...], expected: JobState) -> None:
    assert JobState.from_ray(*words) == expected


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


# workers that stay


def passed_on(runs_root: Path, job: str, monkeypatch: pytest.MonkeyPatch) -> Path | None:
    """What the worker of a job is passed; it waits for it."""
    monkeypatch.setenv("DIGITLAB_RUNS", str(runs_root))
    monkeypatch.setenv(mailbox.JOB_VARIABLE, job)
    monkeypatch.setattr(mailbox, "STAY_SECONDS", 10.0)
    return inbox.next_from_mailbox()


def test_a_worker_is_passed_a_run_and_the_claim_on_it(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not inbox.has_mailbox()
    run = make_run()
    monkeypatch.setenv(claims.CLAIM_VARIABLE, "1")
    mailbox.send(runs_root, "job", run, 7)
    assert passed_on(runs_root, "job", monkeypatch) == run.path and os.environ[claims.CLAIM_VARIABLE] == "7"
    assert not mailbox.take_back(runs_root, "job"), "the worker has it"
    mailbox.send(runs_root, "job", run, 8)
    assert mailbox.take_back(runs_root, "job") and not list((runs_root / mailbox.FOLDER).iterdir())
    mailbox.dismiss(runs_root, "job")
    assert passed_on(runs_root, "job", monkeypatch) is None
    (runs_root / mailbox.FOLDER / "job.json").write_text('{"run": "../elsewhere", "number": 1}')
    assert passed_on(runs_root, "job", monkeypatch) is None
    monkeypatch.setattr(mailbox, "STAY_SECONDS", 0.2)
    assert inbox.next_from_mailbox() is None


@pytest.mark.slow
def test_a_run_is_received_or_taken_back_never_both(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "STAY_SECONDS", 0.05)
    monkeypatch.setattr(inbox, "POLL_SECONDS", 0.0)
    monkeypatch.setenv(mailbox.JOB_VARIABLE, "job")
    run, both = make_run(), []
    for number in range(1, 60):
        mailbox.send(runs_root, "job", run, number)
        had: list[bool] = []
        other = threading.Thread(target=lambda had=had: had.append(mailbox.take_back(runs_root, "job")))
        other.start()
        taken = inbox.next_from_mailbox()
        other.join()
        both.append((taken is not None) + had[0])
    assert set(both) == {1}


def test_a_sweeps_next_run_goes_to_the_worker_that_stays(
    cloud: Cluster, queue: Any, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.there = Capacity((2.0,), (0.0,))
    backend, first, second = queue(sweep=True), make_run(), make_run()
    wait_until(lambda: backend.capacity.cores, "the first look")
    backend.submit(first)
    job = started_job(cloud, first)
    assert job.variables[mailbox.JOB_VARIABLE] == job.name
    cloud.there = Capacity((2.0,), (0.0,), busy=2.0)
    wait_until(lambda: backend.capacity.busy and not backend.room(), "a full cluster")
    report_from_node(first, "finished")
    wait_until(lambda: backend.room(), "its worker being idle")
    backend.submit(second)
    assert passed_on(runs_root, job.name, monkeypatch) == second.path
    assert claims.read_claim(second) == claims.Claim(1, job.name) and list(cloud.jobs) == [job.name]
    report_from_node(second, "running")
    cloud.states[job.name] = JobState("lost")
    submitted_job(cloud, second, 3)
    assert claims.read_claim(second).retried


def test_a_run_sent_to_a_worker_that_exited_is_taken_back(cloud: Cluster, queue: Any) -> None:
    backend, first, second = queue(sweep=True), make_run(), make_run()
    backend.submit(first)
    job = started_job(cloud, first)
    report_from_node(first, "finished")
    wait_until(lambda: job.name in backend._tasks._idle, "its worker being idle")
    cloud.states[job.name] = JobState("ended", 0)
    backend.submit(second)
    submitted_job(cloud, second, 3)
    assert not claims.read_claim(second).retried, "it is no fault of the run's"


def test_a_run_that_was_passed_on_is_taken_over_by_the_next_process(cloud: Cluster, queue: Any) -> None:
    backend, first, second = queue(sweep=True), make_run(), make_run()
    backend.submit(first)
    job = started_job(cloud, first)
    report_from_node(first, "finished")
    wait_until(lambda: job.name in backend._tasks._idle, "its worker being idle")
    backend.submit(second)
    wait_until(lambda: claims.read_claim(second).job == job.name, "its being passed on")
    backend.close()
    cloud.states[job.name] = JobState("ended", 0)  # the worker has left without it
    later = queue(sweep=True)
    later.adopt([first, second])
    assert later.holds(second) and not later.holds(first)
    submitted_job(cloud, second, 3)
    assert second.status().state == "queued" and cloud.calls == 2


def test_idle_workers_of_a_sweep_exit_when_others_wait(
    cloud: Cluster, queue: Any, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, first = queue(sweep=True), make_run()
    wait_until(lambda: backend.capacity.cores, "the first look")
    backend.submit(first)
    job = started_job(cloud, first)
    cloud.there = replace(NODES, busy=8.0, waiting=1)
    wait_until(lambda: backend.capacity.waiting, "another look")
    report_from_node(first, "finished")
    assert passed_on(runs_root, job.name, monkeypatch) is None, "sent home"
    assert not backend.room() or not backend._tasks._idle


def test_a_trial_waits_in_rays_queue_and_is_taken_back_for_an_idle_worker(
    cloud: Cluster, queue: Any, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "RECALL_SECONDS", 0.2)
    cloud.there = replace(NODES, busy=8.0)
    backend, first, second = queue(sweep=True), make_run(), make_run()
    wait_until(lambda: backend.capacity.cores, "the first look")
    backend.submit(first)
    job = submitted_job(cloud, first)
    wait_until(lambda: not backend.room(), "no more room")
    cloud.there = replace(NODES, busy=6.0)
    started_job(cloud, first)
    wait_until(lambda: backend.room(), "room")
    backend.submit(second)
    pending = submitted_job(cloud, second)
    cloud.there = replace(NODES, busy=8.0)  # somebody was quicker: it waits in Ray's queue
    report_from_node(first, "finished")
    assert passed_on(runs_root, job.name, monkeypatch) == second.path
    wait_until(lambda: pending.name in cloud.stopped, "the other job's end")
    assert claims.read_claim(second) == claims.Claim(3, job.name)
