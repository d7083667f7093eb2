"""A worker that trains one run after another, so that a sweep loads TensorFlow once.

    worker = PersistentWorker(threads=2)        # python -m mnist_core.worker --stay, started by the first run
    assignment = worker.take(run)               # stands for the process of this run: poll(), kill()
    worker.end()

Every run starts from a clean TensorFlow session with its own seed, so it trains exactly as in a process of its own. The
worker exits after the current run when the process that started it is gone.
"""

from __future__ import annotations

import math
import subprocess  # noqa: S404 - the type of a worker
import time

from mnist_core.files.write import open_log
from mnist_core.jobs.worker_process import WORKER, send_run
from mnist_core.processes import end_child, start_module
from mnist_core.runs.run import Run
from mnist_core.runs.status import FINAL_STATES

IDLE_SECONDS = 15.0
"""A worker without a run is kept this long. It takes 0.6 to 0.9 GB; loading TensorFlow again takes three seconds."""
STAY = "--stay"
"""The worker's argument in place of a run directory: it reads one directory after another from standard input."""


class Assignment:
    """One run of a persistent worker, with the interface of the process that would train it alone."""

    def __init__(self, worker: PersistentWorker, process: subprocess.Popen[bytes], run: Run) -> None:
        self.worker, self._process, self._run = worker, process, run
        self.returncode = 0

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def poll(self) -> int | None:
        """None while the run trains, 0 once the run has reached a final state, else the worker's exit status.

        Kills the worker if the run's folder was deleted: no state will come.
        """
        if not self._run.path.is_dir():
            self.kill()
        exit_status = self._process.poll()  # first: what the worker wrote before it ended is then visible
        if self._run.recorded_state in FINAL_STATES:
            self.worker.idle_since = time.monotonic()
            return 0
        if exit_status is None:
            return None
        self.returncode = exit_status
        return exit_status

    def kill(self) -> None:
        """Kills the worker and waits for its end: a dying process would still be given the next run."""
        end_child(self._process)

    def terminate(self) -> None:
        """Sends SIGTERM to the worker."""
        self._process.terminate()


class PersistentWorker:
    """One worker process, started with its first run and restarted if it has ended.

    Args:
        threads: cores that it may use.

    Attributes:
        idle_since: when its last run ended, in monotonic seconds; infinity while it trains.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.idle_since = math.inf
        self._process: subprocess.Popen[bytes] | None = None

    def take(self, run: Run) -> Assignment:
        """Gives it the next run; the previous one must have ended. Raises OSError if no process can be started."""
        process, self.idle_since = self._process, math.inf
        if process is None or process.poll() is not None or not _send(process, run):
            self.end()
            process = self._process = self._start(run)
            _send(process, run)
        return Assignment(self, process, run)

    def _start(self, run: Run) -> subprocess.Popen[bytes]:
        with open_log(run.log) as log:  # until the worker switches to the log of its run
            return start_module(WORKER, STAY, threads=self._threads, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def end_if_idle(self) -> None:
        """Frees its memory if it has waited IDLE_SECONDS, for example because the runs of others go first."""
        if time.monotonic() - self.idle_since > IDLE_SECONDS:
            self.end()

    def end(self) -> None:
        """Kills the worker at once."""
        process, self._process = self._process, None
        if process is not None:
            end_child(process)


def _send(process: subprocess.Popen[bytes], run: Run) -> bool:
    """Returns False if the worker has died."""
    try:
        if process.stdin is not None:
            send_run(process.stdin, run)
            return True
    except OSError:
        pass
    return False
