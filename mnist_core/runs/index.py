"""The rows of runs that have ended, in one file: hundreds of runs are listed without opening the files of each.

RUNS_DIR/.index.json is a cache and nothing else. Its first line says what it holds and the SHA-256 of the second; a
file that is missing, damaged, changed by hand or of another version is made anew from the directories. Two processes
may write it: it is replaced whole, and what one of them did not know is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mnist_core.files import read_json, replacing
from mnist_core.runs.run import FINAL_STATES, Run

FILE = ".index.json"
SOURCES = ("spec.json", "status.json", "card.json", "label.json", "owner.json", "sweep.json")
"""What a row is made of: the index reads a run again when one of them has changed."""

Row = dict[str, Any]
_Entries = dict[str, dict[str, Any]]  # run id -> its fingerprint and its row


def rows(root: Path, runs: Iterable[Run], summarise: Callable[[Run], Row], version: str) -> list[Row]:
    """The row of every run: from the index where its files are as they were, else made now and kept there.

    Args:
        root: where the runs and the index are.
        runs: those to list, in the order wanted.
        summarise: makes the row of a run, of what JSON can hold.
        version: of the rows: an index of another one is not read.
    """
    known = _read(root / FILE, version)
    entries = {run.id: _entry(run, known.get(run.id), summarise) for run in runs}
    lasting = {name: entry for name, entry in entries.items() if entry["lasting"]}
    if lasting != known:
        with contextlib.suppress(OSError):  # a full disk, or a folder that may only be read: slower, and all there
            _write(root / FILE, version, lasting)
    return [entry["row"] for entry in entries.values()]


def _entry(run: Run, known: dict[str, Any] | None, summarise: Callable[[Run], Row]) -> dict[str, Any]:
    found = fingerprint(run)  # before its files are read: what changes meanwhile is read again the next time
    if known is not None and known["fingerprint"] == found:
        return known
    row = summarise(run)
    return {"fingerprint": found, "row": row, "lasting": _lasting(run, row)}


def _lasting(run: Run, row: Row) -> bool:
    """Whether the row stays true while its files do: not where the process was looked for and missed."""
    if row["state"] == "interrupted":
        return read_json(run.path / "status.json").get("state") == "interrupted"
    return row["state"] in FINAL_STATES


def fingerprint(run: Run) -> list[list[int] | None]:
    """Time of change in nanoseconds, size and number of each of SOURCES; None for one that is not there."""
    return [_stat(run.path / name) for name in SOURCES]


def _stat(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino]  # a file that is replaced has another number


def _read(path: Path, version: str) -> _Entries:
    try:
        head, body = path.read_bytes().split(b"\n", 1)
        if json.loads(head) != {"version": version, "sha256": hashlib.sha256(body).hexdigest()}:
            return {}
        entries: _Entries = json.loads(body)
        return entries
    except (OSError, ValueError, RecursionError):
        return {}


def _write(path: Path, version: str, entries: _Entries) -> None:
    body = json.dumps(entries).encode()
    head = json.dumps({"version": version, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(head + b"\n" + body)
