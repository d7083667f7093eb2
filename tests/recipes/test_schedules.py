"""Schedules match their formulas, values computed by hand, and the classes of Keras."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import SettingError
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes import schedules
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.schedules import learning_rates
from mnist_core.recipes.settings import SCHEDULES, Settings

DENSE = (Rescaling(1 / 255), Flatten(), Dense(10, "softmax"))
SETTINGS = Settings(DENSE, 10, 10, learning_rate=0.01)


def test_every_schedule_has_a_formula() -> None:
    assert tuple(schedules.SHAPES) == SCHEDULES


@pytest.mark.parametrize("steps", [1, 2, 7, 100, 5000])
def test_constant_cosine_and_one_cycle_follow_their_formulas(steps: int) -> None:
    settings = Settings(DENSE, 10, 1, learning_rate=0.01)
    constant, cosine, one_cycle = (
        learning_rates(replace(settings, schedule=name), steps) for name in ("constant", "cosine", "one-cycle")
    )
    for step in range(steps):
        done = step / steps
        assert constant[step] == pytest.approx(0.01)
        assert cosine[step] == pytest.approx(0.01 * 0.5 * (1 + math.cos(math.pi * done)), rel=1e-4, abs=1e-8)
        if done < 0.2:
            expected = 0.01 * (0.04 + 0.96 * done / 0.2)
        else:
            expected = 0.01 * 0.5 * (1 + math.cos(math.pi * (done - 0.2) / 0.8))
        assert one_cycle[step] == pytest.approx(expected, rel=1e-4, abs=1e-8)
    assert all(rates.dtype == np.float32 and len(rates) == steps for rates in (constant, cosine, one_cycle))
    assert all((rates > 0).all() and rates.max() <= 0.01 + 1e-9 for rates in (constant, cosine, one_cycle))


def test_one_cycle_peaks_after_a_fifth_of_all_steps() -> None:
    rates = learning_rates(RECIPES["fast"].settings, 235)
    assert rates.argmax() == 47 and rates[47] == pytest.approx(0.01)
    assert rates[0] == pytest.approx(0.0004) and rates[-1] < 1e-5
    assert (np.diff(rates[:48]) > 0).all() and (np.diff(rates[47:]) < 0).all()


@pytest.mark.parametrize("steps", [3, 235, 4690, 14_070])
@pytest.mark.parametrize("peak", [0.001, 0.003, 0.01, 0.0123])
def test_rates_without_warm_up_are_bit_identical_to_older_versions(steps: int, peak: float) -> None:
    """Shipped models and exported scripts depend on these bits, which come from the formulas before warm-ups."""
    place = np.arange(steps) / steps
    rise = 0.04 + (1 - 0.04) * place / 0.2
    fall = (1 + np.cos(np.pi * (place - 0.2) / (1 - 0.2))) / 2
    before = {
        "constant": np.full(steps, peak, np.float32),
        "cosine": (peak * (1 + np.cos(np.pi * place)) / 2).astype(np.float32),
        "one-cycle": (peak * np.where(place < 0.2, rise, fall)).astype(np.float32),
    }
    for name, expected in before.items():
        rates = learning_rates(replace(SETTINGS, learning_rate=peak, schedule=name), steps)
        assert rates.tobytes() == expected.tobytes()


def test_a_step_schedule_matches_values_by_hand() -> None:
    """Ten epochs of three steps; a tenth after every four epochs."""
    settings = replace(SETTINGS, schedule="step", decay_factor=0.1, decay_epochs=4)
    expected = [0.01] * 12 + [0.001] * 12 + [0.0001] * 6
    np.testing.assert_allclose(learning_rates(settings, 30), expected, rtol=1e-6)


def test_an_exponential_schedule_matches_values_by_hand() -> None:
    """Four epochs of four steps; half after every two epochs, in equal ratios per step."""
    settings = replace(SETTINGS, epochs=4, schedule="exponential", decay_factor=0.5, decay_epochs=2)
    rates = learning_rates(settings, 16)
    assert rates[[0, 8]].tolist() == pytest.approx([0.01, 0.005])
    np.testing.assert_allclose(rates[1:] / rates[:-1], 0.5 ** (1 / 8), rtol=1e-5)


def test_a_warm_up_matches_values_by_hand() -> None:
    """From 1/25 of the peak over a quarter of twelve steps; the schedule starts only then."""
    settings = replace(SETTINGS, epochs=4, schedule="step", decay_factor=0.5, decay_epochs=1, warm_up=0.25)
    rising = [0.01 * (0.04 + 0.96 * step / 3) for step in range(3)]
    expected = [*rising, *[0.01] * 3, *[0.005] * 3, *[0.0025] * 3]
    np.testing.assert_allclose(learning_rates(settings, 12), expected, rtol=1e-6)


def test_one_cycle_is_a_cosine_after_a_warm_up_of_a_fifth() -> None:
    one_cycle = learning_rates(replace(SETTINGS, schedule="one-cycle"), 77)
    np.testing.assert_array_equal(learning_rates(replace(SETTINGS, schedule="cosine", warm_up=0.2), 77), one_cycle)
    longer = learning_rates(replace(SETTINGS, schedule="one-cycle", warm_up=0.5), 100)
    assert longer.argmax() == 50


def test_the_rates_of_some_steps_are_those_of_the_whole_training() -> None:
    for name in SCHEDULES:
        settings = replace(SETTINGS, schedule=name, warm_up=0.1)
        np.testing.assert_array_equal(learning_rates(settings, 77, 30, 12), learning_rates(settings, 77)[30:42])


def test_rates_are_between_zero_and_the_peak() -> None:
    for name, warm_up, steps in itertools.product(SCHEDULES, (0.0, 0.1, 0.37, 0.9), (1, 2, 13, 1000)):
        settings = replace(SETTINGS, schedule=name, warm_up=warm_up, decay_factor=0.001, epochs=1000)
        rates = learning_rates(settings, steps)
        assert rates.shape == (steps,) and rates.dtype == np.float32
        assert (rates >= 0).all() and rates[0] > 0 and rates.max() <= np.float32(0.01)


def test_rate_extremes_are_those_of_all_steps() -> None:
    for name, warm_up, steps in itertools.product(SCHEDULES, (0.0, 0.001, 0.37, 0.85, 0.9), (1, 2, 3, 10, 11, 1000)):
        settings = replace(SETTINGS, schedule=name, warm_up=warm_up, decay_factor=0.001)
        rates = learning_rates(settings, steps)
        assert schedules.rate_extremes(settings, steps) == (rates[0], rates.max(), rates[-1]), (name, warm_up, steps)


@pytest.mark.parametrize("warm_up", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("name", ["step", "exponential", "cosine"])
def test_schedules_match_those_of_keras(keras: Any, name: str, warm_up: float) -> None:
    settings = replace(SETTINGS, schedule=name, decay_factor=0.3, decay_epochs=3, warm_up=warm_up)
    per_epoch, steps = 8, 80
    rates, first = learning_rates(settings, steps), round(warm_up * steps)
    if name == "cosine":
        oracle = keras.optimizers.schedules.CosineDecay(0.01, steps - first)
    else:
        oracle = keras.optimizers.schedules.ExponentialDecay(0.01, 3 * per_epoch, 0.3, staircase=name == "step")
    expected = [float(oracle(step)) for step in range(steps - first)]
    np.testing.assert_allclose(rates[first:], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("warm_up", 1.0),
        ("warm_up", -0.1),
        ("decay_factor", 0.0),
        ("decay_factor", 1.5),
        ("decay_epochs", 0),
        ("decay_epochs", 1.5),
        ("schedule", "steps"),
    ],
)
def test_a_bad_value_is_rejected_with_its_setting(setting: str, value: Any) -> None:
    with pytest.raises(SettingError, match=f"{setting} is {value!r}, expected"):
        replace(SETTINGS, **{setting: value})
