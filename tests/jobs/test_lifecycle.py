"""Interrupted runs are submitted again, and a backend says whether one more run would start."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_core.errors import QueueFullError, RunError
from mnist_core.jobs import other_runs, worker_pool
from mnist_core.jobs.lifecycle import requeue, resume_run, start_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, list_runs


class Backend:
    """Notes what is submitted."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.submitted = error, list[str]()

    def submit(self, run: Run) -> None:
        if self.error is not None:
            raise self.error
        self.submitted.append(run.id)


def interrupted(with_checkpoint: bool) -> Run:
    run = create_run(make_spec("fast", {"epochs": 7}, "sample"))
    run.append_metrics({"step": 5, "epoch": 1})
    run.update_control(stop=True, paused=True, learning_rate=0.01)
    run.write_status(Status("interrupted", "gone", epoch=1, epochs=7, step=5, steps=35, train_seconds=3.0))
    if with_checkpoint:
        (run.path / CHECKPOINT_FILE).parent.mkdir()
        (run.path / CHECKPOINT_FILE).touch()
    return run


@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_an_interrupted_run_resumes_from_its_checkpoint_or_starts_again(with_checkpoint: bool) -> None:
    run, backend = interrupted(with_checkpoint), Backend()
    resume_run(backend, run)
    status = run.status()
    assert backend.submitted == [run.id] and (status.state, status.epochs) == ("queued", 7)
    assert (status.epoch, status.step, status.train_seconds) == ((1, 5, 3.0) if with_checkpoint else (0, 0, 0.0))
    assert run.control() == {"stop": False, "paused": False, "learning_rate": 0.01}


def test_a_run_whose_processes_died_a_moment_ago_can_be_resumed_at_once() -> None:
    """After a crash of server and worker: its heartbeat is fresh, but there is nobody."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    run, backend = interrupted(with_checkpoint=True), Backend()
    run.write_status(replace(stamp_status(Status("running", epoch=1, epochs=7)), pid=process.pid))
    resume_run(backend, run)
    assert backend.submitted == [run.id] and run.status().state == "queued"


def test_a_run_with_a_model_but_no_checkpoint_keeps_its_model() -> None:
    run, backend = interrupted(with_checkpoint=False), Backend()
    for name in ("model.tflite", "card.json"):
        (run.path / name).touch()
    with pytest.raises(RunError, match="has a model but no checkpoint"):
        resume_run(backend, run)
    assert backend.submitted == [] and run.status().state == "interrupted"


def test_a_run_on_a_full_disk_cannot_be_resumed_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run: Run, status: Status) -> None:
        raise OSError(28, "No space left on device")

    run = interrupted(with_checkpoint=True)
    control = run.control()
    monkeypatch.setattr(Run, "write_status", refuse)
    with pytest.raises(RunError, match="is full"):
        resume_run(Backend(), run, epochs=50)
    assert run.recorded_state == "interrupted" and run.control() == control, "the next one trains as many as before"


ERRORS = [QueueFullError("full"), RunError("locked for long"), OSError(errno.ENOSPC, "full")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_run_that_cannot_be_submitted_is_not_left_behind(error: Exception) -> None:
    with pytest.raises(type(error)):
        start_run(Backend(error), make_spec("fast", data="sample"))
    assert list_runs() == []


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_a_run_that_cannot_be_submitted_again_is_as_it_was(with_checkpoint: bool, error: Exception) -> None:
    run = interrupted(with_checkpoint)
    before = run.status(), run.control(), run.metrics()
    assert before[2].rows
    with pytest.raises(type(error)):
        resume_run(Backend(error), run)
    assert (run.status(), run.control(), run.metrics()) == before


def test_a_deleted_run_is_not_queued_again(tmp_path: Path) -> None:
    run = Run(tmp_path / "gone")
    requeue(run)
    assert not run.path.exists()


def test_a_backend_has_room_while_nobody_else_uses_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        returncode = 0
        pid = os.getpid()

        def poll(self) -> None:
            """It runs."""

        def kill(self) -> None:
            monkeypatch.setattr(self, "poll", lambda: 0)

    monkeypatch.setattr(other_runs, "RECOUNT_SECONDS", 0.0)
    monkeypatch.setattr(worker_pool, "start_worker", lambda run, threads: Process())
    backend = LocalBackend(running=2, warm=False)
    assert backend.slots == 2 and backend.room() and backend.trouble == ""
    other = create_run(make_spec("fast", {}, "sample"))
    for state, others in (("queued", 1), ("running", 1), ("paused", 0), ("finished", 0)):
        other.write_status(stamp_status(Status(state)))
        time.sleep(0.01)  # the status gets another time of change
        own = create_run(make_spec("fast", {}, "sample"))
        backend.submit(own)
        assert backend.holds(own) and not backend.holds(other)
        assert backend.room() == (others == 0), state
        second = create_run(make_spec("fast", {}, "sample"))
        backend.submit(second)
        assert not backend.room(), "both slots are taken"
        for run in (own, second):
            run.write_status(stamp_status(Status("stopped")))
            backend.kill(run)
        deadline = time.monotonic() + 20
        while any(backend.holds(run) for run in (own, second)) and time.monotonic() < deadline:
            time.sleep(0.01)


def test_runs_of_another_machine_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    assert other_runs.OtherRuns().count(exclude=()) == 1
    assert other_runs.OtherRuns().count(exclude={run.id}) == 0
    monkeypatch.setattr(other_runs.socket, "gethostname", lambda: "elsewhere")
    assert other_runs.OtherRuns().count(exclude=()) == 0
