"""Parses JSON that anybody may have written: single values, and one object per line."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_core.files.read import JSON_BYTES, read_file

LINE_BYTES = 20_000
"""Longest line of metrics.jsonl that is read; a report with six probes has 2,000 bytes."""
MAX_DEPTH = 50
"""Deepest nesting of lists and objects in JSON. A Keras network has 12 levels."""
MAX_INTEGER = 2**63
"""Larger whole numbers in JSON are read as None: neither a table nor a chart can hold them."""


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
