"""Atomic writes, and tolerant reading of JSON that a crash may have damaged."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


def read_json(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file; an empty one if the file is missing or broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
    """Parses JSON objects, one per line.

    Returns:
        The objects, the number of bytes up to the end of the last complete line, and the number of broken lines.
    """
    whole = content[: content.rfind(b"\n") + 1]
    lines = [line for line in whole.splitlines() if line.strip()]
    rows = [row for line in lines if (row := _parse_object(line)) is not None]
    return rows, len(whole), len(lines) - len(rows)


def _parse_object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
