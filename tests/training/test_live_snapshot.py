"""While somebody watches a training, its network is written about once a second, and never otherwise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mnist_core.browser.weights_file import browser_model, read_header
from mnist_core.files.write import write_bytes, write_json
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Dense, Dropout, Flatten
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run
from mnist_core.training import live_snapshot
from mnist_core.training.live_snapshot import LIVE_MODEL, LiveSnapshotWriter, read_live_snapshot, watch

NETWORK = Architecture((Flatten(), Dropout(0.5), Dense(11, "softmax")))
KERNEL, BIAS = np.full((784, 11), 0.5, "f4"), np.full(11, 0.25, "f4")


class Clock:
    """The time of a page and of a worker."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.write_seconds = 0.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - 500


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def write_slowly(*arguments: Any, **named: Any) -> None:
        write_bytes(*arguments, **named)
        clock.now += clock.write_seconds

    monkeypatch.setattr(live_snapshot, "time", clock)
    monkeypatch.setattr(live_snapshot, "write_bytes", write_slowly)
    return clock


@pytest.fixture
def run() -> Run:
    return create_run(RunSpec("fast", Settings(NETWORK.layers, 100, 1), "sample"))


def make_writer(run: Run, kernel: np.ndarray = KERNEL, **changes: Any) -> LiveSnapshotWriter:
    state = np.zeros(2, "u4")  # of the dropout's random generator
    layers = [SimpleNamespace(weights=each) for each in ([], [state], [kernel, BIAS])]
    model = SimpleNamespace(layers=layers, weights=[state, kernel, BIAS], optimizer=SimpleNamespace(use_ema=False))
    return LiveSnapshotWriter(run, model, NETWORK, **changes)


def steps_written(run: Run, writer: LiveSnapshotWriter, clock: Clock, seconds: int, watched: bool) -> list[int]:
    """Trains ten steps a second. Returns the steps of the snapshots that a page finds, ten times a second."""
    found = []
    for _ in range(10 * seconds):
        if watched:
            watch(run)
        writer.update(round(10 * clock.now))
        snapshot = read_live_snapshot(run)
        found += [snapshot.step] if snapshot and snapshot.step not in found else []
        clock.now += 0.1
    return found


def test_nothing_is_written_while_nobody_watches(run: Run, clock: Clock) -> None:
    assert steps_written(run, make_writer(run), clock, 5, watched=False) == []
    assert {path.name for path in run.path.iterdir()} == {"spec.json", "status.json"}


def test_a_snapshot_a_second_until_nobody_watches_any_more(run: Run, clock: Clock) -> None:
    writer = make_writer(run)
    steps = steps_written(run, writer, clock, 5, watched=True)
    assert len(steps) == 5 and set(np.diff(steps)) <= {10, 11}
    later = steps_written(run, writer, clock, 20, watched=False)
    assert 4 <= len(later) <= 7, "the sign is valid for six seconds"


def test_many_watchers_write_one_sign_in_two_seconds(run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    signs = []

    def write_sign(path: Path, value: Any, **named: Any) -> None:
        signs.append(value)
        write_json(path, value, **named)

    monkeypatch.setattr(live_snapshot, "write_json", write_sign)
    for _ in range(100):
        for _ in range(30):
            watch(run)
        clock.now += 0.1
    assert len(signs) == 5


def test_snapshots_that_take_long_are_rare(run: Run, clock: Clock) -> None:
    clock.write_seconds = 0.1
    steps = steps_written(run, make_writer(run), clock, 20, watched=True)
    assert set(np.diff(steps)) == {50}, "one in five seconds: 2% of the time"


def test_a_network_that_waits_is_written_soon_even_if_writing_takes_long(run: Run, clock: Clock) -> None:
    writer = make_writer(run)
    clock.write_seconds = 0.5  # so that the next one, in training, is 25 seconds away
    watch(run)
    writer.update(10)
    clock.now += 2.0
    watch(run)
    writer.update(16)
    assert read_live_snapshot(run).step == 10  # type: ignore[union-attr]
    writer.update(16, paused=True)
    assert read_live_snapshot(run).step == 16  # type: ignore[union-attr]


def test_a_network_that_waits_is_written_once(run: Run, clock: Clock) -> None:
    writer = make_writer(run)
    for _ in range(5):
        watch(run)
        writer.update(7)
        (run.path / LIVE_MODEL).unlink(missing_ok=True)
        clock.now += 1
    assert read_live_snapshot(run) is None


def test_it_is_the_model_that_the_run_would_end_with(run: Run, clock: Clock) -> None:
    watch(run)
    make_writer(run, non_digit_share=0.5).update(12)
    rare = BIAS.copy()
    rare[10] += np.log(0.01 / 0.99)
    expected = browser_model(NETWORK, [(), (), (KERNEL, rare)], about={"step": 12})
    assert read_live_snapshot(run) == (expected, 12) and read_header(expected)["step"] == 12
    assert BIAS[10] == 0.25, "the network that is being trained stays as it is"


def test_files_of_a_worker_that_was_killed_are_deleted_and_so_are_those_of_this_one(run: Run, clock: Clock) -> None:
    watch(run)
    make_writer(run).update(1)
    with live_snapshot.cleaning_up(run):
        assert {path.name for path in run.path.iterdir()} == {"spec.json", "status.json"}
        watch(run)
        make_writer(run).update(2)
        assert read_live_snapshot(run) is not None
    assert {path.name for path in run.path.iterdir()} == {"spec.json", "status.json"}


@pytest.mark.parametrize("content", [b"", b"half", browser_model(NETWORK, [(), (), (KERNEL, BIAS)])])
def test_a_file_that_is_no_snapshot(run: Run, content: bytes) -> None:
    (run.path / LIVE_MODEL).write_bytes(content)
    assert read_live_snapshot(run) is None


def test_neither_a_full_disk_nor_infinite_weights_nor_a_deleted_run_end_a_training(run: Run, clock: Clock) -> None:
    for writer in (make_writer(run), make_writer(run, np.full_like(KERNEL, np.inf))):
        (run.path / LIVE_MODEL).mkdir(exist_ok=True)
        watch(run)
        writer.update(1)
        assert read_live_snapshot(run) is None
    gone = Run(run.path / "gone")
    watch(gone)
    make_writer(gone).update(1)
    assert not gone.path.exists()


def test_a_network_that_is_too_large_is_not_written(run: Run, clock: Clock) -> None:
    large = Architecture((Flatten(), Dense(6000), Dense(10, "softmax")))
    writer = LiveSnapshotWriter(run, None, large)
    watch(run)
    writer.update(1)
    assert read_live_snapshot(run) is None
