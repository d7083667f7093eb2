"""The time left, against trainings whose course is known."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.training.eta import REPORTS_NEEDED, TimeLeftEstimator

PER_EPOCH = 400


def course(
    pace: float, validation: float, epochs: int, noise: float, slow: float = 1.0
) -> list[tuple[int, float, float]]:
    """(step, seconds since the report before, of these for validation) of a training that reports as the loop does:
    one batch, four times as many, and so on, until 0.4 seconds are full. `slow`: by how much the first four."""
    generator, reports, step, size = np.random.default_rng(0), [], 0, 1
    while step < PER_EPOCH * epochs:
        count = min(size, PER_EPOCH - step % PER_EPOCH)
        step += count
        ends = validation if step % PER_EPOCH == 0 else 0.0
        factor = slow if len(reports) < 4 else 1.0
        reports.append((step, count * pace * factor * generator.uniform(1 - noise, 1 + noise) + ends, ends))
        size = min(4 * size, max(1, round(0.4 / pace)))
    return reports


@pytest.mark.parametrize(
    ("pace", "validation", "epochs", "noise", "slow"),
    [
        (0.01, 0.4, 5, 0.0, 1.0),
        (0.01, 0.4, 5, 0.3, 1.0),
        (0.01, 0.35, 1, 0.1, 1.0),
        (0.002, 0.1, 20, 0.2, 3.0),
        (0.1, 3.0, 3, 0.2, 2.0),
        (0.01, 0.9, 5, 0.1, 1.0),
    ],
)
def test_time_left_is_right_within_a_fifth_from_the_tenth_report_on(
    pace: float, validation: float, epochs: int, noise: float, slow: float
) -> None:
    reports = course(pace, validation, epochs, noise, slow)
    images_a_validation = 100  # batches: a quarter of the training images, at a third of their cost
    estimator, steps = TimeLeftEstimator(PER_EPOCH, images_a_validation), PER_EPOCH * epochs
    for number, (step, seconds, val_seconds) in enumerate(reports[1:], 2):  # the first builds the graph
        estimator.add_report(step, seconds, val_seconds)
        told, truth = estimator.seconds_left(steps), sum(each[1] for each in reports[number:])
        if number < 10:
            assert told is None
        else:
            assert told is not None and abs(told - truth) <= 0.2 * truth + pace + 1e-9, (number, told, truth)


def test_nothing_is_left_at_the_end() -> None:
    estimator = TimeLeftEstimator(PER_EPOCH, 0)
    for step in range(1, REPORTS_NEEDED + 1):
        estimator.add_report(step, 1.0)
    assert estimator.seconds_left(REPORTS_NEEDED) == 0
    assert estimator.seconds_left(REPORTS_NEEDED + 5) == pytest.approx(5)


def test_more_epochs_take_longer() -> None:
    estimator = TimeLeftEstimator(10, 0)
    for step in range(1, 10):
        estimator.add_report(step, 1.0)
    estimator.add_report(10, 3.0, 2.0)
    assert estimator.seconds_left(30) == pytest.approx(2 * (10 + 2))
