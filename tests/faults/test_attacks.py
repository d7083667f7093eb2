"""Every zip in tests/faults/attacks/ is refused or harmless, takes little memory, time and disk, and leaves nothing."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import psutil
import pytest

from mnist_core.errors import RunError
from mnist_core.export import import_budget
from mnist_core.export.archive import unpack_run
from mnist_core.runs.imports import read_import
from mnist_core.runs.run import Run
from mnist_core.runs.store import RESERVED_NAMES, list_runs
from tests.faults.make_attacks import FOLDER, HARMLESS, REFUSED
from tests.support import names_in

pytestmark = pytest.mark.slow  # models are tried in processes of their own

MEMORY_MB = 60
"""This process may grow by so much; it grew by 4 GB."""
SECONDS = 20
"""On a busy machine. Trying a model takes half a second."""


def imported(name: str) -> Run:
    return unpack_run(FOLDER / f"{name}.zip")


class Bounds:
    """Checks that a block takes little memory and time."""

    def __enter__(self) -> None:
        gc.collect()
        self._peak = Path("/proc/self/clear_refs")
        if self._peak.exists():
            self._peak.write_text("5")  # forgets the largest size so far
        self._before, self._began = psutil.Process().memory_info().rss, time.monotonic()

    def __exit__(self, *_: object) -> None:
        assert time.monotonic() - self._began < SECONDS
        if self._peak.exists():
            lines = Path("/proc/self/status").read_text().splitlines()
            (peak,) = (1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
            assert peak - self._before < MEMORY_MB * 1e6


def test_every_attack_is_a_small_committed_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.zip")} == {*HARMLESS, *REFUSED}
    assert max(path.stat().st_size for path in FOLDER.glob("*.zip")) < 150_000


@pytest.mark.parametrize("name", list(REFUSED))
def test_an_attack_is_refused_in_a_sentence(
    name: str, runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with Bounds(), pytest.raises(RunError) as error:
        imported(name)
    assert len(str(error.value)) < 1000 and str(error.value).endswith(".")
    assert names_in(runs_root) == set() and list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("name", list(HARMLESS))
def test_an_attack_is_harmless(name: str, runs_root: Path) -> None:
    with Bounds():
        run = imported(name)
    assert names_in(runs_root) == {run.id}
    assert run.id not in RESERVED_NAMES and read_import(run.path) is not None
    assert import_budget.disk_bytes(run.path) < max(20 * (FOLDER / f"{name}.zip").stat().st_size, 1_000_000)
    spec = run.spec()
    assert spec.data in ("full", "sample", "elsewhere") and spec.created < time.time() and run.status().final
    assert not (run.path / "checkpoint").exists()


def test_a_deleted_run_cannot_be_replaced_by_an_import_with_its_id(runs_root: Path) -> None:
    """D8."""
    from mnist_core.runs.trash import move_to_trash, restore_from_trash

    mine = imported("id-nobody")
    (mine.path / "log.txt").write_text("mine")
    move_to_trash(mine)
    assert list_runs() == []
    for name in ("id-nobody", "running"):
        move_to_trash(imported(name))
    assert restore_from_trash(mine.id).log.read_text() == "mine"
