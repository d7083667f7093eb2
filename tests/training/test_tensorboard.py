"""Event files, read by TensorBoard itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from mnist_core.training.tensorboard import EventWriter
from tests.support import Trained

Scalars = dict[str, list[tuple[int, float]]]


def read_back(folder: Path) -> Scalars:
    """Tag -> (step, value) pairs, as TensorBoard reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray

    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    metadata = [accumulator.SummaryMetadata(tag) for tag in accumulator.Tags()["tensors"]]
    assert all(each.plugin_data.plugin_name == "scalars" and each.data_class == 1 for each in metadata)
    return {
        tag: [(event.step, make_ndarray(event.tensor_proto).item()) for event in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
    }


def reported(run: Run, name: str) -> list[tuple[int, float]]:
    return [(row["step"], row[name]) for row in run.metrics().rows if name in row]


def assert_same(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> None:
    assert [step for step, _ in found] == [step for step, _ in expected] and expected
    assert [value for _, value in found] == pytest.approx([value for _, value in expected], rel=1e-6)


def test_tensorboard_shows_the_reports_of_a_run(trained: Trained) -> None:
    train = read_back(trained.run.path / "events" / "train")
    validation = read_back(trained.run.path / "events" / "validation")
    assert set(train) == {"loss", "accuracy", "learning rate", "images per second"}
    assert_same(train["loss"], reported(trained.run, "loss"))
    assert_same(train["learning rate"], reported(trained.run, "learning_rate"))
    assert_same(validation["loss"], reported(trained.run, "val_loss"))
    assert_same(validation["accuracy"], reported(trained.run, "val_accuracy"))
    assert len(validation["loss"]) == 2


def test_tensorboard_finds_the_runs_by_their_ids(trained: Trained) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(trained.run.path.parent))
    assert set(multiplexer.Runs()) == {f"{trained.run.id}/events/{part}" for part in ("train", "validation")}


def test_a_resumed_run_writes_no_step_twice(keras: object) -> None:
    run = create_run(make_spec("fast"))
    events = EventWriter(run)
    for step in (1, 2, 3, 4):
        more = {2: {"val_loss": 9.0}, 1: {"estimated_val_loss": 8.0}, 3: {"estimated_val_loss": 7.0}}
        row = {"step": step, "epoch": 0, "loss": step / 2, **more.get(step, {})}
        run.append_metrics(row)
        events.write_report(row)
    run.trim_metrics(2)
    again = EventWriter(run)
    again.write_report({"step": 3, "epoch": 1, "loss": 7.0})
    assert read_back(run.path / "events" / "train")["loss"] == [(1, 0.5), (2, 1.0), (3, 7.0)]
    assert read_back(run.path / "events" / "validation")["loss"] == [(2, 9.0)]
    assert read_back(run.path / "events" / "estimate") == {"loss": [(1, 8.0)]}


def test_a_disk_that_is_full_when_a_file_is_created_does_not_end_the_training(
    keras: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def refuse(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.summary, "create_file_writer", refuse)
    EventWriter(create_run(make_spec("fast"))).write_report({"step": 1, "epoch": 0, "loss": 2.0})


def test_broken_reports_are_left_out(keras: object) -> None:
    run = create_run(make_spec("fast"))
    for row in ({"step": 1, "loss": "x"}, {"loss": 3.0}, {"step": 2, "loss": 2.0, "wall": "01x"}):
        run.append_metrics(row)
    EventWriter(run)
    assert read_back(run.path / "events" / "train") == {"loss": [(2, 2.0)]}
