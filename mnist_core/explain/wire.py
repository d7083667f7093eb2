"""Messages between two processes of ours over a pipe: one line of JSON, then arrays as .npy. No pickle, either way.

The line holds `arrays`, the names of those that follow and how many bytes each takes, and whatever else is said.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_LINE_BYTES = 1_000_000  # bytes
MAX_ARRAY_BYTES = 500_000_000  # bytes of an array

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Frame:
    """One message: `said` is what JSON can hold, `arrays` name -> array of numbers."""

    said: dict[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)


def write_frame(pipe: IO[bytes], frame: Frame) -> None:
    """Sends one message. Raises OSError where nobody listens any more, ValueError for an array of objects."""
    packed = {name: _packed(array) for name, array in frame.arrays.items()}
    line = json.dumps({**frame.said, "arrays": {name: len(content) for name, content in packed.items()}})
    pipe.write(line.encode() + b"\n" + b"".join(packed.values()))
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Frame | None:
    """Waits for the next message. None where the pipe is closed; ValueError where what comes is none."""
    line = pipe.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        return None
    said = json.loads(line)
    sizes = said.pop("arrays", {}) if isinstance(said, dict) else None
    if not isinstance(sizes, dict) or not all(_is_size(size) for size in sizes.values()):
        raise ValueError(f"Expected a line of JSON with the sizes of its arrays, got {line[:80]!r}.")
    arrays = {}
    for name, size in sizes.items():
        content = pipe.read(size)
        if len(content) < size:
            return None
        arrays[name] = np.load(io.BytesIO(content), allow_pickle=False)
    return Frame(said, arrays)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= MAX_ARRAY_BYTES


def _packed(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()
