"""The local queue with fake workers of a few lines, and one run with a real worker."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_core import config
from mnist_core.config import max_queued, max_queued_each, max_running
from mnist_core.errors import QueueFullError, RunError, SettingError
from mnist_core.files.json_reader import read_json
from mnist_core.jobs import dispatcher, local, slots, worker_pool
from mnist_core.jobs.fair_queue import next_turns
from mnist_core.jobs.lifecycle import conclude_run, prepare_resume, start_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.slots import SLOTS_FILES, Slots
from mnist_core.jobs.worker_process import AdoptedWorker
from mnist_core.processes import cpu_count
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import FINAL_STATES, Status, stamp_status
from mnist_core.runs.store import create_run, list_runs
from tests.support import ROOT, environment, wait_until

FAKE_WORKER = """
import json, os, signal, sys, time
folder, host = sys.argv[1:]
behavior = open(folder + "/behavior").read()
def status(state):
    with open(folder + "/.new", "w") as file:
        json.dump({"state": state, "message": "fake", "pid": os.getpid(), "host": host, "heartbeat": time.time()}, file)
    os.replace(folder + "/.new", folder + "/status.json")
def terminated(*_):
    open(folder + "/terminated", "w").close()
    status("stopped")
    os._exit(0)
if behavior == "obey SIGTERM":
    signal.signal(signal.SIGTERM, terminated)
if behavior == "ignore SIGTERM":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if behavior == "die":
    print("first words", flush=True)
    print("its last words\\n", file=sys.stderr)
    sys.exit(3)
if behavior == "vanish":
    import shutil
    shutil.rmtree(folder)
    sys.exit(0)
status("running")
open(folder + "/started", "w").close()
for _ in range(12_000):  # two minutes at most
    time.sleep(0.01)
    if os.path.exists(folder + "/go"):
        status("finished")
        sys.exit(0)
    if behavior == "obey" and os.path.exists(folder + "/control.json"):
        status("stopped")
        sys.exit(0)
"""
"""What it does is written in its run's folder. `python -S` starts it in a few milliseconds."""


class Workers:
    """Starts fake workers, and records their order and how many ran at once."""

    def __init__(self) -> None:
        self.queues: list[LocalBackend] = []
        self.closed = False
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.threads: list[int] = []
        self.most_alive = 0

    def queue(self, *, running: int = 1, queued: int = 5, grace: float = 60.0, each: int = 5) -> LocalBackend:
        self.queues.append(LocalBackend(running, queued, grace, each))
        return self.queues[-1]

    def start(self, run: Run, threads: int) -> subprocess.Popen[bytes]:
        if self.closed:
            raise OSError("the test is over")
        command = [sys.executable, "-S", "-c", FAKE_WORKER, str(run.path), socket.gethostname()]
        with run.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.processes[run.id] = process
        self.threads.append(threads)
        self.most_alive = max(self.most_alive, sum(other.poll() is None for other in self.processes.values()))
        return process

    def close(self) -> None:
        """Empties the queues: their threads go on, and would start real workers after the test."""
        self.closed = True

        def queues_are_empty() -> bool:
            for process in list(self.processes.values()):  # another one may be starting
                process.kill()
            return not any(queue.holds(run) for queue in self.queues for run in list_runs())

        wait_until(queues_are_empty, "empty queues")
        for process in self.processes.values():  # else a ResourceWarning fails a later test, on a busy machine
            process.wait(60)

    @property
    def order(self) -> list[str]:
        return list(self.processes)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    workers = Workers()
    monkeypatch.setattr(worker_pool, "start_worker", workers.start)
    monkeypatch.setattr(local, "POLL_SECONDS", 0.02)
    yield workers
    workers.close()


def make_run(behavior: str = "wait", owner: str = "") -> Run:
    run = create_run(make_spec("fast", {}, "sample"), owner=owner)
    (run.path / "behavior").write_text(behavior)
    return run


def started(run: Run) -> Callable[[], bool]:
    return lambda: (run.path / "started").exists()


def let_finish(run: Run) -> None:
    (run.path / "go").touch()


def final_status(run: Run) -> Status:
    wait_until(lambda: run.recorded_state in FINAL_STATES, f"the end of {run.id}")
    return run.status()


