"""Reads regular files up to a limit, and the arrays in them."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

JSON_BYTES = 4_000_000
"""Largest JSON file that is read, unless its reader says otherwise. A drawing of 10,000 points has 1 MB."""
MODEL_BYTES = 120_000_000
"""Largest model file. The largest network that can be trained has 20 million parameters, 80 MB in float32."""
MAX_ARRAYS = 5_000
"""Arrays in an .npz file: those of a checkpoint, whose network has 100 layers, are 1,500."""

NEVER_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags for `os.open`: return at once, whatever the path is."""


def open_file(path: Path) -> BinaryIO:
    """Opens a regular file for reading. Never waits for one: a pipe or a device is an error.

    Raises:
        OSError: there is no such file, it cannot be opened, or it is something else.
    """
    file: BinaryIO = open_regular(path, os.O_RDONLY | NEVER_WAIT, "rb")
    return file


def is_folder(path: Path) -> bool:
    """As `Path.is_dir`, but False where that raises an OSError: a folder may not be read, or the name is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """As `Path.is_file`, but False where that raises an OSError."""
    return os.path.isfile(path)  # noqa: PTH113


def open_regular(path: Path, flags: int, mode: str, buffering: int = -1) -> Any:
    """Opens a path with flags of `os.open` and a mode of `open`. Raises OSError if it is no regular file."""
    number = os.open(path, flags, 0o666)
    kind = os.fstat(number).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(number, mode, buffering)
    os.close(number)
    found = "a folder" if stat.S_ISDIR(kind) else "a device or a pipe"
    raise OSError(f"{path} is {found}, expected a file")


def read_file(path: Path, limit: int = JSON_BYTES) -> bytes:
    """Reads a regular file.

    Args:
        path: of the file.
        limit: its largest size in bytes; a larger one is not read.

    Raises:
        OSError: as `open_file`, or the file is too large.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise OSError(f"{path} has {size:,} bytes, expected at most {limit:,}")
        return file.read(size)


def read_tail(path: Path, limit: int) -> bytes:
    """Reads the last bytes of a regular file, at most `limit`. Raises OSError as `open_file` does."""
    with open_file(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
        return file.read(limit)


def load_arrays(path: Path, limit: int) -> dict[str, Any]:
    """Loads the arrays of an .npz file; never a pickle.

    Args:
        path: of the file.
        limit: largest size of all arrays together, in bytes.

    Raises:
        OSError: as `open_file`.
        ValueError: the file is broken, or its arrays are larger.
    """
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                size = sum(info.file_size for info in archive.infolist())
            if size > limit or len(archive.infolist()) > MAX_ARRAYS:
                raise ValueError(f"{len(archive.infolist()):,} arrays of {size:,} bytes, expected at most {limit:,}")
            with np.load(file, allow_pickle=False) as arrays:
                named = dict(arrays)
            if strays := [name for name, value in named.items() if not isinstance(value, np.ndarray)]:
                raise ValueError(f"{strays[0]!r} is no array")
            return named
        except Exception as error:  # zipfile, zlib, struct and NumPy's header parser each raise their own kinds
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(f"{path} is no .npz file that can be used: {reason}") from error
