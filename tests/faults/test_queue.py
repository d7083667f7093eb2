"""The queue under every mixture of requests and faults that Hypothesis thinks of: model-based, on a fake machine.

`queue_world` says what is real and what is not. The long form takes 10,000 steps.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mnist_core.errors import DigitLabError
from mnist_core.jobs.lifecycle import resume_run, start_run
from mnist_core.runs import claims
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import move_to_trash
from tests.faults.queue_world import QUEUED, SLOTS, FakeProcess, Server, World
from tests.faults.report import scale, write_table

ANN, BEN = "a" * 64, "b" * 64
SPEC = make_spec("fast", {"epochs": 3}, "sample")
STEPS = 50
"""Steps of one example."""
SETTLE_TURNS = 60
"""After the last fault, everything has ended within this many turns of each server."""
INDEX = st.integers(0, 20)
"""Chooses one of the runs, workers or servers that there are."""


class QueueMachine(RuleBasedStateMachine):
    """Each rule is something that a person, a worker, the system or the clock does."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.world = World(self.root / "runs")
        self.world.root.mkdir()
        self._installed = contextlib.ExitStack()
        self._installed.enter_context(self.world.installed())
        self.runs: list[Run] = []
        self.disturbed: set[str] = set()
        """Runs that somebody stopped, killed or deleted, or whose worker died: they need not finish."""
        self.stoppable: set[str] = set()
        """Runs that somebody asked to stop."""
        self.resumed = Counter[str]()
        """Run id -> how often somebody tried to resume it."""
        self._installed.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)  # a full disk is logged in each turn
        self.world.start_server()

    # choosing

    def server(self, which: int) -> Server:
        return self.world.servers[which % len(self.world.servers)]

    def run(self, which: int) -> Run:
        return self.runs[which % len(self.runs)]

    def worker(self, which: int) -> FakeProcess:
        workers = self.world.workers()
        return workers[which % len(workers)]

    def ask(self, which: int, action: Callable[[Server], object]) -> bool:
        """Asks a server. Returns True if it did so without an error."""
        server, done = self.server(which), list[bool]()

        def try_action() -> None:
            with contextlib.suppress(DigitLabError, OSError):
                action(server)
                done.append(True)

        self.world.call(server, try_action)
        return bool(done)

    has_servers = precondition(lambda self: self.world.servers)
    has_runs = precondition(lambda self: self.world.servers and self.runs)
    has_workers = precondition(lambda self: self.world.workers())

    # people

    @has_servers
    @rule(which=INDEX, owner=st.sampled_from([ANN, BEN]), times=st.integers(1, 3))
    def submit(self, which: int, owner: str, times: int) -> None:
        for _ in range(times):
            if self.world.servers:
                self.submit_one(which, owner)

    @initialize(owners=st.lists(st.sampled_from([ANN, BEN]), min_size=1, max_size=6), turns=st.integers(0, 3))
    def people_come(self, owners: list[str], turns: int) -> None:
        for owner in owners:
            self.submit_one(0, owner)
        self.nothing_special_happens(turns, "epoch")

    def submit_one(self, which: int, owner: str) -> None:
        known = {run.id for run in self.runs}

        def submit(server: Server) -> None:
            run = start_run(server.backend, SPEC, owner)
            waiting = [other for other in [*self.runs, run] if server.backend.position(other)]
            assert len(waiting) <= QUEUED + SLOTS

        accepted = self.ask(which, submit)
        for run in list_runs(self.world.root):
            if run.id not in known:
                self.runs.append(run)
                if not accepted:  # the server was killed after it wrote the run
                    self.counts["killed while a run was submitted"] += 1

    @has_runs
    @rule(which=INDEX, run=INDEX)
    def stop(self, which: int, run: int) -> None:
        self.disturb(run)
        self.ask(which, lambda server: server.backend.request_stop(self.run(run)))

    @has_runs
    @rule(which=INDEX, run=INDEX)
    def kill_run(self, which: int, run: int) -> None:
        self.disturb(run)
        self.ask(which, lambda server: server.backend.kill(self.run(run)))

    @has_runs
    @rule(which=INDEX, run=INDEX, paused=st.booleans())
    def pause(self, which: int, run: int, paused: bool) -> None:
        if self.run(run).path.is_dir():
            self.ask(which, lambda server: self.run(run).update_control(paused=paused))

    @has_runs
    @rule(which=INDEX, run=INDEX)
    def resume(self, which: int, run: int) -> None:
        self.resumed[self.run(run).id] += 1
        if self.ask(which, lambda server: resume_run(server.backend, self.run(run))):
            self.counts["resumed"] += 1

    @has_runs
    @rule(which=INDEX, run=INDEX)
    def delete(self, which: int, run: int) -> None:
        self.ask(which, lambda server: move_to_trash(self.run(run)))

    @has_runs
    @rule(run=INDEX)
    def delete_folder(self, run: int) -> None:
        self.disturb(run)
        shutil.rmtree(self.run(run).path, ignore_errors=True)

    def disturb(self, run: int) -> None:
        self.disturbed.add(self.run(run).id)
        self.stoppable.add(self.run(run).id)

    # servers, workers, time

    @has_servers
    @rule(which=INDEX)
    def turn(self, which: int) -> None:
        """The thread of a backend looks after its runs."""
        self.turn_of(self.server(which))

    def turn_of(self, server: Server) -> None:
        self.world.call(server, server.backend.update)

    @has_servers
    @rule(turns=st.integers(0, 5), then=st.sampled_from(["epoch", "finish"]))
    def nothing_special_happens(self, turns: int, then: str) -> None:
        """All servers and workers do what they do, with enough space on the disk."""
        self.world.writes_left = float("inf")
        for _ in range(turns):
            self.world.elapsed += 0.3
            for server in list(self.world.servers):
                self.turn_of(server)
            for number in range(len(self.world.workers())):
                if number < len(self.world.workers()):
                    self.work(number, "epoch")
        if self.world.workers():
            self.work(turns, then)

    @has_workers
    @rule(which=INDEX, then=st.sampled_from(["epoch", "epoch", "finish"]))
    def work(self, which: int, then: str) -> None:
        worker = self.worker(which)
        self.world.work(worker, then)
        if worker.returncode == 1 and worker.run is not None:
            self.disturbed.add(worker.run.id)

    @rule(seconds=st.sampled_from([0.3, 3.0, 15.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.world.elapsed += seconds

    # faults

    @has_workers
    @rule(which=INDEX, then=st.sampled_from(["die", "crash"]))
    def worker_dies(self, which: int, then: str) -> None:
        worker = self.worker(which)
        assert worker.run is not None
        self.disturbed.add(worker.run.id)
        self.world.work(worker, then)
        self.counts["workers killed"] += 1

    @precondition(lambda self: len(self.world.servers) < 2)
    @rule()
    def server_starts(self) -> None:
        self.world.start_server()

    @has_servers
    @rule(which=INDEX)
    def server_dies(self, which: int) -> None:
        self.world.kill_server(self.server(which))
        self.counts["servers killed"] += 1

    @has_servers
    @rule(which=INDEX, writes=st.integers(0, 8))
    def server_dies_at_a_write(self, which: int, writes: int) -> None:
        self.world.kill_after[self.server(which).pid] = writes
        self.counts["servers killed"] += 1

    @rule(writes=st.integers(0, 8))
    def disk_fills_up(self, writes: int) -> None:
        self.world.writes_left = writes
        self.counts["full disks"] += 1

    @rule()
    def disk_is_freed(self) -> None:
        self.world.writes_left = float("inf")

    @rule(seconds=st.sampled_from([-7200.0, -30.0, 30.0, 7200.0, 40_000_000.0]))
    def clock_jumps(self, seconds: float) -> None:
        self.world.clock_set_by += seconds
        self.counts["clock jumps"] += 1

    @rule(which=INDEX)
    def process_id_is_used_again(self, which: int) -> None:
        gone = [process for process in self.world.table.values() if not process.alive and not process.zombie]
        if gone:
            self.world.elapsed += 10.0
            self.world.new_process(gone[which % len(gone)].pid)
            self.counts["process ids used again"] += 1

    # what must hold

    @invariant()
    def nothing_is_trained_twice_or_too_much(self) -> None:
        self.counts["steps"] += 1
        assert self.world.violations == []

    @invariant()
    def nobody_else_is_stopped(self) -> None:
        for run in self.runs:
            assert run.recorded_state != "stopped" or run.id in self.stoppable, f"{run.id} was stopped for another"

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self._installed.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def settle(self) -> None:
        """No more faults. Every run must end, and every run that nobody has disturbed must be trained once."""
        world = self.world
        world.writes_left = float("inf")
        world.kill_after.clear()
        for run in self.runs:
            if run.path.is_dir():
                run.update_control(paused=False)
        world.start_server()
        for _ in range(SETTLE_TURNS):
            world.elapsed += 1.0
            for server in world.servers:
                self.turn_of(server)
            for worker in world.workers():
                world.work(worker, "finish")
        self.nothing_is_trained_twice_or_too_much()
        self.nobody_else_is_stopped()
        for run in self.runs:
            if not run.path.is_dir():
                continue
            self.counts["runs"] += 1
            assert run.status().final, f"{run.id} is {run.recorded_state} for ever: {run.status()}"
            if run.id not in self.disturbed:
                assert run.recorded_state == "finished", f"{run.id} was lost: {run.status()}"
                starts = world.starts.get(run.id, 0)
                assert 1 <= starts <= 1 + self.resumed[run.id], f"{run.id} was started {starts} times"


def test_a_clock_that_is_set_forward_gives_a_waiting_run_to_no_other_server(tmp_path: Path) -> None:
    """On Linux the start of a process moves with the clock: its server counted as a later process of the same id."""
    world = World(tmp_path)
    with world.installed():
        first = world.start_server()
        world.call(first, lambda: start_run(first.backend, SPEC, ANN))
        (run,) = list_runs(tmp_path)
        world.clock_set_by += 7200.0
        assert run.status().state == "queued"
        second = world.start_server()
        assert first.backend.holds(run) and not second.backend.holds(run)


def test_a_worker_whose_server_died_before_it_had_noted_it_leaves_the_run_to_the_next_server(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.installed():
        first = world.start_server()
        world.call(first, lambda: start_run(first.backend, SPEC, ANN))
        (run,) = list_runs(tmp_path)
        world.kill_after[first.pid] = 1  # the slot is taken and the worker started, but not noted
        assert not world.call(first, first.backend.update)
        world.elapsed += 3.0
        second = world.start_server()
        world.call(second, second.backend.update)
        orphan, worker = world.workers()
        for process in (orphan, worker, orphan):
            if process.alive:
                world.work(process, "epoch")
        assert (orphan.returncode, worker.alive, run.status().pid) == (claims.EXIT_STATUS, True, worker.pid)


def test_the_queue_survives_every_mixture_of_requests_and_faults() -> None:
    QueueMachine.counts.clear()
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=scale(12, 220),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=True,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    counts: dict[str, Any] = dict(QueueMachine.counts)
    names = ["steps", "runs", *sorted(set(counts) - {"steps", "runs"})]
    columns = [*names, "trained twice", "lost", "more at once than allowed"]
    write_table("queue", columns, [[*(counts[name] for name in names), 0, 0, 0]], "make test-faults ARGS='-k queue'")
