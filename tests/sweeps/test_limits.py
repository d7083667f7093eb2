"""How many sweeps may run at once, of one owner and in all, however many people start them at the same moment."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_core import config, owners
from mnist_core.errors import DigitLabError, QueueFullError, SweepError
from mnist_core.files import write
from mnist_core.runs.status import Status, stamp_status
from mnist_core.sweeps import launch
from mnist_core.sweeps.launch import launch_sweep, resume_sweep
from mnist_core.sweeps.store import Sweep, create_sweep, list_sweeps
from tests.sweeps.fakes import RATES, make_plan_of_tiny

ANN, BEN, CAT = (character * 64 for character in "abc")  # owner.json contains such tokens
PLAN = make_plan_of_tiny(RATES)


def set_state(sweep: Sweep, state: str) -> None:
    sweep.files.write_status(stamp_status(Status(state)))


def test_defaults() -> None:
    assert (config.max_sweeps(), config.max_sweeps_each()) == (10, 2)


def test_the_third_sweep_of_one_owner_is_refused_and_leaves_nothing_behind(runs_root: Path) -> None:
    first, _ = create_sweep(PLAN, owner=ANN), create_sweep(PLAN, owner=ANN)
    with pytest.raises(QueueFullError, match=r"2 running sweeps.* 2\..*DIGITLAB_MAX_SWEEPS_EACH"):
        create_sweep(PLAN, owner=ANN)
    assert len(list_sweeps()) == 2 == len([path for path in (runs_root / "sweeps").iterdir() if path.is_dir()])
    create_sweep(PLAN, owner=BEN)
    for state in ("paused", "finished", "stopped", "failed"):
        set_state(first, state)
        set_state(create_sweep(PLAN, owner=ANN), "finished")


def test_sweeps_of_all_owners_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_MAX_SWEEPS", "2")
    create_sweep(PLAN, owner=ANN), create_sweep(PLAN, owner=BEN)
    with pytest.raises(QueueFullError, match=r"2 running sweeps.* 2\..*DIGITLAB_MAX_SWEEPS\b"):
        create_sweep(PLAN, owner=CAT)


def test_a_paused_sweep_resumes_only_while_fewer_than_the_limit_run(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[str] = []
    monkeypatch.setattr(launch, "launch_sweep", lambda sweep: launched.append(sweep.id))
    paused = create_sweep(PLAN, owner=ANN)
    set_state(paused, "paused")
    other, _ = create_sweep(PLAN, owner=ANN), create_sweep(PLAN, owner=ANN)
    before, control = paused.files.status(), paused.files.control()
    with pytest.raises(QueueFullError, match="2 running sweeps"):
        resume_sweep(paused, trials=30)
    assert (paused.files.status(), paused.files.control(), launched) == (before, control, [])
    assert resume_sweep(other, trials=30) is None, "it runs already: extending it adds no process"
    set_state(other, "finished")
    resume_sweep(paused, trials=30)
    assert launched == [paused.id]


def test_twelve_people_at_once_get_no_more_sweeps_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_MAX_SWEEPS", "5")
    barrier, refused = threading.Barrier(12), list[str]()

    def start(number: int) -> None:
        barrier.wait()
        try:
            create_sweep(PLAN, owner="0123"[number // 3] * 64)
        except DigitLabError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=start, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running = [owners.read_owner(sweep.path) for sweep in list_sweeps()]
    assert len(running) == 5 and max(map(running.count, running)) <= 2 and len(refused) == 7


def test_a_sweep_that_cannot_be_started_does_not_count_and_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(launch, "start_module", refuse)
    sweep = create_sweep(PLAN)
    for start in (launch_sweep, resume_sweep):
        with pytest.raises(SweepError, match="no more processes"):
            start(sweep)
        assert not sweep.live and "no more processes" in sweep.status().message


def test_a_disk_that_fills_up_while_a_sweep_starts_leaves_no_process_and_the_sweep_can_be_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process runs already when its id cannot be noted, and no status can be written either."""
    children: list[subprocess.Popen[bytes]] = []
    create_file, full = write.create_file, True

    def start(*_: object, **__: object) -> subprocess.Popen[bytes]:
        children.append(subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE))
        return children[-1]

    def create(path: Path) -> Any:
        if children and full:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return create_file(path)

    monkeypatch.setattr(launch, "start_module", start)
    monkeypatch.setattr(write, "create_file", create)
    sweep = create_sweep(PLAN, owner=ANN)
    try:
        with pytest.raises(SweepError, match=r"cannot be started.*space.*resume it"):
            launch_sweep(sweep)
        assert children[0].poll() is not None, "a process that nobody knows"
        assert not sweep.live
        full = False
        assert resume_sweep(sweep) is children[1] and sweep.live and sweep.files.status().pid == children[1].pid
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_a_process_that_took_the_sweep_meanwhile_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that started it was killed before it had noted it; the sweep was resumed while it began."""
    monkeypatch.setattr(launch, "start_module", lambda *_, **__: pytest.fail("a second process"))
    sweep = create_sweep(PLAN)
    running = replace(stamp_status(Status("running")), pid=os.getppid())
    sweep.files.write_status(running)
    with pytest.raises(SweepError, match=f"{os.getppid()} is already running"):
        launch_sweep(sweep)
    assert sweep.files.status() == running
