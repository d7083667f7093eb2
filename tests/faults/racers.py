"""What races in test_races.py: processes with two threads each that wait at a barrier and then do the same at once."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from mnist_core.errors import DigitLabError
from mnist_core.export.archive import unpack_run
from mnist_core.jobs import lifecycle, local, worker_pool
from mnist_core.runs import claims
from mnist_core.runs.labels import update_label
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import Status
from mnist_core.runs.trash import move_to_trash
from mnist_core.sweeps import launch
from mnist_core.sweeps.store import Sweep

PROCESSES, THREADS = 2, 2
RACERS = PROCESSES * THREADS
WAIT_SECONDS = 60


class InstantWorker:
    """A worker process that has trained its run as soon as somebody looks."""

    returncode = 0
    pid = os.getpid()

    def __init__(self, run: Run, threads: int) -> None:
        self._run = run
        with (run.path / "starts").open("a") as file:
            file.write("started\n")

    def poll(self) -> int:
        write_stamped_status(self._run, Status("finished"))
        return 0


_backends: list[local.LocalBackend] = []
_making = threading.Lock()


def _backend() -> local.LocalBackend:
    """The job backend of this process, which stands for a server."""
    with _making:
        if not _backends:
            local.POLL_SECONDS = 0.005
            worker_pool.start_worker = InstantWorker  # type: ignore[assignment]
            _backends.append(local.LocalBackend(running=1, warm=False))
    return _backends[0]


def resume(path: Path, number: int) -> object:
    return lifecycle.prepare_resume(Run(path)) and None


def adopt(path: Path, number: int) -> object:
    return _backend().adopt([Run(path)])


def take_slot(path: Path, number: int) -> object:
    from mnist_core.jobs.slots import Slots

    return Slots(2).take(Run(path.with_name(f"{path.name}-{number}")))


def relabel(path: Path, number: int) -> object:
    changes: list[dict[str, Any]] = [{"name": "a name"}, {"starred": True}, {"note": "a note"}, {"name": "a name"}]
    return update_label(Run(path), **changes[number]) and None


def control(path: Path, number: int) -> object:
    return Run(path).update_control(**{f"request {number}": True})


def claim(path: Path, number: int) -> object:
    return claims.take_claim(Run(path)).number


def delete_or_resume(path: Path, number: int) -> object:
    return (move_to_trash if number % 2 else lifecycle.prepare_resume)(Run(path)) and None


def resume_sweep(path: Path, number: int) -> object:
    launch.launch_sweep = lambda sweep: sweep  # type: ignore[assignment,return-value]
    return launch.resume_sweep(Sweep(path)) is not None


def import_run(path: Path, number: int) -> object:
    os.environ["DIGITLAB_IMPORT_MB"] = "1"
    return unpack_run(path / "run.zip", path, owner="a" * 64) and None


ACTIONS: dict[str, Callable[[Path, int], object]] = {
    action.__name__: action
    for action in (resume, adopt, take_slot, relabel, control, claim, delete_or_resume, resume_sweep, import_run)
}


def race(action: str, connection: Connection, barrier: Any, number: int) -> None:
    """Does the action once for every path that arrives, together with all others, and sends back the outcome."""
    while path := connection.recv():
        os.environ["DIGITLAB_RUNS"] = str(path.parent.parent if action == "resume_sweep" else path.parent)
        try:
            barrier.wait(WAIT_SECONDS)
            connection.send(("done", ACTIONS[action](path, number)))
        except DigitLabError as error:
            connection.send(("refused", str(error)))
        except Exception as error:
            connection.send(("failed", repr(error)))


def race_in_threads(action_of: Connection, connections: list[Connection], barrier: Any, first: int) -> None:
    """The main function of a racing process: gets the name of an action, then races until it gets the next."""
    while action := action_of.recv():
        threads = [
            threading.Thread(target=race, args=(action, connection, barrier, first + index))
            for index, connection in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Race:
    """The racing processes."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(RACERS)  # kept: its semaphores end with it
        self._processes, self._actions, self._racers = [], [], []
        # A new process first runs the main program of this one, which after a test of pages is a page.
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            self._start(context)
        finally:
            sys.modules["__main__"] = main

    def _start(self, context: Any) -> None:
        for index in range(PROCESSES):
            ours, theirs = zip(*(context.Pipe() for _ in range(1 + THREADS)), strict=True)
            process = context.Process(
                target=race_in_threads, args=(theirs[0], list(theirs[1:]), self._barrier, index * THREADS), daemon=True
            )
            process.start()
            self._processes.append(process)
            self._actions.append(ours[0])
            self._racers += ours[1:]

    def start(self, action: str) -> None:
        """Chooses the action of the next rounds."""
        for connection in self._actions:
            connection.send(action)

    def round(self, path: Path) -> list[tuple[str, Any]]:
        """Lets all racers do it at once with a path. Returns the outcome of each."""
        for connection in self._racers:
            connection.send(path)
        return [
            connection.recv() if connection.poll(WAIT_SECONDS) else ("failed", "hangs") for connection in self._racers
        ]

    def finish(self) -> None:
        """Ends the rounds of an action."""
        for connection in self._racers:
            connection.send(None)

    def end(self) -> None:
        """Ends the processes."""
        for process in self._processes:
            process.kill()
            process.join()
