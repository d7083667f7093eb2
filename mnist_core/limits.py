"""Memory and time limits of a child process. A thread measures, reports the exceeded limit, and ends the process.

with limited(partial(fail, run)):                    # in a worker
with limited():                                      # in a helper, which prints the message

The kernel's own limits do not fit. RLIMIT_AS counts address space: a worker that uses 0.8 GB has reserved 2.8 GB, and
with a GPU much more. RLIMIT_DATA fits on Linux, but when it is reached TensorFlow crashes seconds later without a
message. Measuring also works on macOS and Windows. Between two measurements, a process may exceed its limit by some 100
MB.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from mnist_core.config import worker_memory_mb

CHECK_SECONDS = 0.1
"""How often the memory is measured; a measurement takes 20 microseconds."""
EXIT_STATUS = 76
"""Exit status of a process that exceeded a limit."""


def print_error(message: str) -> None:
    """Tells the parent process, which reads the last line of standard error."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def limited(
    exceeded: Callable[[str], object] = print_error, seconds: float = math.inf, megabytes: int | None = None
) -> Iterator[None]:
    """Ends this process if it uses too much memory or time inside the `with` block.

    Args:
        exceeded: called first, with a message for people.
        seconds: the time limit.
        megabytes: the memory limit; by default, and at most, DIGITLAB_WORKER_MEMORY_MB.

    Raises:
        SettingError: DIGITLAB_WORKER_MEMORY_MB is out of range.
    """
    done, deadline = threading.Event(), time.monotonic() + seconds
    limit = min(megabytes or math.inf, worker_memory_mb())

    def watch() -> None:
        process = psutil.Process()
        while not done.wait(CHECK_SECONDS):
            used = process.memory_info().rss >> 20
            if used > limit:
                _end(exceeded, memory_message(used, limit))
            if time.monotonic() > deadline:
                _end(exceeded, f"It ran for more than {seconds:g} seconds and did not stop when asked to.")

    thread = threading.Thread(target=watch, name="limits", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def memory_message(used: int, limit: float) -> str:
    """The message about a process that used more memory than allowed, in MB, and what to do about it."""
    return (
        f"Out of memory: the process used {used:,} MB; the limit is {limit:,} MB. Try a smaller batch size or a "
        "smaller network. The administrator of this server can raise DIGITLAB_WORKER_MEMORY_MB."
    )


def _end(exceeded: Callable[[str], object], message: str) -> None:
    try:
        exceeded(message)
    finally:
        os._exit(EXIT_STATUS)  # whatever the other threads are doing
