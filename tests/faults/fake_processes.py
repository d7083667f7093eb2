"""Processes that are not real: what `psutil` says about them, and what a server holds of a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from mnist_core.runs.run import Run

if TYPE_CHECKING:
    from tests.faults.queue_world import World


@dataclass
class FakeProcess:
    """A process of the world. `run` is what it trains, if it is a worker."""

    pid: int
    started: float
    parent: FakeProcess | None = None
    run: Run | None = None
    alive: bool = True
    zombie: bool = False
    returncode: int | None = None
    began: bool = False
    terminated: bool = False


class OpenProcess:
    """What `psutil.Process(pid)` returns."""

    def __init__(self, world: World, pid: int) -> None:
        self._world, self.pid = world, pid
        self._found = world.find(pid)

    def is_running(self) -> bool:
        return self._world.table.get(self.pid) is self._found and (self._found.alive or self._found.zombie)

    def status(self) -> str:
        if not self.is_running():
            raise psutil.NoSuchProcess(self.pid)
        return psutil.STATUS_RUNNING if self._found.alive else psutil.STATUS_ZOMBIE

    def create_time(self) -> float:
        return self._world.boot_time() + self._found.started

    def kill(self) -> None:
        self._world.end(self._found, -9)

    def terminate(self) -> None:
        self._found.terminated = True


class ChildWorker:
    """What stands for the worker process in the server that started it."""

    def __init__(self, world: World, process: FakeProcess) -> None:
        self._world, self._process, self.pid = world, process, process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if not self._process.alive:
            self._process.zombie = False
            self.returncode = self._process.returncode
        return self.returncode

    def kill(self) -> None:
        self._world.end(self._process, -9)

    def terminate(self) -> None:
        self._process.terminated = True
