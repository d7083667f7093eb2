"""Atomic writes, and reading of files that a crash, a person or an attacker may have left.

Every file is opened by `open_file`, which accepts nothing but regular files, and read with a limit.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

JSON_BYTES = 4_000_000
"""Largest JSON file that is read, unless its reader says otherwise. A drawing of 10,000 points has 1 MB."""
LINE_BYTES = 100_000
"""Longest line of metrics.jsonl that is read; a report with six probes has 2,000 bytes."""
MODEL_BYTES = 120_000_000
"""Largest model file. The largest network that can be trained has 10 million parameters."""
MAX_DEPTH = 50
"""Deepest nesting of lists and objects in JSON. A Keras network has 12 levels."""
MAX_INTEGER = 2**63
"""Larger whole numbers in JSON are read as None: neither a table nor a chart can hold them."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replaces a file atomically: yields a temporary path of the same suffix, and moves it to `path` at the end.

    After an exception, `path` is unchanged and the temporary file is deleted.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{time.monotonic_ns()}{path.suffix}")
    try:
        yield temporary
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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


def open_file(path: Path) -> BinaryIO:
    """Opens a regular file for reading. Never waits for one: a pipe or a device is an error.

    Raises:
        OSError: there is no such file, it cannot be opened, or it is something else.
    """
    number = os.open(path, _FLAGS)
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(number, "rb")
    os.close(number)
    found = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
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


def write_json(path: Path, value: Any) -> None:
    """Replaces a file atomically by a JSON value."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file: the whole line, or nothing if an OSError is raised."""
    content = line.encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            written = file.write(content)
            if written != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            file.truncate(before)
            raise


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