def test_runs_train_one_after_the_other_in_order_of_submission(workers: Workers) -> None:
    backend, made = workers.queue(running=1, queued=5), [make_run() for _ in range(3)]
    for run in made:
        backend.submit(run)
    wait_until(started(made[0]), "the first worker")
    assert [backend.position(run) for run in made] == [0, 1, 2]
    assert [run.id for run in backend.ahead(made[2])] == [made[0].id, made[1].id]
    assert [run.status().state for run in made] == ["running", "queued", "queued"]
    let_finish(made[0])
    wait_until(started(made[1]), "the second worker")
    assert [backend.position(run) for run in made] == [0, 0, 1]
    for run in made[1:]:
        let_finish(run)
        assert final_status(run).state == "finished"
    wait_until(lambda: backend.position(made[2]) == 0, "an empty queue")
    assert workers.order == [run.id for run in made] and workers.most_alive == 1
    assert workers.threads == [cpu_count()] * 3


def test_no_more_runs_train_at_once_than_there_are_slots(workers: Workers) -> None:
    backend, made = workers.queue(running=2, queued=5), [make_run() for _ in range(5)]
    for run in made:
        backend.submit(run)
    wait_until(started(made[1]), "the second worker")
    for run in made:
        let_finish(run)
    assert [final_status(run).state for run in made] == ["finished"] * 5
    assert workers.most_alive == 2 and workers.order == [run.id for run in made]
    assert workers.threads == [max(1, cpu_count() // 2)] * 5


def test_a_paused_run_gives_its_turn_to_the_next(workers: Workers) -> None:
    backend, made = workers.queue(running=1, queued=5), [make_run() for _ in range(3)]
    for run in made:
        backend.submit(run)
    for run in made[:2]:
        wait_until(started(run), "its worker, while the one before is paused")
        run.write_status(replace(run.status(), state="paused"))
        assert run.id not in {other.id for other in backend.ahead(made[2])}, "it may stay paused for hours"
    backend.update()
    assert workers.order == [run.id for run in made[:2]], "more paused runs than slots count: they take memory"
    let_finish(made[0])
    wait_until(started(made[2]), "the third worker")


def test_queued_runs_look_alive_to_other_machines(workers: Workers) -> None:
    backend, made = workers.queue(running=1), [make_run() for _ in range(2)]
    for run in made:
        backend.submit(run)
    wait_until(started(made[0]), "the first worker")
    status = made[1].path / "status.json"
    os.utime(status, (0, 0))
    backend.update()
    assert time.time() - status.stat().st_mtime < 60


def test_a_closed_backend_leaves_the_line(workers: Workers, runs_root: Path) -> None:
    assert Slots(1).take(make_run())  # in the name of this process
    backend, run = workers.queue(running=1), make_run()
    backend.submit(run)

    def waiting() -> list[str]:
        return [pid for path in runs_root.glob(SLOTS_FILES) for pid in read_json(path).get("waiting", {})]

    wait_until(lambda: waiting() == [str(os.getpid())], "its place in the line")
    backend.close()
    assert waiting() == []
    backend.request_stop(run)


def test_a_full_queue_refuses_and_takes_again_later(workers: Workers) -> None:
    backend, made = workers.queue(running=1, queued=2), [make_run() for _ in range(4)]
    for run in made[:3]:
        backend.submit(run)
    with pytest.raises(QueueFullError, match=r"2 waiting runs; .* 2\. .*DIGITLAB_MAX_QUEUED\b"):
        wait_until(started(made[0]), "the first worker")
        backend.submit(made[3])
    assert backend.position(made[3]) == 0
    let_finish(made[0])
    wait_until(started(made[1]), "the second worker")
    backend.submit(made[3])
    assert backend.position(made[3]) == 2


def test_as_many_as_may_run_and_wait_are_taken_before_any_has_started(workers: Workers) -> None:
    backend = workers.queue(running=2, queued=1)
    with backend.lock:  # the queue's own thread cannot start any of them meanwhile
        for run in (make_run(), make_run(), make_run()):
            backend.submit(run)
        with pytest.raises(QueueFullError):
            backend.submit(make_run())


def test_start_leaves_nothing_behind_where_the_queue_is_full(workers: Workers) -> None:
    backend = workers.queue(running=1, queued=1)
    with backend.lock:
        made = [start_run(backend, make_spec("fast", {}, "sample")) for _ in range(2)]
        with pytest.raises(QueueFullError):
            start_run(backend, make_spec("fast", {}, "sample"))
        assert {run.id for run in list_runs()} == {run.id for run in made}
        for run in made:
            (run.path / "behavior").write_text("obey")
            run.update_control(stop=True)
    assert {final_status(run).state for run in made} == {"stopped"}


def test_stopping_a_queued_run_ends_it_at_once(workers: Workers) -> None:
    backend, first, second, third = workers.queue(running=1, queued=5), make_run(), make_run(), make_run()
    for run in (first, second, third):
        backend.submit(run)
    wait_until(started(first), "the first worker")
    backend.request_stop(second)
    assert (second.status().state, second.status().message) == ("stopped", "Stopped before its turn came.")
    assert second.control() == {"stop": True} and backend.position(second) == 0 and backend.position(third) == 1
    let_finish(first)
    wait_until(started(third), "the third worker")
    assert second.id not in workers.order


def test_a_worker_stops_on_request(workers: Workers) -> None:
    backend, run = workers.queue(running=1), make_run("obey")
    backend.submit(run)
    wait_until(started(run), "the worker")
    backend.request_stop(run)
    assert final_status(run).state == "stopped" and workers.processes[run.id].wait(10) == 0


posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals: it ends processes at once")


@posix
def test_a_worker_that_ignores_the_request_gets_sigterm(workers: Workers) -> None:
    backend, run = workers.queue(running=1, grace=0.3), make_run("obey SIGTERM")
    backend.submit(run)
    wait_until(started(run), "the worker")
    requested = time.monotonic()
    backend.request_stop(run)
    assert final_status(run).state == "stopped" and (run.path / "terminated").exists()
    assert time.monotonic() - requested >= 0.3, "not before its grace period was over"


@posix
def test_a_worker_that_ignores_sigterm_is_killed(workers: Workers) -> None:
    backend, run, next_run = workers.queue(running=1, grace=0.3), make_run("ignore SIGTERM"), make_run()
    backend.submit(run)
    backend.submit(next_run)
    wait_until(started(run), "the worker")
    requested = time.monotonic()

    def request_again() -> bool:
        """Which must not prolong the grace period."""
        backend.request_stop(run)
        return run.status().final

    wait_until(request_again, "the end", 20)
    assert run.status().state == "interrupted" and "did not stop by itself" in run.status().message
    assert time.monotonic() - requested >= 0.6
    assert workers.processes[run.id].wait(10) == -signal.SIGKILL
    wait_until(started(next_run), "the next worker")


def test_kill_ends_a_run_at_once(workers: Workers) -> None:
    backend, run = workers.queue(running=1), make_run("ignore SIGTERM")
    backend.submit(run)
    wait_until(started(run), "the worker")
    backend.kill(run)
    assert final_status(run).state == ("interrupted" if os.name != "nt" else "failed")
    assert not run.has_model and not psutil.pid_exists(workers.processes[run.id].pid)


def test_a_killed_run_that_waits_never_starts(workers: Workers) -> None:
    backend, first, second, third = workers.queue(running=1), make_run(), make_run(), make_run()
    for run in (first, second, third):
        backend.submit(run)
    wait_until(started(first), "the first worker")
    backend.kill(second)
    assert second.status().final and backend.position(second) == 0
    let_finish(first)
    wait_until(started(third), "the third worker")
    assert second.id not in workers.order


def test_the_last_line_of_a_dead_worker_is_the_message(workers: Workers) -> None:
    backend, run, next_run = workers.queue(running=1), make_run("die"), make_run()
    backend.submit(run)
    backend.submit(next_run)
    assert (final_status(run).state, run.status().message) == ("failed", "Its worker ended: its last words")
    wait_until(started(next_run), "the next worker")


@posix
def test_a_worker_ended_from_outside_is_an_interruption(workers: Workers) -> None:
    backend, run = workers.queue(running=1), make_run()
    backend.submit(run)
    wait_until(started(run), "the worker")
    workers.processes[run.id].send_signal(signal.SIGKILL)
    assert final_status(run).state == "interrupted" and "from outside" in run.status().message


def test_the_queue_survives_runs_whose_folder_was_deleted(workers: Workers) -> None:
    backend, vanishing, deleted, next_run = workers.queue(running=1), make_run("vanish"), make_run(), make_run()
    with backend.lock:
        for run in (vanishing, deleted, next_run):
            backend.submit(run)
        shutil.rmtree(deleted.path)
    wait_until(started(next_run), "the worker after those of deleted folders")
    assert not vanishing.path.exists() and not deleted.path.exists()
    let_finish(next_run)
    assert final_status(next_run).state == "finished"


def test_a_stop_of_a_deleted_run_is_no_error(workers: Workers) -> None:
    backend, run = workers.queue(running=1), make_run()
    shutil.rmtree(run.path)
    backend.request_stop(run)
    backend.kill(run)
    assert not run.path.exists()


def test_a_machine_that_starts_no_process_is_a_failure_of_the_run_only(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: Run, threads: int) -> Any:
        monkeypatch.setattr(worker_pool, "start_worker", workers.start)
        raise OSError("no more processes")

    monkeypatch.setattr(worker_pool, "start_worker", refuse)
    backend, run, next_run = workers.queue(running=1), make_run(), make_run()
    backend.submit(run)
    backend.submit(next_run)
    assert (final_status(run).state, run.status().message) == (
        "failed",
        "The worker could not be started: no more processes.",
    )
    wait_until(started(next_run), "the next worker")


@pytest.mark.parametrize(
    ("state", "exit_status", "expected"),
    [
        ("finished", 0, "finished"),
        ("stopped", 0, "stopped"),
        ("failed", 1, "failed"),
        ("finished", -9, "finished"),
        ("running", 0, "failed"),
        ("queued", 1, "failed"),
        ("running", -15, "interrupted"),
        ("stopping", 137, "interrupted"),
    ],
)
def test_conclude_run_records_an_end_that_the_worker_did_not_record(
    state: str, exit_status: int, expected: str
) -> None:
    run = make_run()
    run.write_status(Status(state, "as before", epoch=2, heartbeat=time.time()))
    conclude_run(run, exit_status)
    status = run.status()
    assert (status.state, status.epoch) == (expected, 2)
    words = {"failed": "it left no message", "interrupted": "from outside"}
    assert ("as before" if state == expected else words[expected]) in status.message


def test_what_a_worker_said_about_its_own_end_stays() -> None:
    """A worker on a full disk writes `interrupted` and why, then ends with exit status 1."""
    run = make_run()
    run.log.write_text("a line of the log")
    run.write_status(stamp_status(Status("interrupted", "The disk is full. Resume the run.")))
    conclude_run(run, 1)
    assert (run.status().state, run.status().message) == ("interrupted", "The disk is full. Resume the run.")


def test_the_end_of_a_worker_is_not_written_to_a_run_that_another_process_took_since() -> None:
    run = make_run()
    run.write_status(replace(stamp_status(Status("running")), pid=os.getppid()))
    conclude_run(run, 1, worker=dead_pid())
    assert run.status().state == "running"


# a full disk, and files that nobody can use


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of runs whose status cannot be written."""
    full: list[str] = []
    write_status = Run.write_status

    def write(run: Run, status: Status) -> None:
        if run.id in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.path))
        write_status(run, status)

    monkeypatch.setattr(Run, "write_status", write)
    return full


def test_a_run_whose_end_cannot_be_written_is_held_until_it_can(workers: Workers, full_disk: list[str]) -> None:
    backend, run, next_run = workers.queue(running=1), make_run("die"), make_run()
    full_disk.append(run.id)
    backend.submit(run)
    backend.submit(next_run)
    wait_until(started(next_run), "the next run, which does not wait for the disk")
    assert backend.holds(run) and run.recorded_state == "queued" and backend.position(run) == 0
    full_disk.clear()
    assert (final_status(run).state, run.status().message) == ("failed", "Its worker ended: its last words")
    wait_until(lambda: not backend.holds(run), "its end")


def test_a_run_that_cannot_be_started_is_not_lost(
    workers: Workers, full_disk: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, run = workers.queue(running=1), make_run()
    full_disk.append(run.id)

    def refuse(run: Run, threads: int) -> Any:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(worker_pool, "start_worker", refuse)
    backend.submit(run)
    wait_until(lambda: backend.position(run) == 0, "its turn")
    assert backend.holds(run)
    full_disk.clear()
    assert final_status(run).state == "failed" and "no space" in run.status().message


def test_a_run_that_waits_can_be_stopped_while_the_disk_is_full(workers: Workers, full_disk: list[str]) -> None:
    backend, first, second = workers.queue(running=1), make_run(), make_run()
    backend.submit(first)
    backend.submit(second)
    wait_until(started(first), "the first worker")
    full_disk.append(second.id)
    backend.request_stop(second)
    let_finish(first)
    final_status(first)
    assert backend.holds(second) and backend.position(second) == 0
    full_disk.clear()
    assert final_status(second).state == "stopped" and second.id not in workers.order
    undo = prepare_resume(second)
    assert second.status().state == "queued" and undo


@posix
def test_a_worker_gets_sigterm_at_once_if_the_request_cannot_be_written(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: Run, **changes: Any) -> None:
        raise RunError("The disk is full.")

    backend, run = workers.queue(running=1), make_run("obey SIGTERM")
    backend.submit(run)
    wait_until(started(run), "the worker")
    monkeypatch.setattr(Run, "update_control", refuse)
    backend.request_stop(run)
    assert final_status(run).state == "stopped"


@pytest.mark.parametrize("submitted_at_once", [True, False])
def test_a_run_that_is_resumed_while_its_worker_still_exits_is_trained_again(
    submitted_at_once: bool, workers: Workers
) -> None:
    backend, run = workers.queue(running=1), make_run()
    backend.submit(run)
    wait_until(started(run), "the worker")
    first = workers.processes[run.id]
    run.write_status(replace(run.status(), state="stopped"))  # the worker does so, and then exits
    prepare_resume(run)
    if submitted_at_once:
        backend.submit(run)
    first.kill()
    first.wait()
    (run.path / "started").unlink()
    wait_until(lambda: submitted_at_once or not backend.holds(run), "the end of the first worker")
    if not submitted_at_once:
        backend.submit(run)
    wait_until(started(run), "the second worker")
    let_finish(run)
    assert final_status(run).state == "finished" and workers.processes[run.id] is not first


def test_a_run_that_cannot_be_adopted_is_logged_once(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(run: Run, status: Status) -> None:
        refused.append(run)
        raise OSError(errno.ENOSPC, "No space left on device")

    refused: list[Run] = []
    monkeypatch.setattr(local, "write_stamped_status", refuse)
    workers.queue().adopt([dead(make_run())])
    wait_until(lambda: len(refused) > 3, "several attempts")
    assert len([record for record in caplog.records if "cannot be adopted" in record.message]) == 1


def test_a_run_that_this_process_queued_and_lost_can_be_stopped(workers: Workers) -> None:
    backend, run = workers.queue(running=1), make_run()
    backend.request_stop(run)
    assert final_status(run).state == "stopped"


@pytest.mark.parametrize("error", [ValueError("no number"), RecursionError(), KeyError("x")])
def test_files_of_one_run_that_break_the_queue_break_this_run_only(
    error: Exception, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, broken, next_run = workers.queue(running=1), make_run("die"), make_run()
    damaged = [broken.id]

    def conclude(run: Run, *arguments: Any) -> None:
        if run.id in damaged:
            raise error
        conclude_run(run, *arguments)

    monkeypatch.setattr(dispatcher, "conclude_run", conclude)
    backend.submit(broken)
    backend.submit(next_run)
    wait_until(started(next_run), "the next worker")
    let_finish(next_run)
    assert final_status(next_run).state == "finished" and backend.holds(broken)
    damaged.clear()
    assert final_status(broken).state == "failed"


# several processes on one machine


def test_two_servers_together_train_no_more_runs_than_one(workers: Workers) -> None:
    servers, made = [workers.queue(running=1), workers.queue(running=1)], [make_run() for _ in range(4)]
    for run, server in zip(made, servers * 2, strict=True):
        server.submit(run)
    wait_until(lambda: any(started(run)() for run in made), "the first worker")
    time.sleep(0.2)  # ten turns of each queue
    assert workers.most_alive == 1
    for run in made:
        let_finish(run)
    assert {final_status(run).state for run in made} == {"finished"}
    assert workers.most_alive == 1 and sorted(workers.order) == sorted(run.id for run in made)


def test_a_queued_run_that_another_process_stops_is_not_started(workers: Workers) -> None:
    server, other, first, second = workers.queue(running=1), workers.queue(running=1), make_run(), make_run()
    server.submit(first)
    server.submit(second)
    wait_until(started(first), "the first worker")
    Run(second.path).update_control(stop=True)
    let_finish(first)
    assert final_status(second).state == "stopped" and second.id not in workers.order
    assert not other.holds(second)


@pytest.mark.parametrize("state", ["running", "finished"])
def test_a_queued_run_that_another_process_took_is_not_trained_again(workers: Workers, state: str) -> None:
    """After a jump of the clock, this server may have seemed to be gone."""
    server, first, second = workers.queue(running=1), make_run(), make_run()
    server.submit(first)
    server.submit(second)
    wait_until(started(first), "the first worker")
    second.write_status(replace(stamp_status(Status(state)), pid=os.getppid()))
    let_finish(first)
    wait_until(lambda: not server.holds(second), "its turn")
    assert second.id not in workers.order and second.recorded_state == state


def test_a_worker_that_had_just_started_when_its_server_died_is_not_started_twice(workers: Workers) -> None:
    """Its status still says `queued`, by a server that is gone."""
    run, next_run = dead(make_run()), make_run()
    worker = workers.start(make_run(), 1)
    slots.Slots(1).take(run)
    slots.Slots(1).assign(run, worker.pid)
    server = workers.queue(running=1)
    server.adopt([run])
    server.submit(next_run)
    assert server.holds(run) and server.position(run) == 0
    with pytest.raises(RunError, match=f"trained by process {worker.pid}"):
        prepare_resume(run)
    worker.kill()
    worker.wait()
    wait_until(started(next_run), "the next worker")
    assert run.id not in workers.order and final_status(run).state == "interrupted"


def test_a_persistent_worker_of_a_sweep_keeps_no_place_when_its_run_has_ended(workers: Workers) -> None:
    """The worker trains the next trial, and the server gets its slot back."""
    trial, waiting = make_run(), make_run()
    worker = workers.start(trial, 1)
    wait_until(started(trial), "the trial")
    server = workers.queue(running=1)
    server.adopt([trial])
    server.submit(waiting)
    trial.write_status(replace(trial.status(), state="finished"))
    wait_until(started(waiting), "the run that waited")
    assert worker.poll() is None


# settings


@pytest.mark.parametrize("function", [max_running, max_queued, max_queued_each])
def test_limits_come_from_the_environment(function: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"DIGITLAB_{function.__name__.upper()}"
    assert function() >= 1
    monkeypatch.setenv(name, " 7 ")
    assert function() == 7
    monkeypatch.setenv(name, "")
    assert function() >= 1
    for wrong in ("0", "-1", "two", "1.5", "²"):
        monkeypatch.setenv(name, wrong)
        with pytest.raises(SettingError, match=rf"{name} is '{wrong}', expected a whole number of 1 or more"):
            function()


def test_defaults_are_one_run_for_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [
        monkeypatch.setattr(config, "cpu_count", lambda count=count: count) or max_running() for count in (1, 2, 5, 8)
    ] == [1, 1, 2, 4]
    assert (max_queued(), max_queued_each()) == (20, 3)


# many people at once

ANN, BEN, CAT = (character * 64 for character in "abc")  # owner.json contains such tokens


def names(runs: dict[Run, str], order: list[str]) -> str:
    """Run ids in their order, as letters."""
    letters = {run.id: letter for run, letter in runs.items()}
    return "".join(letters[run_id] for run_id in order)


def test_turns_alternate_between_owners(workers: Workers) -> None:
    """Ann queues three runs while one of hers trains, then Ben queues one: he does not wait for all of hers."""
    backend, first = workers.queue(running=1), make_run("wait", ANN)
    backend.submit(first)
    wait_until(started(first), "the first worker")
    waiting = {make_run("wait", owner): letter for owner, letter in ((ANN, "1"), (ANN, "2"), (ANN, "3"), (BEN, "b"))}
    for run in waiting:
        backend.submit(run)
    expected_order = sorted(waiting, key=backend.position)
    assert sorted(map(backend.position, waiting)) == [1, 2, 3, 4]
    assert names(waiting, [run.id for run in expected_order]) == "b123"
    let_finish(first)
    for run in expected_order:
        wait_until(started(run), "the next in turn")
        let_finish(run)
    assert names(waiting, workers.order[1:]) == "b123"


def test_three_and_one_go_in_the_order_a_b_a_a(workers: Workers) -> None:
    backend = workers.queue(running=1)
    runs = {make_run("wait", owner): letter for owner, letter in ((ANN, "a"), (ANN, "a"), (ANN, "a"), (BEN, "b"))}
    with backend.lock:
        for run in runs:
            backend.submit(run)
        assert names(runs, [run.id for run in sorted(runs, key=backend.position)]) == "abaa"
    for run in runs:
        let_finish(run)
    assert {final_status(run).state for run in runs} == {"finished"}
    assert names(runs, workers.order) == "abaa"


@pytest.mark.parametrize(
    ("waiting", "running", "served", "expected"),
    [
        ("aab", {}, {}, "aba"),
        ("aaab", {"a": 1}, {"a": 1}, "baaa"),
        ("aabbcc", {}, {}, "abcabc"),
        ("ab", {}, {"a": 2, "b": 1}, "ba"),
        ("ab", {"b": 2}, {"a": 5, "b": 1}, "ab"),
        ("aabc", {"a": 1, "b": 1}, {"a": 1, "b": 2}, "caba"),
        ("", {"a": 1}, {}, ""),
    ],
)
def test_next_turns_worked_out_by_hand(
    waiting: str, running: dict[str, int], served: dict[str, int], expected: str
) -> None:
    order = next_turns(waiting, running, served)
    assert "".join(waiting[index] for index in order) == expected
    for owner in set(waiting):  # runs of one owner stay in order
        own = [index for index in order if waiting[index] == owner]
        assert own == sorted(own)


def test_the_limit_of_one_owner_does_not_stop_others(workers: Workers) -> None:
    backend = workers.queue(running=1, queued=20, each=2)
    with backend.lock:  # nothing starts meanwhile
        for _ in range(3):
            backend.submit(make_run("wait", ANN))  # one of them has the free slot
        with pytest.raises(QueueFullError, match=r"^You have 2 waiting runs; .* 2\. "):
            start_run(backend, make_spec("fast", {}, "sample"), ANN)
        assert len(list_runs()) == 3, "nothing is left behind"
        backend.submit(make_run("wait", BEN))


def test_runs_without_an_owner_count_as_one_owners(workers: Workers) -> None:
    backend = workers.queue(running=1, queued=20, each=1)
    with backend.lock:
        backend.submit(make_run())
        backend.submit(make_run())
        with pytest.raises(QueueFullError, match="DIGITLAB_MAX_QUEUED_EACH"):
            backend.submit(make_run())


def test_a_queue_that_is_taken_over_keeps_its_owners(workers: Workers) -> None:
    owners = ((ANN, "a"), (ANN, "a"), (BEN, "b"), (CAT, "c"))
    runs = {dead(make_run("wait", owner)): letter for owner, letter in owners}
    queue = workers.queue(running=1)
    with queue.lock:
        queue.adopt(runs)
        assert names(runs, [run.id for run in sorted(runs, key=queue.position)]) == "abca"


# the interpreter's end

ENDING = """
import subprocess, sys, time
from mnist_core.jobs import local as jobs, worker_pool
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run as create
processes = []
def start(run, threads):
    command = [sys.executable, "-S", "-c", "import time; time.sleep(120)"]
    processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    return processes[-1]
worker_pool.start_worker = start
backend = jobs.LocalBackend(running=1, queued=5)
runs = [create(make_spec("fast", {}, "sample")) for _ in range(3)]
for run in runs:
    backend.submit(run)
while backend.position(runs[0]):
    time.sleep(0.01)
print(processes[0].pid, [backend.position(run) for run in runs], flush=True)
"""


def test_an_interpreter_with_waiting_runs_ends_at_once(tmp_path: Path) -> None:
    """A pool of `concurrent.futures` would wait for every queued run to be trained."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", ENDING],
        cwd=ROOT,
        env=environment(tmp_path / "runs"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    pid, positions = done.stdout.split(maxsplit=1)
    worker = psutil.Process(int(pid))
    try:
        assert done.returncode == 0, done.stderr
        assert json.loads(positions) == [0, 1, 2]
        assert worker.is_running(), "it trains on"
    finally:
        worker.kill()


# the real worker


@pytest.mark.slow
def test_a_real_worker_asked_to_stop_keeps_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    backend, run = LocalBackend(running=1), create_run(make_spec("fast", {"epochs": 1000}, "sample"))
    backend.submit(run)
    wait_until(lambda: len(run.metrics().rows) >= 3, "three reports", 120)
    middle = run.status()
    assert middle.state == "running" and middle.message == "Training." and 0 < middle.progress < 1
    backend.request_stop(run)
    status = final_status(run)
    assert status.state == "stopped" and run.has_model, status.message
    assert f"Stopped in epoch {status.epoch + 1}: " in status.message and status.epoch < 1000
    assert run.card()["epochs_trained"] == pytest.approx(status.step / 16)
    wait_until(lambda: not backend.holds(run), "the worker's end")


def dead_pid() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def dead(run: Run, **changes: Any) -> Run:
    """Makes it a run of a server that is gone: its process has ended, and its heartbeat is an hour old."""
    status = replace(run.status(), pid=dead_pid(), heartbeat=time.time() - 3600, **changes)
    run.write_status(status)
    return run


def test_a_queue_survives_its_server(workers: Workers) -> None:
    first, second = dead(make_run()), dead(make_run())
    interrupted, finished = dead(make_run(), state="running"), dead(make_run(), state="finished")
    queue = workers.queue(running=1)
    queue.adopt([first, second, interrupted, finished])
    wait_until(started(first), "the first run")
    assert queue.position(second) == 1
    assert (interrupted.status().state, finished.status().state) == ("interrupted", "finished")
    let_finish(first)
    wait_until(started(second), "the second run")
    let_finish(second)
    assert final_status(second).state == "finished"
    assert workers.order == [first.id, second.id]


def test_a_worker_of_an_earlier_server_keeps_its_place_and_is_followed(workers: Workers) -> None:
    running, waiting = make_run(), make_run()
    worker = workers.start(running, 1)
    wait_until(started(running), "the worker of the earlier server")
    running.write_status(replace(running.status(), state="running", pid=worker.pid, heartbeat=time.time()))
    queue = workers.queue(running=1)
    queue.adopt([running])
    queue.submit(waiting)
    time.sleep(0.2)
    assert queue.position(waiting) == 1, "the worker uses all cores"
    worker.kill()
    worker.wait()
    wait_until(started(waiting), "the run that waited")
    assert running.status().state == "interrupted"
    let_finish(waiting)
    assert final_status(waiting).state == "finished"


def test_an_adopted_worker_that_ignores_the_request_is_ended(workers: Workers) -> None:
    run = make_run()
    worker = workers.start(run, 1)
    wait_until(started(run), "the worker")
    run.write_status(replace(run.status(), state="running", pid=worker.pid, heartbeat=time.time()))
    queue = workers.queue(grace=0.1)
    queue.adopt([run])
    queue.request_stop(run)
    wait_until(lambda: worker.poll() is not None, "its end")


def test_an_adopted_worker_may_end_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception would end the thread of the queue, and nothing would train any more."""
    worker = AdoptedWorker(make_run(), os.getpid())
    assert worker.poll() is None

    def gone(process: psutil.Process) -> str:
        raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(psutil.Process, "status", gone)
    assert worker.poll() == -signal.SIGKILL


def test_a_run_of_another_machine_is_not_adopted(workers: Workers) -> None:
    run = dead(make_run(), host="elsewhere")
    queue = workers.queue()
    queue.adopt([run])
    assert queue.position(run) == 0 and not queue.holds(run)


def test_a_closed_backend_has_ended_its_thread() -> None:
    backend = LocalBackend(running=1)
    served_by = backend._thread
    assert served_by.is_alive()
    backend.close()
    assert not served_by.is_alive()
