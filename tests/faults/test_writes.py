"""Full disks, failing disks and kills at every write: no run is lost, and nothing is half-written.

Each schedule is one action (`actions`), one fault and one of its writes (`disk`). All are drawn from a seed.
"""

from __future__ import annotations

import random
import shutil
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_core.export.archive import pack_run
from mnist_core.runs.checkpoints import has_checkpoint
from mnist_core.runs.examples import copy_examples
from mnist_core.runs.run import Run
from mnist_core.runs.store import create_run
from mnist_core.training import trainer
from tests.faults.actions import ACTIONS
from tests.faults.actions.training import SPEC, train
from tests.faults.actions.world import World, check_world
from tests.faults.disk import FAULTS, FaultyDisk, Killed, contents
from tests.faults.report import is_long, scale, write_table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/fd")

SEED = 15
SHARES = {"train": 110, "resume": 90, "sweep": 70, "queue three runs, stop one": 70}
"""Schedules of these actions in the long form; of all others OTHERS."""
OTHERS = 30

MAX_SECONDS = 1800
"""For the schedules of one action. The table says how many there were."""

MakeWorld = Callable[[], World]


def try_schedule(name: str, fault: str, at: int, make_world: MakeWorld, only: str = "") -> tuple[FaultyDisk, str]:
    """Lets one write of an action fail. Returns the disk, and what is wrong afterwards; empty if nothing is."""
    world = make_world()
    before = contents(world.bystander.path)
    disk = FaultyDisk(world.root, fault, at, only)
    try:
        with disk:
            ACTIONS[name].act(world)
        check_world(world, before)
        ACTIONS[name].check(world)
        check_world(world, before)
    except (Exception, pytest.fail.Exception) as error:
        return disk, f"{name}, {fault} at write {at} ({disk.hit}): {explain(error)}"
    finally:
        shutil.rmtree(world.root)
    return disk, ""


def explain(error: BaseException) -> str:
    """The kind and the message of an error, and where it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:500]} in {Path(frame.filename).name}:{frame.lineno}: {frame.line}"


def schedules(name: str, count: int, writes: int) -> Iterator[tuple[str, int]]:
    """Draws faults and the writes that they hit."""
    rng = random.Random(f"{SEED} {name}")
    for number in range(count):
        yield FAULTS[number % len(FAULTS)], rng.randint(1, writes)


def try_action(name: str, count: int, make_world: MakeWorld) -> tuple[list[Any], list[str]]:
    """Tries an action with many faults. Returns its row of the table, and what went wrong."""
    disk, problem = try_schedule(name, "full", 0, make_world)
    assert not problem
    writes, tried, hit, problems, deadline = len(disk.writes), 0, Counter[str](), [], time.monotonic() + MAX_SECONDS
    for fault, at in schedules(name, count, writes):
        if time.monotonic() > deadline:
            break
        tried += 1
        disk, problem = try_schedule(name, fault, at, make_world)
        hit[fault] += bool(disk.hit)
        problems += [problem] if problem else []
    kinds = [hit["full"] + hit["full for a moment"], hit["input/output error"], hit["short write"], hit["kill"]]
    return [name, writes, tried, *kinds, len(problems)], problems


@pytest.fixture(autouse=True)
def checkpoint_of_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the write of each one can fail."""
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0)


@pytest.fixture
def light_world(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    """Makes worlds of two example runs, for actions that do not train."""
    template = runs_root.with_name("template")
    bystander, subject = copy_examples(root=template)[:2]
    packed = pack_run(subject)

    def make() -> World:
        shutil.copytree(template, runs_root)
        world = World(runs_root, Run(runs_root / bystander.id), Run(runs_root / subject.id))
        world.done["zip"] = packed
        return world

    return make


@pytest.fixture
def training_world(keras: Any, runs_root: Path) -> Callable[[bool], MakeWorld]:
    """Makes worlds with a run that nobody interrupted, and perhaps with one that ended after its first epoch."""
    template = runs_root.with_name("template")
    subject, *others = copy_examples(root=template)
    for run in others:
        shutil.rmtree(run.path)
    bystander, interrupted = create_run(SPEC, template), create_run(SPEC, template)
    assert train(bystander) == 0

    def make_maker(resume: bool) -> MakeWorld:
        if resume:
            kill_in_second_epoch(interrupted)
        else:
            shutil.rmtree(interrupted.path)

        def make() -> World:
            shutil.copytree(template, runs_root)
            world = World(runs_root, Run(runs_root / bystander.id), Run(runs_root / subject.id))
            world.interrupted = Run(runs_root / interrupted.id) if resume else None
            return world

        return make

    return make_maker


def kill_in_second_epoch(run: Run) -> None:
    """Trains a run until its worker is killed just before its second checkpoint takes the place of the first."""
    with FaultyDisk(run.path, "kill", 2, only="move .state-"):
        train(run)
    assert has_checkpoint(run.path) and not run.has_model


@pytest.fixture(autouse=True)
def silent_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that a played kill ends is no error."""
    original = threading.excepthook
    hook = lambda arguments: None if arguments.exc_type is Killed else original(arguments)  # noqa: E731
    monkeypatch.setattr(threading, "excepthook", hook)


LIGHT = [name for name, action in ACTIONS.items() if not action.trains]


@pytest.fixture(scope="module")
def rows() -> Iterator[list[Any]]:
    """Collects the rows of the table, and writes it at the end."""
    rows: list[Any] = []
    yield rows
    columns = ["action", "writes", "schedules", "disk full", "input/output error", "short write", "kill", "problems"]
    total = ["all", "", *(sum(row[column] for row in rows) for column in range(2, len(columns)))]
    write_table("writes", columns, [*rows, total], "make test-faults ARGS='-k test_writes'")


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("name", LIGHT)
def test_nothing_is_lost_when_a_write_fails(name: str, light_world: MakeWorld, rows: list[Any]) -> None:
    short = 1 if name in ("sweep", "queue three runs, stop one") else 5
    row, problems = try_action(name, scale(short, SHARES.get(name, OTHERS)), light_world)
    rows.append(row)
    assert not problems, "\n".join(problems)


@pytest.mark.skipif(is_long(), reason="the next test tries more")
def test_a_killed_training_and_one_on_a_full_disk_end_as_if_nothing_had_happened(training_world: Any) -> None:
    """Killed just before the checkpoint of its second epoch is complete; and a disk that is full when it is tested."""
    make_world = training_world(False)
    for fault, at, only in (("kill", 2, "move .state-"), ("full", 1, "write .model-")):
        disk, problem = try_schedule("train", fault, at, make_world, only)
        assert disk.hit.startswith(only) and not problem, problem


@pytest.mark.skipif(not is_long(), reason="takes half an hour: make test-faults")
@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.trains])
def test_no_training_is_lost_when_a_write_fails(name: str, training_world: Any, rows: list[Any]) -> None:
    row, problems = try_action(name, SHARES[name], training_world(name == "resume"))
    rows.append(row)
    assert not problems, "\n".join(problems)
