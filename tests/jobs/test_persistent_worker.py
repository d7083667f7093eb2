"""A worker that trains one run after another."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from mnist_core.jobs.persistent_worker import Assignment, PersistentWorker
from mnist_core.jobs.worker_process import start_worker
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run
from tests.support import wait_until

pytestmark = pytest.mark.slow
TINY = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), batch_size=500, epochs=1, learning_rate=0.01)


def new_run(settings: Settings = TINY) -> Run:
    return create_run(RunSpec("fast", settings, "sample", seed=5))


def train(worker: PersistentWorker, run: Run) -> Assignment:
    assignment = worker.take(run)
    wait_until(lambda: assignment.poll() is not None, "the end of the run", 300)
    return assignment


def test_it_trains_like_a_new_process_even_after_a_failed_run_and_is_replaced_when_it_dies() -> None:
    worker = PersistentWorker(1)
    failed, first, second, alone, after_death = new_run(replace(TINY, batch_size=60_000)), *[new_run() for _ in "1234"]
    train(worker, failed)
    assert failed.status().state == "failed" and "batch_size" in failed.status().message
    train(worker, first)
    assignment = train(worker, second)
    assert start_worker(alone, 1).wait() == 0, alone.log.read_text()
    runs = (first, second, alone)
    assert [run.status().state for run in runs] == ["finished"] * 3, second.log.read_text()
    losses = [[row["loss"] for row in run.metrics().rows] for run in runs]
    assert losses[0] == losses[1] == losses[2], "nothing of a run stays behind"
    assert len({run.model.read_bytes() for run in runs}) == 1
    assert failed.status().pid == first.status().pid == second.status().pid != alone.status().pid

    pid = second.status().pid
    assignment.kill()
    # A zombie is not enough: threads may still be exiting, and the worker would take one more run. `poll` reaps it.
    wait_until(lambda: assignment.poll() is not None and not psutil.pid_exists(pid), "the end of the worker")
    train(worker, after_death)
    assert after_death.status().state == "finished" and after_death.status().pid != pid
    worker.end()
