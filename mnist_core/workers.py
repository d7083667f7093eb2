"""The processes that train, as seen from outside: started for one run, waiting for one, or left by an earlier server.

process = start_worker(run, threads=2)      # python -m mnist_core.worker RUN_DIR
warm = WarmWorker(threads=2)                # python -m mnist_core.worker --wait: it has TensorFlow loaded
process = warm.take(run)                    # it trains five seconds sooner; None where it has died
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess  # noqa: S404 - starts this package's own worker
import sys
from pathlib import Path

import psutil

from mnist_core.runs import Run, Status

WAIT = "--wait"
"""The worker's argument in place of a run directory: it is told that on its standard input."""

NICE = 5  # of 19: whoever answers people is given three times as much where cores are scarce, and no training starves

_PACKAGE_PARENT = Path(__file__).resolve().parent.parent


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _command(argument: str) -> list[str]:
    return [sys.executable, "-m", "mnist_core.worker", argument]


def environment(threads: int) -> dict[str, str]:
    """Of a worker that may use so many cores."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")))),
    }


def start_worker(run: Run, threads: int) -> subprocess.Popen[bytes]:
    """A worker for the run, in a session of its own: Ctrl-C on the server does not reach it."""
    with run.log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own module, the path is one argument
            _command(str(run.path)), env=environment(threads), stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip


class Adopted:
    """The worker of an earlier server, as far as its process number tells."""

    returncode = -signal.SIGKILL  # it is no child of ours: how it ended cannot be known, only what its run says

    def __init__(self, status: Status) -> None:
        self._process = psutil.Process(status.pid)

    def poll(self) -> int | None:
        """None while it runs."""
        alive = self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        return None if alive else self.returncode

    def kill(self) -> None:
        with contextlib.suppress(psutil.Error):
            self._process.kill()

    def terminate(self) -> None:
        with contextlib.suppress(psutil.Error):
            self._process.terminate()


class WarmWorker:
    """One worker that waits. It ends by itself, too, when the process that started it is gone.

    Args:
        threads: cores that it may use.

    Raises:
        OSError: the machine takes no more processes.
    """

    def __init__(self, threads: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _command(WAIT), env=environment(threads), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def take(self, run: Run) -> subprocess.Popen[bytes] | None:
        """The worker's process, which trains the run from now on; None where it is gone."""
        try:
            if self._process.poll() is None and self._process.stdin is not None:
                self._process.stdin.write(os.fsencode(run.path.resolve()) + b"\n")
                self._process.stdin.close()
                return self._process
        except OSError:  # it died this moment
            self.end()
        return None

    def end(self) -> None:
        """Lets it go, at once: there is nothing to save."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def step_back() -> None:
    """In the worker: whoever answers people goes first. It still takes all that the cores have to spare."""
    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        process.nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", NICE))  # a class on Windows, elsewhere a figure
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():  # leads a session: nobody else is in its group
        with contextlib.suppress(OSError):  # Linux shares out by session first
            Path("/proc/self/autogroup").write_text(str(NICE), encoding="ascii")


def await_run() -> Path | None:
    """In the worker: loads what it will need, then waits for its run directory. None where nobody wants it any more.

    From then on its output goes to the run's log.
    """
    _load()
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return None
    folder = Path(os.fsdecode(line[:-1]))
    log = os.open(Run(folder).log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, stream)
    os.close(log)
    return folder


def _load() -> None:
    """Imports TensorFlow and trains a tiny network on nothing: the first time of everything takes longest."""
    import keras
    import numpy as np

    from mnist_core import data, training
    from mnist_core.architecture import Conv2D, Dense, Flatten, Rescaling
    from mnist_core.recipes import Settings

    settings = Settings((Rescaling(1 / 255), Conv2D(2, 5), Flatten(), Dense(10, "softmax")), batch_size=2, epochs=1)
    images, labels = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8)
    split = data.Split(images, labels, images, labels, images, labels)
    for _ in training.train(training.make_model(settings, 0), settings, split, 0):
        pass
    keras.utils.clear_session()  # layers are named from 1 again
