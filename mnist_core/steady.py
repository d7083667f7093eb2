"""A worker that stays: it trains one run after another, so that TensorFlow is loaded once for a whole sweep.

worker = SteadyWorker(threads=2)            # python -m mnist_core.worker --stay
turn = worker.take(run)                     # as a process that trains this run only: turn.poll(), turn.kill()
worker.end()

Each run is still trained by a process that is not the server's, and by itself: weights, graphs and random numbers begin
anew. It ends when the process that started it is gone, after the run that it is training.
"""

from __future__ import annotations

import os
import subprocess  # noqa: S404 - starts this package's own worker
import sys
from pathlib import Path

from mnist_core.runs import Run
from mnist_core.workers import environment

STAY = "--stay"
"""The worker's argument in place of a run directory: it is told one after another on its standard input."""


class Turn:
    """One run of a steady worker, as LocalBackend sees a process."""

    def __init__(self, worker: SteadyWorker, process: subprocess.Popen[bytes], run: Run) -> None:
        self.worker, self._process, self._run = worker, process, run
        self.returncode = 0

    def poll(self) -> int | None:
        """None while the run is trained; 0 when it has said how it ended, else how the worker did."""
        ended = self._process.poll()  # first: what it wrote before it ended is then read
        if self._run.path.is_dir() and self._run.status().final:
            return 0
        if ended is None:
            return None
        self.returncode = ended
        return ended

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


class SteadyWorker:
    """One worker, started when it is first needed, and again where it has ended.

    Args:
        threads: cores that it may use.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None

    def take(self, run: Run) -> Turn:
        """Has it train a run; not before the turn before has ended. Raises OSError where no process can be started."""
        process = self._process
        if process is None or process.poll() is not None or not _told(process, run):
            self.end()
            process = self._process = self._start(run)
            _told(process, run)
        return Turn(self, process, run)

    def _start(self, run: Run) -> subprocess.Popen[bytes]:
        with run.log.open("ab") as output:  # until it knows better, what goes wrong on the way is told there
            return subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "mnist_core.worker", STAY], env=environment(self._threads),
                stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        """Lets it go, at once."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _told(process: subprocess.Popen[bytes], run: Run) -> bool:
    """Names the run to the worker. False where it has ended this moment."""
    try:
        if process.stdin is not None:
            process.stdin.write(os.fsencode(run.path.resolve()) + b"\n")
            process.stdin.flush()
            return True
    except OSError:
        pass
    return False


def next_run() -> Path | None:
    """In the worker: waits for its next run directory; None where nobody has one. From then on it writes to its log."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return None
    folder = Path(os.fsdecode(line[:-1]))
    if not folder.is_dir():  # deleted meanwhile
        return next_run()
    write_to_log_of(folder)
    return folder


def write_to_log_of(folder: Path) -> None:
    """In the worker: from now on what it prints goes to the log of this run."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(Run(folder).log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, stream)
    os.close(log)


def begin_anew() -> None:
    """In the worker, between two runs: what the last one left in TensorFlow is forgotten."""
    import gc

    import keras

    keras.utils.clear_session()
    gc.collect()
