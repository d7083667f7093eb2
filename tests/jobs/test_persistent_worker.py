"""A worker that trains one run after another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mnist_core.jobs import persistent_worker
from mnist_core.jobs.persistent_worker import Assignment, PersistentWorker
from mnist_core.jobs.worker_pool import WorkerPool
from mnist_core.runs.run import Run
from mnist_core.runs.store import create_run
from tests.jobs.conftest import SPEC
from tests.support import wait_until


@pytest.fixture
def worker() -> Iterator[PersistentWorker]:
    worker = PersistentWorker(1)
    yield worker
    worker.end()


def train(worker: PersistentWorker, run: Run) -> Assignment:
    assignment = worker.take(run)
    wait_until(lambda: assignment.poll() is not None, "the end of the run", 300)
    return assignment


@pytest.mark.slow
def test_it_trains_bit_for_bit_like_a_new_process_even_after_a_failed_run(
    worker: PersistentWorker, cold_run: Run
) -> None:
    failed = create_run(replace(SPEC, settings=replace(SPEC.settings, batch_size=60_000)))
    first, second = create_run(SPEC), create_run(SPEC)
    for run in (failed, first, second):
        train(worker, run)
    assert failed.status().state == "failed" and "batch_size" in failed.status().message
    for run in (first, second):
        assert run.status().state == "finished", run.log.read_text()
        # Not `loss`: how many steps a report covers depends on the time.
        assert run.metrics().rows[-1]["val_loss"] == cold_run.metrics().rows[-1]["val_loss"]
        assert run.model.read_bytes() == cold_run.model.read_bytes()
        assert run.status().pid == failed.status().pid != cold_run.status().pid


FAKE_WORKER = """
import json, os, sys
for folder in map(str.strip, sys.stdin):
    with open(folder + "/status.json", "w") as file:
        json.dump({"state": "finished", "pid": os.getpid()}, file)
"""
"""Finishes every run at once."""


def starting(script: str) -> Callable[..., subprocess.Popen[bytes]]:
    """Stands for `start_module`: starts a script of these tests."""

    def start(module: str, argument: str, *, threads: int, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", script], **options)

    return start


def test_a_worker_that_was_killed_as_its_run_ended_gets_no_other_run(
    worker: PersistentWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent_worker, "start_module", starting(FAKE_WORKER))
    first, second, third = (create_run(SPEC) for _ in range(3))
    train(worker, first)
    assignment = train(worker, second)
    pid = second.status().pid
    assert first.status().pid == pid
    assignment.kill()
    train(worker, third)
    assert third.status().state == "finished" and third.status().pid != pid


def test_a_worker_that_dies_while_it_trains_ends_the_assignment(
    worker: PersistentWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent_worker, "start_module", starting("input(); raise SystemExit(3)"))
    assert train(worker, create_run(SPEC)).returncode == 3


def test_a_run_whose_folder_is_deleted_ends_the_assignment(
    worker: PersistentWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent_worker, "start_module", starting("input(); input()"))
    run = create_run(SPEC)
    assignment = worker.take(run)
    assert assignment.poll() is None
    shutil.rmtree(run.path)
    assert assignment.poll() is not None
    monkeypatch.setattr(persistent_worker, "start_module", starting(FAKE_WORKER))
    train(worker, next_run := create_run(SPEC))
    assert next_run.status().state == "finished"


def test_a_worker_that_has_nothing_to_train_frees_its_memory_and_starts_again_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the runs of others go first, a sweep keeps no process with TensorFlow loaded."""

    def start(module: str, argument: str, *, threads: int, **options: Any) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([sys.executable, "-S", "-c", FAKE_WORKER], **options))
        return processes[-1]

    processes, now = list[subprocess.Popen[bytes]](), 1000.0
    monkeypatch.setattr(persistent_worker, "start_module", start)
    monkeypatch.setattr(persistent_worker, "time", SimpleNamespace(monotonic=lambda: now))
    pool = WorkerPool(1, warm=False, persistent=1)

    def train_next() -> None:
        assignment = pool.start(create_run(SPEC), ())
        pool.update_idle_workers(training=True, waiting=False)
        wait_until(lambda: assignment.poll() is not None, "the end of the run")

    train_next()
    for seconds, alive in ((14.0, True), (1.5, False)):
        now += seconds
        pool.update_idle_workers(training=False, waiting=False)
        assert (processes[0].poll() is None) == alive
    train_next()
    train_next()
    assert len(processes) == 2
    now += 100
    pool.update_idle_workers(training=False, waiting=False)
    assert processes[1].poll() is not None
