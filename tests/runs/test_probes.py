"""Probes and the probe grid: drawings and test digits whose predictions are recorded while a run trains."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.charts import digits as digit_charts
from mnist_core.charts.common import CORRECT_RGB, WRONG_RGB
from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import split_mnist
from mnist_core.errors import DrawingError
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs import probes
from mnist_core.runs.probes import Probe
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run
from mnist_core.training import loop
from mnist_core.training.model import make_model
from mnist_core.training.predict import make_predictor
from tests.support import ThreadWorker, wait_until

SMALL = (Rescaling(1 / 255), Flatten(), Dense(16, "relu"), Dense(11, "softmax"))
SETTINGS = Settings(SMALL, batch_size=200, epochs=2, learning_rate=0.01)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(make_spec("fast", data="sample"), tmp_path)


def uniform_probe(value: int) -> Probe:
    return probes.new_probe(np.full((28, 28), value, np.uint8))


def test_probes_read_back_as_written(run: Run) -> None:
    image = np.arange(784).reshape(28, 28).astype(np.uint8)
    probes.write_probes(run, [probes.new_probe(image), uniform_probe(7)])
    first, second = probes.read_probes(run)
    assert (first.image == image).all() and (second.image == 7).all()
    assert first.name != second.name


def test_seventh_probe_is_refused_and_nothing_is_written(run: Run) -> None:
    probes.write_probes(run, [uniform_probe(1)])
    with pytest.raises(DrawingError, match="7 drawings .* 6 "):
        probes.write_probes(run, [uniform_probe(value) for value in range(7)])
    assert len(probes.read_probes(run)) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"probes": 3}',
        '{"probes": [3, null, {}]}',
        '{"probes": [{"name": "00000000", "image": "%%"}]}',
        json.dumps({"probes": [{"name": "00000000", "image": base64.b64encode(b"short").decode()}]}),
        json.dumps({"probes": [{"name": "../../x", "image": base64.b64encode(bytes(784)).decode()}]}),
        json.dumps({"probes": [{"name": 5, "image": base64.b64encode(bytes(784)).decode()}]}),
    ],
)
def test_invalid_probes_are_left_out(run: Run, content: str) -> None:
    (run.path / "probes.json").write_text(content)
    assert probes.read_probes(run) == ()


def test_the_probe_grid_has_six_of_each_digit_in_order() -> None:
    sample = load_mnist("sample")
    wall = probes.choose_probe_grid(sample.x_test, sample.y_test)
    assert wall.labels.tolist() == [digit for digit in range(10) for _ in range(6)]
    firsts = [np.flatnonzero(sample.y_test == digit)[0] for digit in range(10)]
    assert (wall.images[::6] == sample.x_test[firsts]).all()


def test_predictions_that_are_no_numbers_are_left_out(run: Run) -> None:
    probes.write_probes(run, [probes.new_probe(np.zeros((28, 28), np.uint8))])
    recorder = make_recorder(run, lambda images: np.full((len(images), 10), np.nan, np.float32))
    assert recorder.record(with_grid=True) == {}


def make_recorder(run: Run, probabilities: Callable[[Any], Any], size: int = 28) -> probes.ProbeRecorder:
    grid = probes.ProbeGrid(np.zeros((60, size, size), np.uint8), np.repeat(np.arange(10), 6).astype(np.uint8))
    return probes.ProbeRecorder(run, grid, probabilities)


def test_a_report_has_the_models_predictions(run: Run) -> None:
    """Of a model that takes the brightness of a pixel for the class."""

    def one_hot(images: Any) -> Any:
        return np.eye(12, dtype=np.float32)[images[:, 14, 14] % 12]

    recorder = make_recorder(run, one_hot)
    assert recorder.record() == {"wall": "0" * 60}
    assert recorder.record() == {}, "the grid is not predicted with every report"
    probes.write_probes(run, [uniform_probe(3), uniform_probe(10)])
    three, ten = probes.read_probes(run)
    report = recorder.record(with_grid=True)
    assert report["probes"][three.name] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert report["probes"][ten.name] == [0] * 10, "the eleventh output is not a digit"
    assert report["wall"] == "0" * 60
    probes.write_probes(run, [])
    assert recorder.record() == {}


@pytest.mark.parametrize(("cost", "expected"), [(0.001, 1.0), (0.02, 4.0)])
def test_a_slow_network_predicts_the_grid_less_often(
    run: Run, monkeypatch: pytest.MonkeyPatch, cost: float, expected: float
) -> None:
    """On a fake clock, on which only the model takes time: three seconds for the first prediction, then `cost`."""
    clock, took = [0.0], [3.0]

    def slow(images: Any) -> Any:
        clock[0] += took[0]
        return np.eye(10, dtype=np.float32)[np.zeros(len(images), int)]

    monkeypatch.setattr(probes.time, "monotonic", lambda: clock[0])
    recorder, took[0], predicted_at = make_recorder(run, slow), 3.0, []
    for _ in range(2000):
        began = clock[0]
        if recorder.record():
            predicted_at.append(began)
            took[0] = cost
        clock[0] += 0.01
    gaps = np.diff(predicted_at)
    assert gaps[0] == pytest.approx(4.0, abs=0.02), "three seconds for the first prediction, and one second"
    assert gaps[1:] == pytest.approx(expected + cost, abs=0.02) and len(gaps) > 3


def test_probes_are_centered_in_larger_inputs(run: Run) -> None:
    predicted = []

    def record_images(images: Any) -> Any:
        predicted.append(images)
        return np.zeros((len(images), 100), np.float32)

    probes.write_probes(run, [uniform_probe(9)])
    make_recorder(run, record_images, 56).record()
    assert predicted[0].shape == (61, 56, 56)
    assert (predicted[0][0, 14:42, 14:42] == 9).all() and predicted[0][0].sum() == 9 * 784


def test_broken_reports_are_left_out_of_the_history() -> None:
    ten = [0.1] * 10
    rows: list[dict[str, Any]] = [
        {"step": 1},
        {"step": 2, "probes": {"a": ten}, "wall": "1x"},
        {"step": 3, "probes": {"b": ten}, "wall": "12"},
        {"step": 4, "probes": {"a": [1]}, "wall": "123"},
        {"step": 5, "probes": 7, "wall": "zz"},
        {"probes": {"a": ten}, "wall": "12"},
        {"step": 6, "probes": {"a": ten}},
    ]
    steps, predictions = probes.probe_history(rows, "a")
    assert steps == [2, 6] and predictions.shape == (2, 10)
    assert probes.probe_history(rows, "none")[1].shape == (0, 10)
    assert probes.grid_history(rows, 2) == [(2, "1x"), (3, "12")]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nonsense"])
def test_a_broken_probe_grid_is_none(run: Run, content: bytes) -> None:
    assert probes.read_probe_grid(run) is None
    (run.path / "wall.npz").write_bytes(content)
    assert probes.read_probe_grid(run) is None


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_predicting_during_training_changes_nothing(keras: Any, averaging: float) -> None:
    """And the predictions are those of the network in NumPy, with averaged weights if there are any."""
    settings = replace(SETTINGS, weight_averaging=averaging)
    sample = split_mnist(load_mnist("sample"), "last-sixth")
    model = make_model(settings, 0)
    predictor, images = make_predictor(model), sample.x_test[:50]
    for number, _ in enumerate(loop.train(model, settings, sample, 0)):
        if number > 3:
            break
    before = [np.array(value) for value in (*model.variables, *model.optimizer.variables)]
    found = predictor(images)
    after = [np.array(value) for value in (*model.variables, *model.optimizer.variables)]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    averages = model.optimizer._model_variables_moving_average if averaging else model.trainable_variables
    weights = [np.array(value) for value in averages]
    hidden = np.maximum(images.reshape(50, 784) / 255 @ weights[0] + weights[1], 0)
    logits = hidden @ weights[2] + weights[3]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.abs(found - odds / odds.sum(axis=1, keepdims=True)).max() < 1e-4


def test_the_worker_records_probes_and_the_probe_grid(worker_in_thread: type[ThreadWorker]) -> None:
    run = create_run(RunSpec("fast", SETTINGS, "sample", seed=3))
    sample = load_mnist("sample")
    probes.write_probes(run, [probes.new_probe(sample.x_train[0])])
    run.update_control(paused=True, batches=3)
    trainer = worker_in_thread(run, 1)
    try:
        wait_until(lambda: run.status().state == "paused" and run.status().step == 3, "three batches")
        probes.write_probes(run, [*probes.read_probes(run), uniform_probe(40)])
        run.update_control(paused=False)
        assert trainer.wait() == 0, run.status().message
    finally:
        trainer.kill()
    first, second = probes.read_probes(run)
    rows, grid = run.metrics().rows, probes.read_probe_grid(run)
    assert grid is not None
    steps, predictions = probes.probe_history(rows, first.name)
    assert len(steps) >= 3 and np.allclose(predictions.sum(axis=1), 1, atol=0.2)
    assert predictions[-1].argmax() == sample.y_train[0], "a training digit is learned in two epochs"
    later, _ = probes.probe_history(rows, second.name)
    assert later and later[0] > 3 and later[-1] == steps[-1]
    history = probes.grid_history(rows, 60)
    labels = "".join(map(str, grid.labels))
    correct = [sum(map(str.__eq__, labels, digits)) for _, digits in history]
    assert correct[-1] > 40 and correct[-1] > correct[0]
    assert history[-1][0] == run.status().steps


def test_the_grid_picture_frames_right_and_wrong_digits() -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    picture = digit_charts.digit_grid(images, np.array([1, 2, 3, 4], np.uint8), "1x34", columns=2)
    assert picture.shape == (2 * 62, 2 * 62, 3)
    corners = [tuple(picture[row, column].tolist()) for row in (0, 62) for column in (0, 62)]
    assert corners == [CORRECT_RGB, WRONG_RGB, CORRECT_RGB, CORRECT_RGB]
    assert picture[3:59, 65:121].any() and not picture[3:59, 3:59].any(), "only the wrong one has its prediction"


def test_the_strip_is_bright_where_the_probability_is_high() -> None:
    probabilities = np.zeros((300, 10), np.float32)
    probabilities[:, 7] = np.linspace(0, 1, 300)
    picture = digit_charts.probability_strip(probabilities, 100)
    assert picture.shape == (10, 100, 3)
    assert picture[7, -1].max() == 255 and picture[7, 0].max() == 0
    assert (np.diff(picture[7].sum(axis=1).astype(int)) >= 0).all()
    assert not np.delete(picture, 7, axis=0).any()
    assert digit_charts.probability_strip(probabilities[:1], 100).shape == (10, 1, 3)
