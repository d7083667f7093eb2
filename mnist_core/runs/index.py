"""A cache of the history: the rows of runs that have ended, so hundreds of runs are listed without opening their files.

RUNS_DIR/.index.json has two lines: the version and the SHA-256 of the second line, then the rows. A file that is
missing, damaged, edited or of another version is rebuilt from the run directories. Several processes may write it: the
file is replaced as a whole, and rows that one of them did not know are read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mnist_core.files.read import read_file
from mnist_core.files.write import write_bytes
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.status import FINAL_STATES

INDEX_FILE = ".index.json"
SOURCES = ("spec.json", "status.json", "card.json", "label.json", "owner.json", "sweep.json", "import.json")
"""Files that a row is made from. When one of them changes, the run is read again."""

MAX_BYTES = 200_000_000
"""A row has 1,000 bytes."""

Row = dict[str, Any]
Entry = dict[str, Any]
"""`fingerprint` of the run's files, its `row`, and whether the row is `lasting`."""


def indexed_rows(root: Path, runs: Iterable[Run], make_row: Callable[[Run], Row], version: str) -> list[Row]:
    """Returns the row of every run, from the index if the run's files have not changed.

    Args:
        root: the folder of the runs and of the index.
        runs: to list, in this order.
        make_row: returns the row of a run, JSON values only.
        version: of the rows. An index of another version is not used.
    """
    known = _read_index(root / INDEX_FILE, version)
    entries = {run.id: _entry(run, known.get(run.id), make_row) for run in runs}
    cacheable = {run_id: entry for run_id, entry in entries.items() if entry["lasting"]}
    if cacheable != known:
        with contextlib.suppress(OSError):  # a full disk or a read-only folder: slower, but complete
            _write_index(root / INDEX_FILE, version, cacheable)
    return [entry["row"] for entry in entries.values()]


def _entry(run: Run, known: Entry | None, make_row: Callable[[Run], Row]) -> Entry:
    current = fingerprint(run)  # before the files are read: a change meanwhile is then noticed the next time
    if known is not None and known["fingerprint"] == current:
        return known
    row = make_row(run)
    return {"fingerprint": current, "row": row, "lasting": _is_lasting(run, row)}


def _is_lasting(run: Run, row: Row) -> bool:
    """True if the row stays valid while the files do not change.

    A run that is `interrupted` only because its process was not found may come back. Whether a sweep's retrained model
    shows a test score depends on the sweep's winner.json.
    """
    if sweep_mark(run).get("part"):
        return False
    if row["state"] == "interrupted":
        return run.recorded_state == "interrupted"
    return row["state"] in FINAL_STATES


def fingerprint(run: Run) -> list[list[int] | None]:
    """Returns modification time in nanoseconds, size and inode of each of SOURCES; None for a missing file."""
    return [_file_stat(run.path / name) for name in SOURCES]


def _file_stat(path: Path) -> list[int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]  # replacing a file changes its inode


def _read_index(path: Path, version: str) -> dict[str, Entry]:
    """Returns run id -> entry; empty if the file cannot be trusted."""
    try:
        head, body = read_file(path, MAX_BYTES).split(b"\n", 1)
        if json.loads(head) != {"version": version, "sha256": hashlib.sha256(body).hexdigest()}:
            return {}
        entries: dict[str, Entry] = json.loads(body)
        return entries
    except (OSError, ValueError, RecursionError):
        return {}


def _write_index(path: Path, version: str, entries: dict[str, Entry]) -> None:
    body = json.dumps(entries).encode()
    head = json.dumps({"version": version, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    write_bytes(path, head + b"\n" + body, durable=False)
