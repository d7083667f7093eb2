"""The driver of a cluster with fake tasks, and what a task does before it trains; tests/cluster/ has a real cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mnist_core.jobs.ray import driver
from mnist_core.jobs.ray.cluster import Capacity
from mnist_core.jobs.ray.driver import Driver, begin_attempt
from mnist_core.jobs.ray.holds import WAITING_MESSAGE, Hold
from mnist_core.runs import claims
from mnist_core.runs.run import Run
from tests.jobs.ray.test_backend import make_run, make_trial, report_from_node, submitted
from tests.support import wait_until


@dataclass
class Tasks:
    """A fake Pool of one node with four cores. The test says when a task has ended, and why."""

    begun: list[Hold] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    there: Capacity = Capacity((4.0,), (0.0,))

    def capacity(self) -> Capacity:
        return replace(self.there, busy=2.0 * (len(self.begun) - len(self.ended)))

    def submit(self, hold: Hold) -> str:
        self.begun.append(hold)
        return hold.job

    def wait(self, tasks: list[Any], seconds: float) -> list[Any]:
        time.sleep(0.01)
        return [task for task in tasks if task in self.ended]

    def failure(self, task: Any) -> str:
        return self.ended[task]

    def cancel(self, task: Any) -> None:
        self.cancelled.add(task)
        self.ended.setdefault(task, "The task was cancelled.")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Tasks:
    monkeypatch.setattr(driver, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(driver, "IDLE_SECONDS", 0.3)
    return Tasks()


@pytest.fixture
def serve(pool: Tasks, runs_root: Any) -> Callable[[], threading.Thread]:
    """Starts a driver, which exits by itself."""

    def start() -> threading.Thread:
        thread = threading.Thread(target=Driver(submitted(), pool).serve, daemon=True)
        thread.start()
        return thread

    return start


def submit(run: Run) -> Run:
    submitted().add(run)
    return run


def job_of(run: Run) -> str:
    hold = submitted().find(run)
    assert hold is not None
    return hold.job


def begun(pool: Tasks) -> list[Run]:
    return [hold.run for hold in pool.begun]


def test_as_many_runs_as_fit_are_given_to_ray_and_one_more_of_whoever_is_next(pool: Tasks, serve: Any) -> None:
    one, other = "1" * 64, "2" * 64
    trial, *made = [submit(make_trial(0)), *(submit(make_run(one)) for _ in range(3)), submit(make_run(other))]
    thread = serve()
    wait_until(lambda: len(pool.begun) == 2, "two runs of two cores")
    time.sleep(0.1)
    assert begun(pool) == [made[0], made[3]], "the one who has the fewest goes first, and a trial last"
    assert made[1].status().message == WAITING_MESSAGE and made[1].recorded_state == "queued"
    for run in (made[0], made[3]):
        report_from_node(run, "finished", message="Finished")
        pool.ended[job_of(run)] = ""
    wait_until(lambda: len(pool.begun) == 4, "the next two")
    for run in made[1:3]:
        report_from_node(run, "finished")
        pool.ended[job_of(run)] = ""
    wait_until(lambda: len(pool.begun) == 5, "the trial")
    report_from_node(trial, "finished")
    pool.ended[job_of(trial)] = ""
    thread.join(60)
    assert not thread.is_alive() and not submitted().all(), "nothing is left, and it has gone"
    assert made[0].status().message == "Finished"


def test_where_others_use_the_cluster_one_run_waits_in_rays_queue(pool: Tasks, serve: Any) -> None:
    pool.capacity = lambda: Capacity((4.0,), (0.0,), busy=4.0)  # type: ignore[method-assign]
    made = [submit(make_run()) for _ in range(3)]
    serve()
    wait_until(lambda: pool.begun, "the first")
    time.sleep(0.1)
    assert begun(pool) == made[:1]
    report_from_node(made[0], "running")
    wait_until(lambda: len(pool.begun) == 2, "the second")


@pytest.mark.parametrize(
    ("recorded", "retried", "failure", "state", "message"),
    [
        ("queued", False, "No module named mnist_core", "failed", "The cluster cannot run it: No module named"),
        ("running", True, "The node died.", "interrupted", driver.LOST_AGAIN),
        ("running", False, "Worker ran out of memory", "interrupted", "from outside"),
        ("stopping", False, "The task was cancelled.", "interrupted", "from outside"),
        ("interrupted", True, "It was withdrawn.", "interrupted", "as its worker said"),
        ("failed", False, "Worker exited", "failed", "as its worker said"),
        ("running", False, "", "running", "as its worker said"),  # its last words have not arrived yet
    ],
)
def test_the_end_of_a_run_is_recorded_if_its_worker_could_not(
    pool: Tasks, serve: Any, recorded: str, retried: bool, failure: str, state: str, message: str
) -> None:
    run = submit(make_run())
    thread = serve()
    wait_until(lambda: pool.begun, "the task")
    job = job_of(run)
    claims.take_claim(run, retried=retried, job=job)
    report_from_node(run, recorded, message="as its worker said")
    pool.ended[job] = failure
    thread.join(60)
    assert (run.recorded_state, submitted().find(run)) == (state, None) and message in run.status().message


def test_withdrawn_runs_are_not_begun_and_their_tasks_end(pool: Tasks, serve: Any) -> None:
    import shutil

    trains, deleted, stopped, never = (submit(make_run()) for _ in range(4))
    claims.fence(never)
    thread = serve()
    wait_until(lambda: len(pool.begun) == 2, "two tasks")
    jobs = [hold.job for hold in pool.begun]
    report_from_node(trains, "running")
    claims.fence(trains)
    shutil.rmtree(deleted.path)
    wait_until(lambda: pool.cancelled == set(jobs), "their ends")
    wait_until(lambda: len(pool.begun) == 3, "the next")
    claims.fence(stopped)  # as a backend does that stops a queued run
    submitted().remove(pool.begun[2])
    thread.join(60)
    assert trains.recorded_state == "interrupted" and not deleted.path.exists()
    assert never not in begun(pool) and never.recorded_state == "queued" == stopped.recorded_state
    assert not submitted().all()


def test_a_run_that_does_not_stop_is_ended(pool: Tasks, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "GRACE_SECONDS", 0.3)
    run = submit(make_run())
    thread = serve()
    wait_until(lambda: pool.begun, "the task")
    report_from_node(run, "running")
    time.sleep(0.4)
    assert not pool.cancelled
    run.update_control(stop=True)
    thread.join(60)
    assert pool.cancelled == {pool.begun[0].job} and run.recorded_state == "interrupted"


def test_a_run_that_was_submitted_again_is_another_one(pool: Tasks, serve: Any) -> None:
    run = submit(make_run())
    serve()
    wait_until(lambda: pool.begun, "the task")
    report_from_node(run, "running")
    claims.fence(run)
    run.write_status(replace(run.status(), state="queued"))
    submit(run)
    wait_until(lambda: len(pool.begun) == 2, "the second task")
    assert [hold.job for hold in pool.begun] == [f"{run.id}-1", f"{run.id}-3"]
    assert job_of(run) == f"{run.id}-3" and run.recorded_state == "queued"
    report_from_node(run, "finished")
    pool.ended[f"{run.id}-3"] = ""


def test_the_driver_survives_files_that_cannot_be_written(
    pool: Tasks, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([OSError(28, "No space left on device")] * 3)
    write = driver.write_state

    def full_disk(run: Run, state: str, message: str) -> None:
        if error := next(failures, None):
            raise error
        write(run, state, message)

    monkeypatch.setattr(driver, "write_state", full_disk)
    run = submit(make_run())
    serve()
    wait_until(lambda: pool.begun, "the task", 10)
    report_from_node(run, "finished")
    pool.ended[job_of(run)] = ""


# before a task trains


@pytest.fixture
def attempted(monkeypatch: pytest.MonkeyPatch, runs_root: Any) -> Run:
    """A run that was submitted."""
    monkeypatch.setenv(claims.CLAIM_VARIABLE, "")
    monkeypatch.setattr(driver, "STALE_SECONDS", 0.5)
    return submit(make_run())


def test_a_task_claims_its_run(attempted: Run) -> None:
    assert begin_attempt(attempted, job_of(attempted))
    assert claims.read_claim(attempted) == claims.Claim(2, job_of(attempted)) and not claims.claim_lost(attempted)
    claims.fence(attempted)
    assert claims.claim_lost(attempted)


@pytest.mark.parametrize("how", ["withdrawn", "submitted again", "ended", "deleted"])
def test_a_task_does_not_train_what_nobody_wants_any_more(attempted: Run, how: str) -> None:
    import shutil

    job = job_of(attempted)
    if how == "ended":
        report_from_node(attempted, "stopped")
    elif how == "deleted":
        shutil.rmtree(attempted.path)
    else:
        claims.fence(attempted)
        if how == "submitted again":
            submit(attempted)
    before = claims.read_claim(attempted)
    assert not begin_attempt(attempted, job) and claims.read_claim(attempted) == before


@pytest.mark.slow
def test_a_lost_run_goes_on_once_and_not_before_its_worker_is_silent(
    attempted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, written = job_of(attempted), []
    write = Run.write_status
    monkeypatch.setattr(Run, "write_status", lambda run, status: (written.append(status.state), write(run, status)))
    assert begin_attempt(attempted, job)
    (attempted.path / "checkpoint").mkdir()
    (attempted.path / "checkpoint" / "state.npz").touch()
    attempted.append_metrics({"step": 5, "epoch": 1, "val_accuracy": 0.5})
    attempted.update_control(learning_rate=0.01)
    report_from_node(attempted, "running", message="Training.", step=5, epoch=1)
    allowed: list[bool] = []
    second = threading.Thread(target=lambda: allowed.append(begin_attempt(attempted, job)))
    second.start()
    for _ in range(20):  # cut off from the cluster, not from the files: it lives on
        report_from_node(attempted, "running", message="Training.", step=6, epoch=1)
        time.sleep(0.06)
    assert not allowed and claims.read_claim(attempted).number == 3, "its claim was taken first"
    second.join(10)
    status = attempted.status()
    assert allowed == [True] and (status.state, status.epoch, status.step) == ("queued", 1, 6)
    assert status.message == driver.RESTARTED.format(epoch=1, epochs=3)
    assert written[-3:] == ["running", "interrupted", "queued"]
    assert len(attempted.metrics().rows) == 1 and attempted.control() == {"learning_rate": 0.01}
    report_from_node(attempted, "running", step=7)
    assert not begin_attempt(attempted, job), "once"
    assert attempted.status().message == driver.LOST_AGAIN and attempted.recorded_state == "interrupted"


def test_a_lost_run_that_was_to_stop_does_not_go_on(attempted: Run) -> None:
    report_from_node(attempted, "stopping")
    attempted.update_control(stop=True)
    assert not begin_attempt(attempted, job_of(attempted)) and attempted.status().message == driver.LOST_STOPPING


def test_a_lost_run_whose_worker_ends_it_after_all_has_ended(attempted: Run) -> None:
    report_from_node(attempted, "running")
    threading.Timer(0.2, lambda: report_from_node(attempted, "finished", message="Finished")).start()
    assert not begin_attempt(attempted, job_of(attempted)) and attempted.status().message == "Finished"
