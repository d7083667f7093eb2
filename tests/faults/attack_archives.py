"""Hostile zips and NumPy files."""

from __future__ import annotations

import struct
from typing import Any

from tests.faults.run_zips import ID, files_without_models, healthy_files, run_zip, zipped


def npz(**arrays: bytes) -> bytes:
    """An .npz of .npy files that are given as bytes."""
    return zipped(((f"{name}.npy", content) for name, content in arrays.items()))


def npy(shape: str, dtype: str = "|u1", data: bytes = b"") -> bytes:
    """An .npy file whose header says what it likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def overlapping(times: int) -> bytes:
    """Entries that all point at the same ten megabytes of zeros."""
    files = {"spec.json": healthy_files()["spec.json"], "log.txt": bytes(900_000)}
    content = bytearray(run_zip(files))
    end = content.rindex(b"PK\x05\x06")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    record = content.index(b"PK\x01\x02", start + 1)
    kept, entries = bytes(content[record:end]), [bytes(content[start:record])]
    for number in range(times):
        name = f"{ID}/events/train/events.out.tfevents.{number}".encode()
        entries.append(kept[:28] + struct.pack("<H", len(name)) + kept[30:46] + name)
    directory = b"".join(entries)
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, times + 1, times + 1, len(directory), start, 0)
    return bytes(content[:start]) + directory + tail


def lying_sizes() -> bytes:
    """A descriptor that says 10 bytes where 9 MB come out."""
    content = bytearray(run_zip({**files_without_models(), "log.txt": bytes(9_000_000)}))
    return bytes(content).replace((9_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


def zip64() -> bytes:
    """The healthy run, with a zip64 locator that says there are 2**40 entries."""
    content = run_zip(files_without_models())
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(content) - 22 - 56, 1)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**40, 2**40, 2**40, 0)
    return content[:-22] + record + locator + content[-22:]


class CreatesFile:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (open, ("pickle-was-here", "w"))
