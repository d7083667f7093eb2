"""A machine for the queue that is not real: processes, a clock, a disk that fills up, and servers that can be killed.

The queue is the real one: `LocalBackend`, `lifecycle`, `slots`, the lock and the files of the runs. What it asks the
system for is replaced: `psutil.Process`, the process id, the time, and the function that creates files. Everything
happens in one thread, when a test says so.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from mnist_core.files import folders, write
from mnist_core.jobs import local
from mnist_core.jobs.local import LocalBackend
from mnist_core.processes import STARTER_VARIABLE
from mnist_core.runs import claims
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.control import Control
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES, stamp_status
from mnist_core.runs.store import list_runs
from tests.faults.fake_processes import ChildWorker, FakeProcess, OpenProcess

BOOT = 1_790_000_000.0
"""When the machine was booted, before its clock was first set."""
SLOTS, QUEUED, EACH = 2, 6, 3
"""Limits: runs that train at once, that wait, and that wait for one owner."""


class ServerKilled(BaseException):
    """Ends what a server is doing at any point; nothing in the library catches it."""


class Pool:
    """Starts fake workers in place of `WorkerPool`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def start(self, run: Run, in_use: Collection[Any]) -> ChildWorker:
        if not run.path.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(run.log))
        return ChildWorker(self._world, self._world.start_worker(run))

    def prepare(self) -> None:
        """Nothing to prepare."""

    def update_idle_workers(self, *, training: bool, waiting: bool) -> None:
        """Fake workers take no memory."""


@dataclass
class Server:
    """A web server: its process, and its backend."""

    pid: int
    backend: LocalBackend


