"""Helpers of several test files: starting the real program, and waiting for a condition."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_core.locks import LOCK_FILE

ROOT = Path(__file__).parents[1]
SETTINGS = (
    "DIGITLAB_MNIST",
    "DIGITLAB_PEN",
    "DIGITLAB_MAX_RUNNING",
    "DIGITLAB_MAX_QUEUED",
    "DIGITLAB_MAX_QUEUED_EACH",
    "DIGITLAB_IMPORT_MB",
    "DIGITLAB_MAX_SWEEPS",
    "DIGITLAB_MAX_SWEEPS_EACH",
    "DIGITLAB_ADMIN_TOKEN",
    "DIGITLAB_ADMINS",
    "DIGITLAB_RAY_ADDRESS",
    "DIGITLAB_RAY_CPUS",
    "DIGITLAB_RAY_GPUS",
    "DIGITLAB_WARM",
    "DIGITLAB_RUNS_MB",
    "DIGITLAB_RUNS_MB_EACH",
    "DIGITLAB_MAX_NETWORKS_EACH",
    "DIGITLAB_MAX_DRAWINGS_EACH",
    "DIGITLAB_WORKER_MEMORY_MB",
    "DIGITLAB_WORKER_HOURS",
)


def environment(runs: Path, **changes: str) -> dict[str, str]:
    """The environment of a child process: runs in `runs`, only the offline sample, none of the user's settings."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return {**kept, "DIGITLAB_RUNS": str(runs), "KERAS_HOME": str(runs.parent / "keras"), **changes}


def command_line(*arguments: str) -> list[str]:
    """The command that runs `python -m mnist_core` with these arguments."""
    return [sys.executable, "-m", "mnist_core", *arguments]


def hears_signals() -> None:
    """For Popen's `preexec_fn`: restores Ctrl-C, which the background jobs of a shell ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def names_in(folder: Path) -> set[str]:
    """What a folder of runs contains, apart from its lock."""
    return {path.name for path in folder.iterdir()} - {LOCK_FILE} if folder.is_dir() else set()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Waits for a condition.

    Args:
        condition: called until its value is true.
        what: names the condition in the failure.
        seconds: after which the test fails; generous, since only a fault takes this long.

    Returns:
        The first true value.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    return pytest.fail(f"not within {seconds:g} s: {what}")


def end_workers(runs: Path) -> None:
    """Kills workers that a failed test has left behind. They are in sessions of their own and survive the test."""
    for status in (path for pattern in ("*", ".rates/*") for path in runs.glob(f"{pattern}/status.json")):
        if not status.is_file():  # a test may have laid a pipe, which would be waited for
            continue
        with contextlib.suppress(
            ValueError, TypeError, KeyError, RecursionError, psutil.Error
        ):  # tests write nonsense there
            process = psutil.Process(json.loads(status.read_bytes())["pid"])
            if str(status.parent) in process.cmdline():
                process.kill()


class ThreadWorker:
    """Trains a run in a thread of this process, with the interface of a worker process. See `worker_in_thread`."""

    returncode: int | None = None
    pid = os.getpid()

    def __init__(self, run: Any, threads: int) -> None:
        self._run = run
        self._thread = threading.Thread(target=self._train)
        self._thread.start()

    def _train(self) -> None:
        from mnist_core import worker

        self.returncode = worker.main([str(self._run.path)])

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        self._thread.join(timeout)
        return self.returncode

    def kill(self) -> None:
        """Stops the training and waits for its end."""
        if self._thread.is_alive():
            self._run.update_control(stop=True, paused=False)
            self._thread.join()


@dataclass(frozen=True)
class Trained:
    """A run that the real command line trained, and what it printed."""

    run: Any
    stdout: str
    stderr: str

    @property
    def printed(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        value: dict[str, Any] = json.loads(self.stdout)
        return value
