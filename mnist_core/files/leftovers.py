"""Names of temporary files and folders, by which those of killed processes are recognized and deleted."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
import zlib
from pathlib import Path

from mnist_core.liveness import process_is_alive

LEFTOVER_SECONDS = 24 * 3600
"""After this time, a temporary file of another machine, whose processes cannot be asked, is nobody's."""

_TEMPORARY = re.compile(r"\.[^/]+?-(?:([0-9a-f]{8})-)?([0-9]{1,10})-[0-9]{6,20}(?:\.[A-Za-z0-9]{1,10})?")
"""`.status-<machine>-<pid>-<nanoseconds>.json`; earlier versions left the machine out."""


def temporary_path(path: Path) -> Path:
    """A new name next to `path`, of the same suffix, which says which process of which machine uses it."""
    name = f".{path.stem[:100]}-{_machine()}-{os.getpid()}-{time.monotonic_ns()}{path.suffix}"
    return path.with_name(name)


def _machine() -> str:
    """Eight digits that stand for this machine, because several may share a folder."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def delete_leftovers(folder: Path, *, subfolders: bool = False) -> None:
    """Deletes the temporary files and folders of processes that were killed while they wrote.

    Args:
        folder: where to look. Nothing happens if it does not exist.
        subfolders: whether to look in all folders below it as well.
    """
    for directory, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(directory, name)
            if (match := _TEMPORARY.fullmatch(name)) and _is_leftover(path, match[1], int(match[2])):
                with contextlib.suppress(OSError):
                    shutil.rmtree(path) if name in folders else path.unlink()
        if not subfolders:
            return


def _is_leftover(path: Path, machine: str | None, pid: int) -> bool:
    """True if the process that made the file is gone."""
    try:
        modified = path.stat().st_mtime
    except OSError:  # it was moved into place just now
        return False
    if machine != _machine():
        return time.time() - modified > LEFTOVER_SECONDS
    return not process_is_alive(pid, modified)
