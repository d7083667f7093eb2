"""Everything that the library writes to disk, and reading of files that a crash, a person or an attacker may have left.

No other module writes, renames or deletes files: `tests/test_walls.py` holds that, and `tests/faults/test_writes.py`
makes each write fail. A file or folder appears complete or not at all, whatever fails and whenever the process is
killed. Every file is opened for reading by `open_file`, which accepts nothing but regular files, and read with a limit.

After a power failure, each file is still the old or the new one: its content is flushed to the disk (`fsync`) before it
takes its place. The folder is not flushed, so what was written in the last seconds may be missing as a whole. Two kinds
of files are not flushed, because they are written every second and readers cope with their loss: status.json
(`durable=False`) and lines that are appended.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import re
import shutil
import socket
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mnist_core.liveness import process_is_alive

JSON_BYTES = 4_000_000
"""Largest JSON file that is read, unless its reader says otherwise. A drawing of 10,000 points has 1 MB."""
LINE_BYTES = 20_000
"""Longest line of metrics.jsonl that is read; a report with six probes has 2,000 bytes."""
MODEL_BYTES = 120_000_000
"""Largest model file. The largest network that can be trained has 10 million parameters."""
MAX_ARRAYS = 5_000
"""Arrays in an .npz file: those of a checkpoint, whose network has 100 layers, are 1,500."""
MAX_DEPTH = 50
"""Deepest nesting of lists and objects in JSON. A Keras network has 12 levels."""
MAX_INTEGER = 2**63
"""Larger whole numbers in JSON are read as None: neither a table nor a chart can hold them."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, a used-up quota and a limit on the size of files."""
NOT_PERMITTED = (errno.EACCES, errno.EPERM, errno.EROFS)
LEFTOVER_SECONDS = 24 * 3600
"""After this time, a temporary file of another machine, whose processes cannot be asked, is nobody's."""

_TEMPORARY = re.compile(r"\.[^/]+?-(?:([0-9a-f]{8})-)?([0-9]{1,10})-[0-9]{6,20}(?:\.[A-Za-z0-9]{1,10})?")
"""`.status-<machine>-<pid>-<nanoseconds>.json`; earlier versions left the machine out."""
_NEVER_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _NEVER_WAIT
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NEVER_WAIT


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Replaces a file atomically: yields a temporary path of the same suffix, and moves it to `path` at the end.

    After an exception, `path` is unchanged and the temporary file is deleted.

    Args:
        path: of the file.
        durable: whether the content reaches the disk first, so that a power failure cannot leave an empty file.
    """
    temporary = _temporary_path(path)
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        _replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # the error that matters is on its way; `delete_leftovers` tries again
            temporary.unlink()


def _temporary_path(path: Path) -> Path:
    name = f".{path.stem[:100]}-{_machine()}-{os.getpid()}-{time.monotonic_ns()}{path.suffix}"
    return path.with_name(name)


def _machine() -> str:
    """Eight digits that stand for this machine, because several may share a folder."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


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
    with _open_regular(path, _APPEND, "ab", buffering=0) as file:
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
    file: IO[bytes] = _open_regular(path, _APPEND, "ab")
    return file


