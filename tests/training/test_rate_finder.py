"""The range test: its losses against gradient descent in NumPy, its end, its suggestion, and its files."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core import worker
from mnist_core.data.splits import Split
from mnist_core.errors import SettingError
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.owners import write_owner
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.training import loop, rate_finder
from mnist_core.training.model import make_model
from mnist_core.training.rate_finder import (
    HIGHEST_RATE,
    LOWEST_RATE,
    STEPS,
    Point,
    learning_rate_ramp,
    run_range_test,
    suggest_rate,
)

LINEAR = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), 200, 1, "SGD", momentum=0.0)
DEEP = Settings((Flatten(), *(Dense(64, "relu"),) * 4, Dense(10, "softmax")), 32, 1, "SGD")


@pytest.fixture(scope="session")
def few(sample: Any) -> Split:
    """200 training digits, in one batch."""
    x, y = sample.x_test[:50], sample.y_test[:50]
    return Split(sample.x_train[:200], sample.y_train[:200], x, y, x, y)


def found(settings: Settings, split: Split, seed: int = 0) -> list[Point]:
    return list(run_range_test(make_model(settings, seed), settings, split, seed))


def points(losses: list[float]) -> list[Point]:
    """A test with these smoothed losses."""
    return [
        Point(step, float(rate), loss, loss)
        for step, (rate, loss) in enumerate(zip(learning_rate_ramp(len(losses)), losses, strict=True), 1)
    ]


def test_the_ramp_rises_in_equal_factors() -> None:
    rates = learning_rate_ramp()
    assert rates.dtype == np.float32 and len(rates) == STEPS
    assert rates[[0, -1]].tolist() == pytest.approx([LOWEST_RATE, HIGHEST_RATE])
    np.testing.assert_allclose(rates[1:] / rates[:-1], (HIGHEST_RATE / LOWEST_RATE) ** (1 / (STEPS - 1)), rtol=1e-4)


def descent(split: Split, weights: list[np.ndarray], rates: np.ndarray) -> list[float]:
    """The losses of softmax regression by plain gradient descent on all images, in double precision."""
    kernel, bias = (array.astype(np.float64) for array in weights)
    x, targets = split.x_train.reshape(len(split.x_train), -1) / 255, np.eye(10)[split.y_train]
    losses = []
    for rate in rates:
        logits = x @ kernel + bias
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        losses.append(float(-np.log(shares[targets == 1]).mean()))
        slope = (shares - targets) / len(x)
        kernel, bias = kernel - rate * x.T @ slope, bias - rate * slope.sum(0)
    return losses


@pytest.mark.usefixtures("keras")
def test_losses_are_those_of_gradient_descent_with_a_rising_rate(few: Split) -> None:
    """Until the steps overshoot, after which single and double precision part."""
    weights = make_model(LINEAR, 3).get_weights()
    tested = found(LINEAR, few, 3)
    calm = sum(point.rate < 0.3 for point in tested)
    assert calm > 90
    expected = descent(few, weights, learning_rate_ramp()[:calm])
    np.testing.assert_allclose([point.loss for point in tested[:calm]], expected, rtol=1e-3)
    np.testing.assert_allclose([point.rate for point in tested], learning_rate_ramp()[: len(tested)])
    assert [point.step for point in tested] == list(range(1, len(tested) + 1))


@pytest.mark.usefixtures("keras")
def test_smoothed_losses_are_weighted_means(few: Split) -> None:
    tested = found(LINEAR, few)
    for last in (0, 1, 5, 40):
        weights = 0.8 ** np.arange(last, -1, -1)
        mean = np.average([point.loss for point in tested[: last + 1]], weights=weights)
        assert tested[last].smoothed == pytest.approx(mean, rel=1e-6)


@pytest.mark.usefixtures("keras")
def test_an_explosion_stops_it(sample: Any) -> None:
    """Raw pixels, four layers, momentum: large steps ruin it long before the highest rate."""
    split = Split(sample.x_train[:500], sample.y_train[:500], *(sample.x_test[:50], sample.y_test[:50]) * 2)
    tested = found(DEEP, split)
    assert 10 < len(tested) < STEPS
    smoothed = [point.smoothed for point in tested]
    exploded = [loss > 4 * min(smoothed[: place + 1]) for place, loss in enumerate(smoothed)]
    assert not any(exploded[:-1]), "it ends with the first batch that exploded, or before one that is no number"
    assert all(np.isfinite(point.loss) for point in tested)


def test_a_loss_that_still_falls_where_the_test_ends_suggests_nothing() -> None:
    tested = points([2.3 - 0.05 * step for step in range(35)])
    assert suggest_rate(tested) is None
    noisy = points([*(2.3 - 0.05 * step for step in range(35)), 0.65])
    assert noisy[-1].smoothed > noisy[-2].smoothed and suggest_rate(noisy) is None, "one loss that rose is noise"
    assert (
        f"at a learning rate of {tested[-1].rate:.1e}, before the loss had clearly grown"
        in rate_finder.describe_result(tested)
    )


@pytest.mark.usefixtures("keras")
def test_a_suggestion_is_good_to_train_with(few: Split) -> None:
    """A convex loss: with the rate that is suggested it falls a long way; far below it hardly falls at all."""
    suggestion = suggest_rate(found(LINEAR, few))
    assert suggestion is not None and suggestion.rate == pytest.approx(suggestion.lowest / 10, rel=0.06)

    def last_loss(rate: float) -> float:
        settings = replace(LINEAR, epochs=60, learning_rate=rate)
        return [report.loss for report in loop.train(make_model(settings, 1), settings, few, 1)][-1]

    good, timid = last_loss(suggestion.rate), last_loss(suggestion.rate / 100)
    assert good < 0.3 and timid > 1.5


def test_suggestion_is_a_tenth_of_the_rate_with_the_lowest_loss() -> None:
    """By hand: it falls from 2.3, is lowest at place 80, and explodes."""
    valley, explosion = [1.0 - 0.01 * step for step in range(1, 21)], [0.9 + 0.2 * step for step in range(59)]
    losses = [*[2.3] * 60, 1.0, *valley, *explosion]
    assert len(losses) == STEPS
    suggestion, rates = suggest_rate(points(losses)), learning_rate_ramp()
    assert suggestion is not None
    assert suggestion.lowest == pytest.approx(rates[80])
    assert suggestion.rate == pytest.approx(float(rates[80]) / 10, rel=0.05)
    assert suggestion.rate == float(f"{suggestion.rate:.1e}"), "two figures"


def test_without_a_falling_loss_there_is_no_suggestion() -> None:
    for losses in ([], [2.3], [2.3] * 100, [2.3 + 0.1 * step for step in range(50)], [2.3, 2.2, 2.25, 9.0]):
        assert suggest_rate(points(losses)) is None
        assert "no suggestion" in rate_finder.describe_result(points(losses))


@pytest.mark.usefixtures("keras")
def test_several_epochs_and_a_short_last_batch(sample: Any) -> None:
    """Seven batches of 99 and one of 7 an epoch: twenty epochs, and still one rate after the other."""
    split = Split(sample.x_train[:700], sample.y_train[:700], *(sample.x_test[:50], sample.y_test[:50]) * 2)
    tested = found(replace(LINEAR, batch_size=99), split)
    rates = [point.rate for point in tested]
    assert rates == sorted(set(rates)) and tested[-1].step <= STEPS
    np.testing.assert_allclose(rates, [learning_rate_ramp()[point.step - 1] for point in tested], rtol=1e-6)


@pytest.mark.usefixtures("keras")
def test_a_batch_larger_than_the_data_is_refused(few: Split) -> None:
    with pytest.raises(SettingError, match="only 200 training images"):
        found(replace(LINEAR, batch_size=201), few)


def test_only_drawings_and_weight_averaging_are_left_out() -> None:
    before = replace(RECIPES["canvas"].settings, weight_averaging=0.9)
    after = rate_finder.prepare_settings(before)
    assert (after.drawings, after.weight_averaging) == ("none", 0)
    assert replace(after, drawings=before.drawings, weight_averaging=0.9) == before


# in the worker


def made(settings: Settings = LINEAR, data: str = "sample") -> Run:
    return create_run(RunSpec("fast", settings, data), rate_finder.tests_folder())


@pytest.mark.usefixtures("keras", "signals")
def test_worker_runs_a_test_that_no_list_of_runs_shows(runs_root: Path) -> None:
    test = made()
    assert test.path.parent == runs_root / ".rates" and rate_finder.is_range_test(test)
    assert worker.main([str(test.path)]) == 0
    status, tested = test.status(), rate_finder.read_points(test)
    assert status.state == "finished" and status.step == tested[-1].step and status.steps == STEPS
    suggestion = suggest_rate(tested)
    assert suggestion is not None and f"{suggestion.rate:g}." in status.message
    assert list_runs() == [], "no list shows it"
    assert {path.name for path in test.path.iterdir()} == {"spec.json", "status.json", "metrics.jsonl"}


@pytest.mark.usefixtures("keras", "signals")
def test_test_can_be_stopped() -> None:
    test = made()
    test.update_control(stop=True)
    assert worker.main([str(test.path)]) == 0
    assert test.status().state == "stopped" and len(rate_finder.read_points(test)) == 1


@pytest.mark.usefixtures("keras", "signals")
def test_missing_data_fails_the_test_and_is_named(tmp_path: Path) -> None:
    test = made(data=str(tmp_path / "none.npz"))
    assert worker.main([str(test.path)]) == 1
    assert test.status().state == "failed" and "none.npz" in test.status().message


@pytest.mark.usefixtures("signals")
def test_a_run_is_not_a_test() -> None:
    assert not rate_finder.is_range_test(create_run(RunSpec("fast", LINEAR, "sample")))


def test_broken_points_are_left_out() -> None:
    test = made()
    point = Point(1, 1e-6, 2.3, 2.3)
    for row in (asdict(point), {"step": 2}, {**asdict(point), "loss": "much"}, {}):
        test.append_metrics(row)
    assert rate_finder.read_points(test) == [point]


def test_old_tests_are_deleted_unless_they_are_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_finder, "KEPT_TESTS", 2)
    going = create_run(RunSpec("fast", LINEAR, created=1e9), rate_finder.tests_folder())
    ended = [create_run(RunSpec("fast", LINEAR, created=1e9 + day), rate_finder.tests_folder()) for day in (1, 2, 3)]
    for test in ended:
        test.write_status(Status("finished"))
    rate_finder.delete_old_tests()
    assert {test.id for test in list_runs(rate_finder.tests_folder())} == {going.id, ended[1].id, ended[2].id}
    write_owner(ended[1].path, "a" * 64)
    monkeypatch.setattr(rate_finder, "KEPT_TESTS", 1)
    rate_finder.delete_old_tests()
    kept = {test.id for test in list_runs(rate_finder.tests_folder())}
    assert kept == {going.id, ended[1].id, ended[2].id}, "the newest of each owner"
