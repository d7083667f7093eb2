"""Writes files: replaces them atomically, or appends lines to them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.files.leftovers import temporary_path
from mnist_core.files.read import NEVER_WAIT, open_regular

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NEVER_WAIT


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Replaces a file atomically: yields a temporary path of the same suffix, and moves it to `path` at the end.

    After an exception, `path` is unchanged and the temporary file is deleted.

    Args:
        path: of the file.
        durable: whether the content reaches the disk first, so that a power failure cannot leave an empty file.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        _replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # the error that matters is on its way; `delete_leftovers` tries again
            temporary.unlink()


def _replace(temporary: Path, path: Path) -> None:
    for _ in range(50):
        try:
            temporary.replace(path)
            return
        except PermissionError:  # Windows refuses while a reader has the file open, for a moment
            if os.name != "nt":
                raise
            time.sleep(0.02)
    temporary.replace(path)


def create_file(path: Path) -> IO[bytes]:
    """Opens a new file for writing. Use it only inside `replacing`, `new_folder` or `scratch_folder`."""
    return path.open("xb")


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replaces a file atomically."""
    with replacing(path, durable=durable) as temporary, create_file(temporary) as file:
        file.write(content)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replaces a file atomically by a JSON value."""
    write_bytes(path, json.dumps(value, indent=1).encode(), durable=durable)


def write_arrays(path: Path, *positional: NDArray[Any], compressed: bool = False, **named: NDArray[Any]) -> None:
    """Replaces a file atomically by an .npz with these arrays; without names they are `arr_0`, `arr_1`, …"""
    save: Any = np.savez_compressed if compressed else np.savez
    with replacing(path) as temporary, create_file(temporary) as file:
        save(file, *positional, **named)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Replaces a file atomically by an .npy with this array."""
    with replacing(path) as temporary, create_file(temporary) as file:
        np.save(file, array)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file: the whole line, or nothing if an OSError is raised."""
    content = line.encode() + b"\n"
    with open_regular(path, _APPEND, "ab", buffering=0) as file:
        before = file.tell()
        try:
            written = file.write(content)
            if written != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            file.truncate(before)
            raise


def open_log(path: Path) -> IO[bytes]:
    """Opens a file to which a process appends what it prints."""
    file: IO[bytes] = open_regular(path, _APPEND, "ab")
    return file


def open_nowhere() -> IO[bytes]:
    """Opens the device that keeps nothing of what a process prints."""
    return Path(os.devnull).open("ab")
