"""Snapshots of a training: few, evenly spread, those of the weights that answered, and nothing else changes by them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.data.splits import Split
from mnist_core.errors import RunError
from mnist_core.networks.layers import BatchNormalization, Dense, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs.checkpoints import TrainingProgress, copy_weights, write_checkpoint
from mnist_core.runs.snapshots import (
    BYTES_PER_WEIGHT,
    MAX_STEP_BYTES,
    Moment,
    delete_later_snapshots,
    first_epoch_steps,
    max_snapshots,
    read_snapshot,
    snapshot_epochs,
    snapshot_moments,
    thin_out,
    write_snapshot,
)
from mnist_core.training import loop
from mnist_core.training.model import make_model
from mnist_core.training.weights import averaged_weights, inference_weights
from tests.support import Trained

LAYERS = (Rescaling(1 / 255), Flatten(), Dense(4, "relu"), BatchNormalization(), Dense(10, "softmax"))


@given(last=st.integers(0, 300), most=st.integers(2, 20))
def test_kept_snapshots_stay_evenly_spaced(last: int, most: int) -> None:
    kept: list[int] = []
    for epoch in range(last + 1):
        kept = thin_out([*kept, epoch], most)
    assert kept[0] == 0 and kept[-1] == last and min(most, last + 1) / 2 <= len(kept) <= most
    if most > 2:
        assert np.diff(kept).max(initial=0) <= 2 * last / (most - 2) + 1


def test_a_snapshot_reads_back_as_written(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = [random.normal(size=(3, 3, 1, 8)).astype(np.float32), np.array([7e4, 1.0], np.float32)]
    write_snapshot(tmp_path, Moment(0), weights)
    first, second = read_snapshot(tmp_path, Moment(0))
    assert first == pytest.approx(weights[0], rel=1e-3, abs=1e-6) and first.dtype == np.float32
    assert (second == weights[1]).all()  # too large for float16
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["0000.npz"]


def test_a_deleted_run_stays_deleted(keras: Any, tmp_path: Path) -> None:
    """What its worker still writes would bring the folder back, and the worker would go on training."""
    folder = tmp_path / "run"
    model = make_model(Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), 32, 1), 0)
    with pytest.raises(FileNotFoundError):
        write_snapshot(folder, Moment(1), [np.ones(3, np.float32)])
    with pytest.raises(FileNotFoundError):
        write_checkpoint(folder, copy_weights(model), TrainingProgress(), [])
    assert not folder.exists()


def test_at_most_twenty_snapshots_and_fewer_large_ones(tmp_path: Path) -> None:
    for epoch in range(40):
        write_snapshot(tmp_path, Moment(epoch), [np.zeros(10, np.float32)])
    assert snapshot_epochs(tmp_path) == [*range(0, 40, 4), 39]
    (tmp_path / "twenty").mkdir()
    for epoch in range(20):
        write_snapshot(tmp_path / "twenty", Moment(epoch), [np.zeros(10, np.float32)])
    assert snapshot_epochs(tmp_path / "twenty") == list(range(20))
    assert max_snapshots(BYTES_PER_WEIGHT * 5_000_000) == 3
    assert max_snapshots(BYTES_PER_WEIGHT * 20_000_000) == 2
    assert max_snapshots(BYTES_PER_WEIGHT * 100_000) == 20


def test_an_epoch_that_is_trained_again_replaces_what_came_after(tmp_path: Path) -> None:
    for epoch in range(5):
        write_snapshot(tmp_path, Moment(epoch), [np.full(3, epoch, np.float32)])
    write_snapshot(tmp_path, Moment(2), [np.full(3, 9, np.float32)])
    assert snapshot_epochs(tmp_path) == [0, 1, 2]
    assert read_snapshot(tmp_path, Moment(2))[0].tolist() == [9, 9, 9]


def test_snapshots_of_what_a_resumed_run_has_not_trained_yet_are_deleted(tmp_path: Path) -> None:
    delete_later_snapshots(tmp_path, Moment(1))  # there are none
    for moment in (Moment(0), Moment(0, 5), Moment(1), Moment(2), Moment(3)):
        write_snapshot(tmp_path, moment, [np.zeros(3, np.float32)])
    delete_later_snapshots(tmp_path, Moment(1))
    assert snapshot_moments(tmp_path) == [Moment(0), Moment(0, 5), Moment(1)]


def test_the_first_epoch_has_about_ten_snapshots_on_a_log_scale() -> None:
    assert first_epoch_steps(430, 10_000) == [1, 2, 3, 6, 11, 21, 38, 70, 128, 234]
    assert first_epoch_steps(16, 10_000) == [1, 2, 4, 8] and first_epoch_steps(3, 10_000) == []
    for parameters in (1_000_000, 2_000_000, 5_000_000, 20_000_000):
        assert len(first_epoch_steps(430, parameters)) * parameters * BYTES_PER_WEIGHT <= MAX_STEP_BYTES


def test_snapshots_within_the_first_epoch_stay_until_it_is_trained_again(tmp_path: Path) -> None:
    weights = [np.zeros(10, np.float32)]
    begun = [Moment(0), Moment(0, 1), Moment(0, 21)]
    for moment in (*begun, Moment(1), Moment(2)):
        write_snapshot(tmp_path, moment, weights)
    assert snapshot_moments(tmp_path) == [*begun, Moment(1), Moment(2)] and snapshot_epochs(tmp_path) == [0, 1, 2]
    assert read_snapshot(tmp_path, Moment(0, 21))[0].tolist() == [0] * 10
    write_snapshot(tmp_path, Moment(0), weights)
    assert snapshot_moments(tmp_path) == [Moment(0)]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04nonsense"])
def test_a_broken_snapshot_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "snapshots").mkdir()
    if content is not None:
        (tmp_path / "snapshots" / "0003.npz").write_bytes(content)
    (tmp_path / "snapshots" / "note.npz").write_bytes(b"")
    assert snapshot_epochs(tmp_path) == ([] if content is None else [3])
    with pytest.raises(RunError, match="Delete the folder snapshots"):
        read_snapshot(tmp_path, Moment(3))


def test_no_pickle_is_read(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    np.savez(tmp_path / "snapshots" / "0001.npz", np.array([{}], dtype=object))
    with pytest.raises(RunError, match="allow_pickle"):
        read_snapshot(tmp_path, Moment(1))


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_weights_are_those_that_validation_saw(keras: Any, sample: Any, averaging: float) -> None:
    settings = Settings(LAYERS, batch_size=50, epochs=1, weight_averaging=averaging)
    model = make_model(settings, 3)
    begun = model.get_weights()
    assert all((a == b).all() for a, b in zip(inference_weights(model), begun, strict=True))
    x, y = sample.x_train[:500], sample.y_train[:500]
    for _ in loop.train(model, settings, Split(x, y, x, y, x, y), 3):
        pass
    bare, shown = model.get_weights(), inference_weights(model)
    assert all((a == b).all() for a, b in zip(model.get_weights(), bare, strict=True))
    assert all((a == b).all() for a, b in zip(shown, bare, strict=True)) == (averaging == 0)
    with averaged_weights(model):
        assert all(a == pytest.approx(b, abs=1e-5) for a, b in zip(shown, model.get_weights(), strict=True))


def test_a_run_has_a_snapshot_per_epoch_and_the_last_is_its_model(trained: Trained, keras: Any, tmp_path: Path) -> None:
    from mnist_core.explain.gradient_server import load_trained_model

    assert snapshot_epochs(trained.run.path) == [0, 1, 2]
    steps = [moment.step for moment in snapshot_moments(trained.run.path) if moment.step]
    assert steps == [1, 2, 4, 8], "the first epoch of sixteen steps, on a log scale"
    model = load_trained_model(Path(shutil.copytree(trained.run.path, tmp_path / "run")))
    last = read_snapshot(trained.run.path, Moment(2))
    for found, expected in zip(last, model.get_weights(), strict=True):
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)
    first = read_snapshot(trained.run.path, Moment(0))
    assert not np.allclose(first[0], last[0], atol=1e-2)
