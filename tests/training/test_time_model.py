"""Time of an epoch: the work that is counted, the costs that are fitted, the file; and one probe that is trained."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.data.mnist import Mnist
from mnist_core.data.splits import split_mnist
from mnist_core.errors import TrainingError
from mnist_core.networks.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import SPLIT_NAMES, Settings
from mnist_core.training import time_model, time_probes
from mnist_core.training.batches import steps_per_epoch
from mnist_core.training.time_model import WORK_KINDS, TimeModel

SETTINGS = Settings(
    (Rescaling(1 / 255), Conv2D(4, 3), MaxPooling2D(), Flatten(), Dense(10, "softmax")), batch_size=10, epochs=1
)
COSTS = {kind: 10.0**-place for place, kind in enumerate(WORK_KINDS, 1)}


def known(**changes: Any) -> TimeModel:
    return replace(TimeModel(COSTS, 0.0, time_model.machine_id(), 1, 0.0), **changes)


def test_work_of_a_step_counted_by_hand() -> None:
    assert time_model.step_work(SETTINGS) == {
        "step": 1,
        "layer": 4,
        "weight": 40 + 6770,
        "convolution": 10 * 26 * 26 * 4 * 9,
        "convolved": 10 * 26 * 26 * 4,
        "depthwise": 0,
        "dense": 10 * 676 * 10,
        "pooled": 10 * 26 * 26 * 4,
        "normalized": 0,
        "other": 10 * 784,
        "pixel": 10 * 784,
        "augmented": 0,
    }


def test_the_fit_recovers_known_costs() -> None:
    costs = {
        kind: 1e-3 / max(time_model.step_work(settings)[kind] for settings in time_probes.PROBES) for kind in WORK_KINDS
    }
    truth = known(seconds=costs)
    measured = [(settings, truth.step_seconds(settings)) for settings in time_probes.PROBES]
    found = time_model.fit_time_model(measured, 2)
    assert found.spread < 0.01 and found.threads == 2 and found.machine == time_model.machine_id()
    for settings, seconds in measured:
        assert found.step_seconds(settings) == pytest.approx(seconds, rel=0.03)


def test_fitted_costs_are_never_negative() -> None:
    noise = np.random.default_rng(0).uniform(0.001, 0.1, len(time_probes.PROBES))
    found = time_model.fit_time_model(list(zip(time_probes.PROBES, noise.tolist(), strict=True)), 1)
    assert min(found.seconds.values()) >= 0


def test_the_probes_tell_all_kinds_of_work_apart() -> None:
    amounts = np.array(
        [[time_model.step_work(settings)[kind] for kind in WORK_KINDS] for settings in time_probes.PROBES]
    )
    assert (amounts.max(axis=0) > 0).all()
    assert np.linalg.matrix_rank(amounts / amounts.max(axis=0)) == len(WORK_KINDS), "each can be told from the others"


def test_an_epoch_has_the_steps_that_are_trained_and_a_third_of_each_validation_batch(sample: Mnist) -> None:
    for recipe in RECIPES.values():
        settings = replace(recipe.settings, drawings="none")
        parts = split_mnist(sample, settings.split)
        images, validated = len(parts.x_train), len(parts.x_validation)
        assert time_model.validation_images(settings, "sample") == validated
        assert time_model.training_images(settings, "sample") == images
        steps = steps_per_epoch(images, settings)
        assert known().epoch_seconds(settings, "sample") == pytest.approx(
            (steps + validated / settings.batch_size / 3) * known().step_seconds(settings)
        )


def test_the_splits_of_the_full_mnist_have_their_sizes() -> None:
    """Counted by hand: 60,000 training and 10,000 test images. A path counts as the full MNIST."""
    sizes = {
        "last-sixth": (50_000, 10_000),
        "last-fifth": (48_000, 12_000),
        "half-test": (60_000, 5_000),
        "test-as-validation": (60_000, 10_000),
    }
    assert set(sizes) == set(SPLIT_NAMES)
    for split, expected in sizes.items():
        settings = replace(SETTINGS, split=split)
        for data in ("full", "some/where.npz"):
            images = time_model.training_images(settings, data), time_model.validation_images(settings, data)
            assert images == expected


def test_drawings_count_as_training_images() -> None:
    canvas = RECIPES["canvas"].settings
    assert time_model.training_images(canvas, "full") == 50_000 + 12_000 + 5_000 + 5_000


def test_a_saved_time_model_is_read_again(runs_root: Path) -> None:
    assert time_model.read_time_model() is None
    time_model.save_time_model(known())
    assert time_model.read_time_model() == known()
    assert [path.name for path in runs_root.iterdir()] == [time_model.FILE]


def test_a_broken_file_or_one_of_another_machine_is_not_read(runs_root: Path) -> None:
    path = runs_root / time_model.FILE
    changes: list[dict[str, Any]] = [
        {"machine": "another"},
        {"schema": 0},
        {"seconds": {}},
        {"seconds": None},
        {"spread": "x"},
        {"seconds": {**COSTS, "step": -1.0}},
        {"seconds": {**COSTS, "step": None}},
    ]
    for change in changes:
        time_model.save_time_model(known())
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        assert time_model.read_time_model() is None, change


def test_a_failed_measurement_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> Any:
        return subprocess.CompletedProcess([], 1, "", "Traceback\nMemoryError: all of it")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(TrainingError, match="MemoryError: all of it"):
        time_model.measure_machine(1)


def test_a_probe_is_trained_and_larger_steps_take_longer(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_probes, "MEASURED_SECONDS", 0.02)
    small, large = (
        time_probes.step_seconds(replace(time_probes.PROBES[index], batch_size=size))
        for index, size in ((0, 8), (3, 2048))
    )
    assert 0 < small < large
