"""What people, workers, servers, the disk and the clock may do to the queue, as rules for Hypothesis."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from mnist_core.errors import DigitLabError
from mnist_core.jobs.lifecycle import resume_run, start_run
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import list_runs
from mnist_core.runs.trash import move_to_trash
from tests.faults.fake_processes import FakeProcess
from tests.faults.queue_world import QUEUED, SLOTS, Server, World

ANN, BEN = "a" * 64, "b" * 64
SPEC = make_spec("fast", {"epochs": 3}, "sample")
INDEX = st.integers(0, 20)
"""Chooses one of the runs, workers or servers that there are."""


class QueueRules(RuleBasedStateMachine):
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
