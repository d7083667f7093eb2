"""The queue and a sweep, with workers that write what real ones would."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from unittest import mock

from mnist_core.files.folders import make_folder
from mnist_core.files.write import write_bytes
from mnist_core.jobs.lifecycle import resume_run, start_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import move_to_trash
from mnist_core.sweeps.store import Sweep, create_sweep, list_sweeps, runs_by_mark
from tests.faults.actions.world import World
from tests.support import wait_until
from tests.sweeps.fakes import RATES, InstantBackend, best_at_one_hundredth, make_plan_of_tiny, run_sweep_here

TRIALS = 3


class InstantPool:
    """A WorkerPool whose workers train in no time, in the server's thread."""

    def start(self, run: Run, in_use: Collection[object]) -> Any:
        exit_status = 0
        try:
            run.log.write_bytes(b"training\n")
            run.append_metrics({"step": 1, "epoch": 1, "loss": 0.5})
            run.write_card({"test_accuracy": 0.5})
            run.write_status(replace(run.status(), state="finished", message="Finished", epoch=1))
        except OSError:
            exit_status = 1
        return mock.Mock(pid=0, returncode=exit_status, poll=lambda: exit_status)

    def prepare(self) -> None:
        """Nothing to prepare."""

    def update_idle_workers(self, **_: bool) -> None:
        """There are none."""


def queue_runs(world: World) -> None:
    backend = LocalBackend(running=1, queued=9, each=9, grace=0.1, pool=InstantPool())  # type: ignore[arg-type]
    try:
        with backend.lock:  # so that the second is stopped while it waits
            runs = [world.do(f"run {number}", lambda: start_run(backend, make_spec("fast"))) for number in range(3)]
            if runs[1]:
                world.do("stopped", lambda: backend.request_stop(runs[1]))
        deadline = time.monotonic() + 0.6
        while any(run and backend.holds(run) for run in runs) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        backend.close()


def check_queue(world: World) -> None:
    """The next server continues the queue; what has not finished is resumed and finishes."""
    backend = LocalBackend(running=1, queued=9, each=9, grace=0.1, pool=InstantPool())  # type: ignore[arg-type]
    try:
        runs = [run for run in list_runs() if run.id not in (world.bystander.id, world.subject.id)]
        assert {world.done[step].id for step in world.done if step.startswith("run ")} <= {run.id for run in runs}
        backend.adopt(runs)
        wait_until(lambda: all(run.status(grace=0).final for run in runs), "the end of all runs", 5)
        for run in runs:
            if "stopped" in world.done and run.id == world.done["run 1"].id:
                assert run.status().state == "stopped"
            if run.status(grace=0).state != "finished":
                resume_run(backend, run)
        wait_until(lambda: all(run.status().state == "finished" for run in runs), "the end of the resumed runs", 5)
        for run in runs:
            move_to_trash(run)
    finally:
        backend.close()


class Workers(InstantBackend):
    """Trains at once, and leaves a checkpoint as every worker does before there is a model."""

    def _train(self, run: Run, values: list[float]) -> None:
        make_folder(run.path / CHECKPOINT_FILE.parent)
        write_bytes(run.path / CHECKPOINT_FILE, b"-")
        super()._train(run, values)


def sweep(world: World) -> None:
    plan = make_plan_of_tiny(RATES, trials=TRIALS, retrain_seeds=2)
    created = world.do("sweep", lambda: create_sweep(plan))
    if created:
        world.do("ran", lambda: run_sweep_here(created, Workers(best_at_one_hundredth)))


def check_sweep(world: World) -> None:
    """The next process of the sweep continues it: no trial is lost, and none is trained twice."""
    sweeps = list_sweeps()
    assert "sweep" not in world.done or sweeps == [world.done["sweep"]]
    for each in sweeps:
        run_sweep_here(each, Workers(best_at_one_hundredth))
        _check_finished_sweep(each)


def _check_finished_sweep(each: Sweep) -> None:
    assert each.status().state == "finished", each.status().message
    assert [row["state"] for row in each.trials()] == ["finished"] * TRIALS
    runs = runs_by_mark(each)
    assert len(runs) == TRIALS + 2 and {row["run"] for row in each.trials()} < {run.id for run in runs.values()}
    assert len(list_runs()) == len(runs) + 2, "a trial was trained twice"
    assert each.retrained_best()["of"] == 2
