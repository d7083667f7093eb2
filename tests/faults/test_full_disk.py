"""Commands on a full disk: no traceback, nothing half-written, and words that say what is full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mnist_core.files.leftovers import delete_leftovers
from mnist_core.jobs import worker_process
from mnist_core.runs.examples import copy_examples
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, list_runs
from tests.cli.calling import call
from tests.faults.disk import FaultyDisk, contents, temporaries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk, and reads /proc/self/fd")

CACHES = (".index.json", ".lock")
"""May be missing or old on a full disk."""


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """RUNS_DIR on a disk of 32 kB with one stopped run on it and no free byte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk; the next tests fill one by injection")
    try:
        monkeypatch.setenv("DIGITLAB_RUNS", str(disk / "runs"))
        create_run(make_spec("fast", {"epochs": 1}, "sample")).write_status(Status("stopped", "Stopped."))
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 512)
        yield disk / "runs"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def full_disk(runs_root: Path) -> Iterator[Run]:
    """A run in a RUNS_DIR where nothing can be written."""
    run = copy_examples()[0]
    with FaultyDisk(runs_root, "full", at=1):
        yield run


WRITING = (
    "train --recipe fast --epochs 1 --data sample",
    "rate --data sample",
    "sweep --base fast --trials 2 --data sample --vary learning_rate=0.1,0.2",
)
READING = ("runs", "runs --json", "recipes", "sweep show")


@pytest.mark.parametrize("command", WRITING)
def test_command_says_that_the_small_disk_is_full(small_disk: Path, command: str) -> None:
    before = contents(small_disk, CACHES)
    result = call(*command.split())
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit), result.output
    assert f"{small_disk}" in result.stderr and "is full" in result.stderr and "DIGITLAB_RUNS" in result.stderr
    assert contents(small_disk, CACHES) == before and temporaries(small_disk) == []


@pytest.mark.parametrize("command", READING)
def test_command_reads_on_the_small_disk(small_disk: Path, command: str) -> None:
    result = call(*command.split())
    assert result.exit_code == 0, result.output


def test_a_run_can_be_deleted_to_make_room(small_disk: Path) -> None:
    (run,) = list_runs()
    for arguments in (("delete", "--yes", run.id), ("restore", run.id)):
        result = call(*arguments)
        assert result.exit_code == 0 or "is full" in result.stderr, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)


def test_every_command_with_a_run_copes_with_a_full_disk(full_disk: Run, tmp_path: Path) -> None:
    run = full_disk.id
    before = contents(full_disk.path)
    reading = (f"show {run}", f"compare {run} {run}", f"evaluate {run}", "runs", f"export {run} svg -o {tmp_path}/x")
    for command in reading:
        result = call(*command.split())
        assert result.exit_code in (0, 2) and isinstance(result.exception, SystemExit | None), (command, result.output)
    for command in (f"resume {run}", f"delete --yes {run}", "train --recipe fast --data sample"):
        result = call(*command.split())
        assert isinstance(result.exception, SystemExit) and "is full" in result.stderr, (command, result.output)
    assert contents(full_disk.path) == before


def test_a_disk_that_fills_up_while_a_training_starts_is_no_traceback(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full from the first write on, from the fourth, and so on. The worker ends at once, as it would."""

    def ends_at_once(*_: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(1)"])

    monkeypatch.setattr(worker_process, "start_worker", ends_at_once)
    for at in range(1, 34, 4):
        with FaultyDisk(runs_root, "full", at):
            result = call("train", "--recipe", "fast", "--data", "sample")
        assert isinstance(result.exception, SystemExit) and result.exit_code == 2, (at, result.output)
        assert "Error: " in result.stderr and "Traceback" not in result.stderr
        delete_leftovers(runs_root, subfolders=True)
        assert temporaries(runs_root) == []
