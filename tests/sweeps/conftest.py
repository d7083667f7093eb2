"""What the tests of sweeps share: no process is left behind, and SQLite does not wait for the disk."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy

from mnist_core.files.json_reader import read_json
from mnist_core.sweeps.store import SWEEPS_FOLDER
from tests.support import end_workers


@pytest.fixture(autouse=True)
def no_process_is_left(runs_root: Path) -> Iterator[None]:
    """Kills the processes of the sweeps in RUNS_DIR, and their workers."""
    yield
    for folder in (runs_root / SWEEPS_FOLDER).glob("*"):
        with contextlib.suppress(Exception):
            process = psutil.Process(int(read_json(folder / "status.json")["pid"]))
            if str(folder.resolve()) in process.cmdline():
                for child in process.children(recursive=True):
                    child.kill()
                process.kill()
    end_workers(runs_root)


@pytest.fixture(scope="session", autouse=True)
def fast_sqlite() -> Iterator[None]:
    """These tests kill processes, never the machine, so that nothing is gained by waiting for the disk."""

    def no_sync(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "connect", no_sync)
    yield
    sqlalchemy.event.remove(sqlalchemy.engine.Engine, "connect", no_sync)
