"""Worker processes as the server sees them: started for one run, warm, or started by an earlier server.

process = start_worker(run, threads=2)      # python -m mnist_core.worker RUN_DIR
warm = WarmWorker(threads=2)                # python -m mnist_core.worker --wait, with TensorFlow loaded
process = warm.take(run)                    # starts training three seconds sooner; None if the worker has died
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess  # noqa: S404 - the type of a worker
from typing import IO

import psutil

from mnist_core.files.write import open_log
from mnist_core.processes import end_child, start_module
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES

WORKER = "mnist_core.worker"
"""The module that trains."""
WAIT = "--wait"
"""The worker's argument in place of a run directory: it reads the directory from standard input."""


def start_worker(run: Run, threads: int) -> subprocess.Popen[bytes]:
    """Starts a worker for one run. Its output goes to the run's log."""
    with open_log(run.log) as log:
        return start_module(WORKER, str(run.path), threads=threads, stdout=log, stderr=log)


def send_run(stdin: IO[bytes], run: Run) -> None:
    """Tells a waiting worker which run to train. Raises OSError if the worker has died."""
    stdin.write(os.fsencode(run.path.resolve()) + b"\n")
    stdin.flush()


class AdoptedWorker:
    """The worker of a run that an earlier server started, known by its process id only.

    Args:
        run: that it trains.
        pid: its process id.

    Raises:
        psutil.Error: there is no such process.
    """

    returncode = -signal.SIGKILL  # not our child: only its run can say how it ended

    def __init__(self, run: Run, pid: int) -> None:
        self._run, self.pid = run, pid
        self._process = psutil.Process(pid)

    def poll(self) -> int | None:
        """None while it trains the run. A persistent worker may train another run after it."""
        if self._run.recorded_state in FINAL_STATES:
            return self.returncode
        try:
            alive = self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:  # it ended between the two calls
            alive = False
        return None if alive else self.returncode

    def kill(self) -> None:
        """Sends SIGKILL; does nothing if the process has ended."""
        with contextlib.suppress(psutil.Error):
            self._process.kill()

    def terminate(self) -> None:
        """Sends SIGTERM; does nothing if the process has ended."""
        with contextlib.suppress(psutil.Error):
            self._process.terminate()


class WarmWorker:
    """A worker that waits for one run with TensorFlow loaded. It exits when the process that started it is gone.

    Args:
        threads: cores that it may use.

    Raises:
        OSError: the machine takes no more processes.
    """

    def __init__(self, threads: int) -> None:
        self._process = start_module(
            WORKER,
            WAIT,
            threads=threads,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def take(self, run: Run) -> subprocess.Popen[bytes] | None:
        """Gives it the run. Returns its process, or None if the worker has died."""
        try:
            if self._process.poll() is None and self._process.stdin is not None:
                send_run(self._process.stdin, run)
                self._process.stdin.close()
                return self._process
        except OSError:  # it died between the two lines
            self.end()
        return None

    def end(self) -> None:
        """Kills it at once: it has nothing to save."""
        end_child(self._process)