def make_folder(path: Path) -> None:
    """Creates a folder and those above it. Does nothing if it exists."""
    path.mkdir(parents=True, exist_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Creates a folder complete or not at all: yields a temporary folder, and moves it to `path` at the end.

    Raises:
        OSError: `path` is a folder with files, or something cannot be written. Nothing is left behind.
    """
    with scratch_folder(path.parent, path.name) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def scratch_folder(parent: Path, name: str = "scratch") -> Iterator[Path]:
    """Creates a folder for the time of the `with` block. If the process is killed, the next call deletes it.

    Args:
        parent: folder to create it in.
        name: part of its name.
    """
    make_folder(parent)
    delete_leftovers(parent)
    temporary = _temporary_path(parent / name)
    try:
        temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_files(source: Path, folder: Path) -> None:
    """Copies the content of a folder into another one, which exists."""
    for directory, _, names in os.walk(source):
        target = folder / Path(directory).relative_to(source)
        make_folder(target)
        for name in names:
            with (Path(directory) / name).open("rb") as original, create_file(target / name) as copy:
                shutil.copyfileobj(original, copy)


def move(source: Path, target: Path) -> None:
    """Moves a file or folder within a disk, atomically. A file at the target is replaced."""
    source.replace(target)


def delete_file(path: Path) -> None:
    """Deletes a file. It is no error if there is none."""
    path.unlink(missing_ok=True)


def delete_folder(path: Path) -> None:
    """Deletes a folder with its content, as far as possible."""
    shutil.rmtree(path, ignore_errors=True)


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


def explain_write_error(
    error: OSError, folder: Path, elsewhere: str = "set DIGITLAB_RUNS to a folder on another disk"
) -> str:
    """Says in sentences why something could not be written, and what to do about it.

    Args:
        error: as it was raised.
        folder: that could not be written to.
        elsewhere: what to do in order to write somewhere else.
    """
    if error.errno in DISK_FULL:
        return (
            f"The disk of {folder} is full{_free_space(folder)}. Free some space on it (deleted runs keep theirs for a "
            f"day, in .bin), or {elsewhere}."
        )
    if error.errno in NOT_PERMITTED:
        return f"{error}. Fix the permissions of {folder}, or {elsewhere}."
    if isinstance(error, FileNotFoundError):
        return f"{error}. It may have been deleted a moment ago."
    return f"{error}. Fix that, or {elsewhere}."


def _free_space(folder: Path) -> str:
    existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), None)
    try:
        usage = shutil.disk_usage(existing or folder)
    except OSError:
        return ""
    return f": {usage.free / 1e6:,.1f} of {usage.total / 1e6:,.1f} MB are free"


def open_file(path: Path) -> BinaryIO:
    """Opens a regular file for reading. Never waits for one: a pipe or a device is an error.

    Raises:
        OSError: there is no such file, it cannot be opened, or it is something else.
    """
    file: BinaryIO = _open_regular(path, _READ, "rb")
    return file


def _open_regular(path: Path, flags: int, mode: str, buffering: int = -1) -> Any:
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
                return dict(arrays)
        except Exception as error:  # zipfile, zlib, struct and NumPy's header parser each raise their own kinds
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(f"{path} is no .npz file that can be used: {reason}") from error


def parse_json(content: bytes) -> Any:
    """Parses JSON that anybody may have written.

    Raises:
        ValueError: it is not JSON in UTF-8, is nested deeper than MAX_DEPTH, or contains a text that cannot be shown.
    """
    return _parse(content, json.loads)


def read_json(path: Path, limit: int = JSON_BYTES) -> dict[str, Any]:
    """Returns the JSON object in a file; an empty one if the file is missing or broken.

    A number that is infinite, not a number, or larger than MAX_INTEGER is read as None.
    """
    try:
        value = _parse(read_file(path, limit), _decode_finite)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _parse(content: bytes, decode: Callable[[str], Any]) -> Any:
    try:
        value = decode(content.decode("utf-8"))
        if content.count(b"[") + content.count(b"{") > MAX_DEPTH and _is_deep(value):
            raise RecursionError
    except RecursionError:
        raise ValueError(f"it has lists in lists, more than {MAX_DEPTH} levels deep") from None
    if b"\\ud" in content or b"\\uD" in content:  # half of a pair cannot be written to a page or a terminal
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        nested = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return False
    return True


def _finite_float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _bounded_integer(text: str) -> int | None:
    if len(text) > 20:  # Python refuses to parse more than 4,300 digits
        return None
    value = int(text)
    return value if abs(value) <= MAX_INTEGER else None


_decode_finite = json.JSONDecoder(
    parse_float=_finite_float, parse_int=_bounded_integer, parse_constant=lambda _: None
).decode


def parse_lines(content: bytes) -> tuple[list[dict[str, Any]], int, int]:
    """Parses JSON objects, one per line, as `read_json` does.

    Returns:
        The objects, the number of bytes up to the end of the last complete line, and the number of broken lines.
    """
    rows, size, broken = list[dict[str, Any]](), 0, 0
    for line in io.BytesIO(content):  # not splitlines: 30 MB of blank lines would make a list of 250 MB
        if not line.endswith(b"\n"):
            break
        size += len(line)
        row = parse_line(line)
        if row is not None:
            rows.append(row)
        elif line.strip():
            broken += 1
    return rows, size, broken


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Returns the JSON object on a line, as `read_json` does; None if there is none, or the line is too long."""
    try:
        row = _parse(line, _decode_finite) if len(line) <= LINE_BYTES else None
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
