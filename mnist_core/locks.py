"""One lock for each folder of runs: between processes and threads, released by the system when its holder dies.

with locked(runs_dir()):
    ...    # read files, decide, write them: nobody else does so meanwhile

It is held for milliseconds, whenever files are read in order to be changed. A worker takes it once, when it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_core.errors import RunError

LOCK_FILE = ".lock"
WAIT_SECONDS = 20.0
"""How long to wait for a process that holds the lock, for example because it was suspended."""
POLL_SECONDS = 0.002


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder; a thread that holds it already may take it again.

    Args:
        folder: RUNS_DIR, or another folder of run directories.

    Raises:
        RunError: another process holds the lock for WAIT_SECONDS.
        OSError: the lock file cannot be written.
    """
    from filelock import FileLock, Timeout  # here, since it takes 0.03 s, and most commands lock nothing

    # flock or its counterpart on Windows; where the file system has neither, a lock file with host and process id.
    lock = FileLock(folder.resolve() / LOCK_FILE, timeout=WAIT_SECONDS, poll_interval=POLL_SECONDS, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(
            f"{folder / LOCK_FILE} has been held by another process for {WAIT_SECONDS:g} seconds. End that process, or "
            "try again."
        ) from None
    try:
        yield
    finally:
        lock.release()