@dataclass
class World:
    """The machine. `root` is RUNS_DIR."""

    root: Path
    table: dict[int, FakeProcess] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    elapsed: float = 1000.0
    clock_set_by: float = 0.0
    me: int = 1
    writes_left: float = float("inf")
    """Until the disk is full."""
    kill_after: dict[int, int] = field(default_factory=dict)
    """Process id -> writes until it is killed."""
    trainings: dict[str, int] = field(default_factory=dict)
    """Run id -> how many workers began to train it."""
    violations: list[str] = field(default_factory=list)
    last_pid: int = 1000

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within this context, the library runs on this machine."""
        create_file, numbers = write.create_file, itertools.count(1)

        def create(path: Path) -> Any:
            self._count_write(path)
            return create_file(path)

        with ExitStack() as stack:
            for target, name, replacement in (
                (psutil, "Process", lambda pid: OpenProcess(self, pid)),
                (psutil, "boot_time", self.boot_time),
                (os, "getpid", lambda: self.me),
                (secrets, "token_hex", lambda _: f"{next(numbers):08x}"),
                (os, "fsync", lambda _: None),
                (time, "time", lambda: self.boot_time() + self.elapsed),
                (time, "monotonic", lambda: self.elapsed),
                (write, "create_file", create),
            ):
                stack.enter_context(mock.patch.object(target, name, replacement))
            stack.enter_context(mock.patch.dict(os.environ, {"DIGITLAB_RUNS": str(self.root)}))
            yield

    def boot_time(self) -> float:
        return BOOT + self.clock_set_by

    def _count_write(self, path: Path) -> None:
        if self.me in self.kill_after:
            self.kill_after[self.me] -= 1
            if self.kill_after[self.me] < 0:
                raise ServerKilled
        self.writes_left -= 1
        if self.writes_left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    # processes

    def find(self, pid: int) -> FakeProcess:
        process = self.table.get(pid)
        if process is None or not (process.alive or process.zombie):
            raise psutil.NoSuchProcess(pid)
        return process

    def new_process(self, pid: int = 0, **fields: Any) -> FakeProcess:
        """`pid`: of a process that is gone, to use it again."""
        self.last_pid += not pid
        process = FakeProcess(pid or self.last_pid, self.elapsed, **fields)
        self.table[process.pid] = process
        return process

    def end(self, process: FakeProcess, returncode: int) -> None:
        if process.alive:
            process.alive, process.returncode = False, returncode
            process.zombie = process.parent is not None and process.parent.alive

    def workers(self) -> list[FakeProcess]:
        """The workers that are alive."""
        return [process for process in self.table.values() if process.alive and process.run is not None]

    @contextmanager
    def acting_as(self, pid: int) -> Iterator[None]:
        before, self.me = self.me, pid
        try:
            yield
        finally:
            self.me = before

    # servers

    def start_server(self) -> Server:
        """Starts a server, which takes over what earlier ones have left behind."""
        process = self.new_process()
        with self.acting_as(process.pid), mock.patch.object(local.threading, "Thread", mock.MagicMock()):
            backend = LocalBackend(SLOTS, QUEUED, grace=60.0, each=EACH, warm=False, pool=Pool(self))  # type: ignore[arg-type]
        server = Server(process.pid, backend)
        self.servers.append(server)
        self.call(server, lambda: backend.adopt(reversed(list_runs(self.root))))
        return server

    def call(self, server: Server, action: Callable[[], object]) -> bool:
        """Does something in a server. Returns False if it was killed meanwhile."""
        try:
            with self.acting_as(server.pid):
                action()
        except ServerKilled:
            self.kill_server(server)
            return False
        return True

    def kill_server(self, server: Server) -> None:
        self.servers.remove(server)
        self.kill_after.pop(server.pid, None)
        self.end(self.table[server.pid], -9)
        for process in self.table.values():
            if process.parent is self.table[server.pid]:
                process.zombie = False

    # workers

    def start_worker(self, run: Run) -> FakeProcess:
        """Notes if something does not hold that must hold whenever a worker is started."""
        # A worker that has not begun and whose server is gone will find that the run was given to another.
        workers = [worker for worker in self.workers() if worker.began or (worker.parent and worker.parent.alive)]
        others = [worker for worker in workers if worker.run is not None and not has_ended(worker.run)]
        if run.id in {worker.run.id for worker in others if worker.run}:
            self.violations.append(f"{run.id} is trained twice at once")
        training = [worker for worker in others if worker.run and worker.run.recorded_state != "paused"]
        if len(training) >= SLOTS:
            self.violations.append(f"{len(training) + 1} runs train at once")
        return self.new_process(parent=self.table[self.me], run=run)

    def work(self, worker: FakeProcess, then: str) -> None:
        """A worker does the next thing.

        Args:
            worker: alive.
            then: what it does unless it is asked to pause or stop: `epoch`, `finish`, `crash` or `die`.
        """
        run = worker.run
        assert run is not None
        with self.acting_as(worker.pid):
            if then in ("die", "crash"):
                self.end(worker, -9 if then == "die" else 3)
                return
            try:
                self._train(worker, run, then)
            except OSError:  # the disk is full, or the run was deleted: as in `mnist_core.worker`
                self._write(run, "interrupted", suppress=True)
                self.end(worker, 1)

    def _train(self, worker: FakeProcess, run: Run, then: str) -> None:
        if not worker.began:
            assert worker.parent is not None
            with claims.claiming(run), mock.patch.dict(os.environ, {STARTER_VARIABLE: str(worker.parent.pid)}):
                if claims.given_to_another(run):
                    self.end(worker, claims.EXIT_STATUS)
                    return
                self._write(run, "running")
            self.trainings[run.id] = self.trainings.get(run.id, 0) + 1
        worker.began = True
        control = Control.from_json(run.control())
        if control.stop or worker.terminated:
            self._write(run, "stopped")
            self.end(worker, 0)
        elif control.paused:
            self._write(run, "paused")
        elif then == "epoch":
            self._write(run, "running")
            folders.make_folder((run.path / CHECKPOINT_FILE).parent)
            write.write_bytes(run.path / CHECKPOINT_FILE, b"-")
        else:
            self._write(run, "finished")
            self.end(worker, 0)

    def _write(self, run: Run, state: str, suppress: bool = False) -> None:
        try:
            run.write_status(stamp_status(replace(run.status(), state=state, message=f"Its worker wrote {state}.")))
        except OSError:
            if not suppress:
                raise


def has_ended(run: Run) -> bool:
    return run.recorded_state in FINAL_STATES or not run.path.is_dir()
