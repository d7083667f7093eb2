"""The index of the history: only what has changed is read again, and it is never trusted over the directories."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_core import owners
from mnist_core.runs import history, index
from mnist_core.runs.labels import update_label
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import stamp_status
from mnist_core.runs.store import create_run
from mnist_core.runs.trash import move_to_trash, restore_from_trash
from tests.support import ROOT, environment


def made(state: str = "finished", **overrides: Any) -> Run:
    run = create_run(make_spec("fast", overrides, "sample"))
    run.write_status(replace(stamp_status(run.status()), state=state))
    return run


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs whose files were read."""
    seen: list[str] = []
    summary = history.history_row

    def noticed(run: Run) -> dict[str, Any]:
        seen.append(run.id)
        return summary(run)

    monkeypatch.setattr(history, "history_row", noticed)
    return seen


def test_ended_runs_are_read_once(opened: list[str], runs_root: Path) -> None:
    ended = [made(state).id for state in ("finished", "stopped", "failed", "interrupted")]
    going = [made(state).id for state in ("running", "queued", "paused", "stopping")]
    first = history.history_rows()
    assert sorted(opened) == sorted(ended + going) and (runs_root / ".index.json").is_file()
    opened.clear()
    assert history.history_rows() == first
    assert sorted(opened) == sorted(going)


CHANGES: dict[str, Callable[[Run], object]] = {
    "status": lambda run: run.write_status(replace(run.status(), epoch=9)),
    "card": lambda run: run.write_card({"test_accuracy": 0.5}),
    "label": lambda run: update_label(run, name="another"),
    "owner": lambda run: owners.write_owner(run.path, "a" * 64),
    "spec": lambda run: (run.path / "spec.json").write_text("{}"),
    "a card that goes": lambda run: (run.path / "card.json").unlink(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_a_run_that_changed_is_read_again(what: str, opened: list[str]) -> None:
    run, other = made(), made()
    run.write_card({"test_accuracy": 0.4})
    before = {row["run"]: row for row in history.history_rows()}
    CHANGES[what](run)
    opened.clear()
    after = {row["run"]: row for row in history.history_rows()}
    assert opened == [run.id]
    assert after[run.id] == history.history_row(run) != before[run.id] and after[other.id] == before[other.id]


def test_a_change_within_one_tick_of_the_clock_is_seen() -> None:
    """Same size, same time of change: the file is another one."""
    run = made()
    update_label(run, name="aaa")
    history.history_rows()
    label = run.path / "label.json"
    found = label.stat()
    update_label(run, name="bbb")
    os.utime(label, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert label.stat().st_size == found.st_size
    assert history.history_rows()[0]["name"] == "bbb"


def test_the_index_follows_deleting_and_restoring() -> None:
    run, other = made(), made()
    history.history_rows()
    move_to_trash(run)
    assert [row["run"] for row in history.history_rows()] == [other.id]
    restore_from_trash(run.id)
    assert {row["run"] for row in history.history_rows()} == {run.id, other.id}


def _edited(content: bytes) -> bytes:
    return content.replace(b'"fast"', b'"slow"')


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "no line": lambda content: content.replace(b"\n", b""),
    "half": lambda content: content[: len(content) // 2],
    "not JSON": lambda content: b"\0\xff\n\0",
    "a list": lambda content: b"[]\n[]",
    "changed by hand": _edited,
    "another version": lambda content: re.sub(rb'"version": "[0-9]+ ', b'"version": "0 ', content),
    "nested": lambda content: b"[" * 100_000 + b"\n" + b"[" * 100_000,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_index_is_rebuilt(how: str, runs_root: Path, opened: list[str]) -> None:
    made(), made("stopped")
    rows, path = history.history_rows(), runs_root / ".index.json"
    damaged = DAMAGE[how](path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    opened.clear()
    assert history.history_rows() == rows and len(opened) == 2
    opened.clear()
    assert history.history_rows() == rows and not opened, "and whole again"


def test_a_missing_index_is_rebuilt(runs_root: Path) -> None:
    made(), made("running")
    rows = history.history_rows()
    (runs_root / ".index.json").unlink()
    assert history.history_rows() == rows
    assert (runs_root / ".index.json").is_file()


def test_rows_are_complete_when_the_index_cannot_be_written(monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    run = made()
    monkeypatch.setattr(index, "_write_index", refuse)
    assert [row["run"] for row in history.history_rows()] == [run.id]
    assert not (runs_root / ".index.json").exists()


def test_a_run_whose_process_is_gone_is_never_cached(opened: list[str]) -> None:
    """Its state is no fact of its files: they say that it runs."""
    run = made("running")
    run.write_status(replace(run.status(), pid=2**22 + 1, heartbeat=time.time() - 3600))
    for _ in range(2):
        assert history.history_rows()[0]["state"] == "interrupted"
    assert opened == [run.id] * 2


READER = """
import sys
from mnist_core.runs import history
for _ in range(30):
    rows = history.history_rows()
    assert len(rows) == int(sys.argv[1]), rows
"""


@pytest.mark.slow
def test_two_processes_may_write_it_at_once(tmp_path: Path, runs_root: Path) -> None:
    runs = [made() for _ in range(5)]
    command = [sys.executable, "-c", READER, "5"]
    readers = [subprocess.Popen(command, cwd=ROOT, env=environment(runs_root)) for _ in range(2)]
    while any(reader.poll() is None for reader in readers):
        (runs_root / ".index.json").unlink(missing_ok=True)  # so that both always have something to write
        update_label(runs[0], name=f"name {time.monotonic_ns()}")
        time.sleep(0.002)
    assert [reader.returncode for reader in readers] == [0, 0]
    assert history.history_rows()[-1] == history.history_row(Run(runs_root / history.history_rows()[-1]["run"]))
    assert {path.name for path in runs_root.iterdir() if path.is_file()} == {".index.json", ".lock"}
    head, body = (runs_root / ".index.json").read_bytes().split(b"\n", 1)
    assert len(json.loads(body)) == 5 and json.loads(head)["version"]
