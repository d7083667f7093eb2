"""Training and resuming: both must end as an uninterrupted training does, bit for bit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mnist_core import worker
from mnist_core.jobs.lifecycle import prepare_resume
from mnist_core.models import convert
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run, list_runs
from tests.faults.actions.world import World
from tests.faults.disk import attempt
from tests.sweeps.fakes import TINY

SPEC = RunSpec("fast", replace(TINY, epochs=2), "sample", seed=3)


_converted: dict[str, bytes] = {}
_convert = convert.convert


def convert_once(model: Any, architecture: Any) -> bytes:
    """Converts a model, unless the same weights were converted before: this takes half the time of a training."""
    key = hashlib.sha256(b"".join(value.tobytes() for value in model.get_weights())).hexdigest()
    if key not in _converted:
        _converted[key] = _convert(model, architecture)
    return _converted[key]


def train(run: Run) -> int:
    """Trains a run as its worker does."""
    with mock.patch.object(worker.signal, "signal"), mock.patch.object(convert, "convert", convert_once):
        return worker.train_run(run)


def train_new(world: World) -> None:
    run = world.do("created", lambda: create_run(SPEC))
    if run:
        train(run)


def train_interrupted(world: World) -> None:
    assert world.interrupted is not None
    run = world.interrupted
    if attempt(lambda: prepare_resume(run)) == "":
        train(run)


def check_training(world: World) -> None:
    """Every run that exists ends as the uninterrupted one: the same weights, the same reports, the same scores."""
    runs = [run for run in list_runs() if run.id not in (world.bystander.id, world.subject.id)]
    assert "created" not in world.done or [run.id for run in runs] == [world.done["created"].id]
    assert world.interrupted is None or runs == [world.interrupted]
    for run in runs:
        status = run.status(grace=0)
        assert status.final, f"it is {status.state}"
        if status.state != "finished":
            prepare_resume(run)
            assert train(run) == 0, run.status().message
        check_same_training(run, world.bystander)


def check_same_training(run: Run, reference: Run) -> None:
    """Checks that two runs of one spec ended alike, bit for bit."""
    assert run.status().state == "finished" and run.has_model
    snapshots = set(_snapshots(run)) & set(_snapshots(reference))  # one whose write failed is missing, by design
    for name in (CHECKPOINT_FILE, Path("wall.npz"), *snapshots):
        with np.load(run.path / name) as own, np.load(reference.path / name) as other:
            assert own.files == other.files
            assert all((own[key] == other[key]).all() for key in own.files if key != "place"), name
    assert (run.path / "model.tflite").read_bytes() == (reference.path / "model.tflite").read_bytes()
    assert _kept(run.card()) == _kept(reference.card())
    assert run.metrics().broken == 0
    assert _validation_losses(run) == _validation_losses(reference)
    steps = [row["step"] for row in run.metrics().rows]
    assert steps == sorted(set(steps)), "a step is reported twice"


def _snapshots(run: Run) -> list[Path]:
    return [path.relative_to(run.path) for path in sorted((run.path / "snapshots").glob("*.npz"))]


def _validation_losses(run: Run) -> list[tuple[int, float]]:
    return [(row["step"], row["val_loss"]) for row in run.metrics().rows if "val_loss" in row]


def _kept(card: dict[str, Any]) -> dict[str, Any]:
    return {name: card[name] for name in ("test_accuracy", "test_loss", "epochs_trained", "parameters", "litert")}
