"""Messages between two of our processes over a pipe: one line of JSON, then arrays in .npy format. Never a pickle.

The line is the header of the message. Its key `arrays` gives the names of the arrays that follow and their sizes in
bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_LINE_BYTES = 1_000_000
MAX_ARRAY_BYTES = 500_000_000

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Frame:
    """One message.

    Attributes:
        header: anything that JSON can hold, except under the key `arrays`.
        arrays: name -> array of numbers.
    """

    header: dict[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)


def write_frame(pipe: IO[bytes], frame: Frame) -> None:
    """Sends one message.

    Raises:
        OSError: the other process has closed the pipe.
        ValueError: an array holds Python objects.
    """
    encoded = {name: _encode_array(array) for name, array in frame.arrays.items()}
    line = json.dumps({**frame.header, "arrays": {name: len(content) for name, content in encoded.items()}})
    pipe.write(line.encode() + b"\n" + b"".join(encoded.values()))
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Frame | None:
    """Waits for the next message. Returns None if the pipe was closed before the message was complete.

    Raises:
        ValueError: what arrived is not a message.
    """
    line = pipe.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        return None
    header = json.loads(line)
    sizes = header.pop("arrays", {}) if isinstance(header, dict) else None
    if not isinstance(sizes, dict) or not all(_is_size(size) for size in sizes.values()):
        raise ValueError(f"Expected a line of JSON with the sizes of its arrays, got {line[:80]!r}.")
    arrays = {}
    for name, size in sizes.items():
        content = pipe.read(size)
        if len(content) < size:
            return None
        arrays[name] = np.load(io.BytesIO(content), allow_pickle=False)
    return Frame(header, arrays)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= MAX_ARRAY_BYTES


def _encode_array(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()
