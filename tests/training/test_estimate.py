"""Estimates of validation within an epoch: how many a training affords, on which images, and with which weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_core.data.splits import Split
from mnist_core.networks.layers import BatchNormalization, Dense, Dropout, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.training import estimate, loop
from mnist_core.training.estimate import ValidationEstimator
from mnist_core.training.loop import Report
from mnist_core.training.model import make_model
from mnist_core.training.predict import make_predictor

TRAIN_SECONDS = 1e-4
"""Of one image, in the trainings of a made-up machine."""


class Machine:
    """A clock that stands still except for predictions, and a model that is always right about the digit 0."""

    def __init__(self, seconds_per_image: float, compile_seconds: float = 0.0, value: float = 1.0) -> None:
        self.now, self.seconds_per_image, self.value = 0.0, seconds_per_image, value
        self.compile_seconds = compile_seconds
        self.predicted: list[np.ndarray] = []

    def perf_counter(self) -> float:
        return self.now

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.now += self.compile_seconds + self.seconds_per_image * len(images)
        self.compile_seconds = 0.0
        self.predicted.append(images)
        return np.tile(np.eye(10, dtype=np.float32)[0] * self.value, (len(images), 1))


def made_up_split(train: int, validation: int) -> Split:
    """Each validation image says its number in two pixels; every other label is 0."""
    numbered = np.zeros((validation, 28, 28), np.uint8)
    numbered[:, 0, 0], numbered[:, 0, 1] = np.arange(validation) % 250, np.arange(validation) // 250
    labels = (np.arange(validation) % 2).astype(np.uint8)
    x, y = np.zeros((train, 28, 28), np.uint8), np.zeros(train, np.uint8)
    return Split(x, y, numbered, labels, x[:1], y[:1])


def made_up_reports(per_epoch: int, epochs: int, train: int, steps: int = 1) -> Iterator[Report]:
    """A report after every `steps` steps and at the end of every epoch. The first took a second more."""
    before = 0
    for step in range(1, per_epoch * epochs + 1):
        if step % steps and step % per_epoch:
            continue
        images = (step - before) * train // per_epoch
        seconds = images * TRAIN_SECONDS + (not before)
        yield Report(step, step // per_epoch, 1.0, 0.5, 0.01, images, seconds)
        before = step


def estimated(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, split: Split, reports: Iterator[Report], per_epoch: int
) -> list[Report]:
    """The reports that have an estimate."""
    monkeypatch.setattr(estimate, "time", machine)
    estimator = ValidationEstimator(machine.predict, split, per_epoch)
    return [report for each in reports if (report := estimator.add_to(each)).estimate_seconds]


@pytest.mark.parametrize("steps", [1, 7, 60])
@pytest.mark.parametrize(
    ("share", "fewest", "most"), [(0.01, 8, 9), (0.1, 8, 9), (0.25, 3, 4), (1 / 3, 2, 3), (1.0, 1, 1), (2.0, 0, 1)]
)
def test_estimates_take_at_most_two_percent_of_each_epoch_and_are_spread_over_it(
    monkeypatch: pytest.MonkeyPatch, share: float, fewest: int, most: int, steps: int
) -> None:
    """`share`: the seconds of a prediction, as a share of the seconds to train on the image. 60,000 images an epoch."""
    machine, split = Machine(share * TRAIN_SECONDS, compile_seconds=0.5), made_up_split(60_000, 5_000)
    found = estimated(monkeypatch, machine, split, made_up_reports(235, 3, 60_000, steps), 235)
    for epoch in range(3):
        places = [report.step / 235 - epoch for report in found if report.epoch == epoch]
        if steps < 60:  # with four reports an epoch, there are fewer
            assert fewest <= len(places) <= most
        cost = len(places) * 1000 * machine.seconds_per_image
        assert cost <= estimate.TIME_SHARE * 60_000 * TRAIN_SECONDS or share == 2, "one is tried"
        gaps = np.diff([0, *places, 1])
        if steps < 60 and places:
            assert min(gaps[:-1]) >= 0.0999 and max(gaps) <= (1 if len(places) == 1 else 1.6 / len(places))
    assert all(0.4 < (report.estimated_val_accuracy or 0) < 0.6 and report.val_loss is None for report in found)


@pytest.mark.parametrize("seconds", [0.115, 60.0])
def test_an_estimate_or_a_step_that_another_process_holds_up_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """An epoch affords 0.12 seconds, and an estimate takes 0.01."""
    machine = Machine(0.1 * TRAIN_SECONDS)
    predict, batches = machine.predict, itertools.count(1)

    def sometimes_held_up(images: np.ndarray) -> np.ndarray:
        machine.now += seconds * (next(batches) == 8)
        return predict(images)

    machine.predict = sometimes_held_up  # type: ignore[method-assign]
    reports = list(made_up_reports(235, 3, 60_000))
    reports[100] = replace(reports[100], seconds=10 * seconds)
    found = estimated(monkeypatch, machine, made_up_split(60_000, 5_000), iter(reports), 235)
    undisturbed = Machine(0.1 * TRAIN_SECONDS)
    alone = estimated(monkeypatch, undisturbed, made_up_split(60_000, 5_000), made_up_reports(235, 3, 60_000), 235)
    assert [report.step for report in found] == [report.step for report in alone]


def test_every_estimate_is_made_on_the_same_thousand_images(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for _ in range(2):  # of a resumed run, too
        machine = Machine(1e-7)
        estimated(monkeypatch, machine, made_up_split(60_000, 5_000), made_up_reports(235, 2, 60_000), 235)
        batches = machine.predicted
        assert {len(images) for images in batches} == {250}, "of one size"
        passes = [np.concatenate(batches[start : start + 4]) for start in range(0, len(batches), 4)]
        assert len(passes) == 18 and all(np.array_equal(images, passes[0]) for images in passes)
        runs.append(passes[0])
    assert np.array_equal(*runs)
    numbers = runs[0][:, 0, 0].astype(int) + 250 * runs[0][:, 0, 1].astype(int)
    assert len(set(numbers.tolist())) == 1000 and 400 < (numbers < 2500).sum() < 600, "from the whole split"


@pytest.mark.parametrize(("per_epoch", "count"), [(1, 0), (2, 1), (3, 2), (9, 8)])
def test_epochs_of_few_steps_have_an_estimate_after_each_but_the_last(
    monkeypatch: pytest.MonkeyPatch, per_epoch: int, count: int
) -> None:
    found = estimated(
        monkeypatch, Machine(1e-9), made_up_split(60_000, 20), made_up_reports(per_epoch, 4, 60_000), per_epoch
    )
    assert len([report for report in found if report.epoch == 3]) == count
    assert all(report.step % per_epoch for report in found)


def test_without_validation_images_and_with_a_ruined_model_there_is_no_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports = list(made_up_reports(20, 2, 60_000))
    assert estimated(monkeypatch, Machine(1e-9), made_up_split(60_000, 0), iter(reports), 20) == []
    found = estimated(monkeypatch, Machine(1e-9, value=np.nan), made_up_split(60_000, 50), iter(reports), 20)
    assert found and all(report.estimated_val_loss is report.estimated_val_accuracy is None for report in found)


@pytest.mark.slow
@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("averaging", [0.0, 0.8])
def test_an_estimate_is_keras_with_the_averaged_weights_and_leaves_the_training_as_it_was(
    sample: Any, monkeypatch: pytest.MonkeyPatch, averaging: float
) -> None:
    """The oracle follows the weights step by step and evaluates them with Keras in a model of its own."""
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(estimate, "TIME_SHARE", 1e6)
    x, y = sample.x_test[:40], sample.y_test[:40]
    split = Split(sample.x_train[:160], sample.y_train[:160], x, y, x, y)
    layers = (
        Rescaling(1 / 255),
        Flatten(),
        Dense(16, "relu"),
        BatchNormalization(momentum=0.5),
        Dropout(0.3),
        Dense(10, "softmax"),
    )
    settings = Settings(layers, 20, 1, weight_averaging=averaging, learning_rate=0.01)
    plain, watched, oracle = (make_model(settings, 3) for _ in range(3))
    oracle.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    untouched = [report.loss for report in loop.train(plain, settings, split, 3)]

    estimator = ValidationEstimator(make_predictor(watched), split, 8)
    average: dict[str, np.ndarray] = {}
    losses, found = [], 0
    for report in loop.train(watched, settings, split, 3):
        now = {variable.path: np.array(variable) for variable in watched.weights}
        trained = {variable.path for variable in watched.trainable_variables}
        average = {
            path: averaging * average[path] + (1 - averaging) * array if average and path in trained else array
            for path, array in now.items()
        }
        report = estimator.add_to(report)
        losses.append(report.loss)
        assert all(np.array_equal(array, now[path]) for path, array in ((v.path, np.array(v)) for v in watched.weights))
        if report.estimated_val_loss is None:
            continue
        oracle.set_weights(list(average.values()))
        loss, accuracy = oracle.evaluate(x[..., None].astype(np.float32), y, verbose=0)
        assert report.estimated_val_loss == pytest.approx(loss, rel=1e-4)
        assert report.estimated_val_accuracy == pytest.approx(accuracy)
        found += 1
    assert found == 5, "after each report but the first, which builds the graph, and the last, which validates"
    assert losses == untouched
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), watched.get_weights(), strict=True))
    slots = [[np.array(variable) for variable in model.optimizer.variables] for model in (plain, watched)]
    assert all(np.array_equal(a, b) for a, b in zip(*slots, strict=True))
    assert replace(report, estimated_val_loss=None) == report, "validation ends the epoch, without an estimate"
