"""Search spaces: the points of a grid, the settings that Optuna suggests, values that cannot be trained."""

from __future__ import annotations

import itertools
import math
from typing import Any

import optuna
import pytest

from mnist_core.errors import SettingError
from mnist_core.recipes.recipes import find_recipe
from mnist_core.sweeps.search_space import (
    Range,
    Values,
    check_space,
    grid_points,
    grid_size,
    rounded_text,
    settings_text,
    suggest_settings,
)

LEARNING_RATE = Range("learning_rate", 1e-4, 1e-1, log=True)
EPOCHS = Range("epochs", 1, 5, whole=True)

optuna.logging.set_verbosity(optuna.logging.ERROR)


def random_study() -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))


def test_grid_of_a_logarithmic_range_has_equal_ratios_and_both_ends() -> None:
    values = Range("learning_rate", 1e-4, 1e-1, log=True, points=4).grid_values()
    assert values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1], rel=1e-5)
    assert values[0] == 1e-4 and values[-1] == 1e-1


def test_grid_of_whole_numbers_takes_each_once() -> None:
    assert EPOCHS.grid_values() == (1, 2, 3, 4, 5)
    assert Range("epochs", 1, 3, whole=True, points=7).grid_values() == (1, 2, 3)
    values = Range("batch_size", 16, 1024, log=True, whole=True, points=7).grid_values()
    assert values == (16, 32, 64, 128, 256, 512, 1024)


def test_a_range_has_five_grid_values_by_default() -> None:
    assert Range("dropout", 0.0, 0.4).grid_values() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_grid_is_the_product_of_the_values() -> None:
    space = [Values("batch_size", (32, 128)), Range("epochs", 1, 3, whole=True)]
    expected = [{"batch_size": size, "epochs": epochs} for size, epochs in itertools.product((32, 128), (1, 2, 3))]
    assert grid_points(space) == expected
    assert grid_size(space) == 6


def test_a_grid_of_a_million_points_is_counted_but_not_listed() -> None:
    space = [Range("batch_size", 1, 1000, whole=True), Range("epochs", 1, 1000, whole=True)]
    assert grid_size(space) == 10**6
    with pytest.raises(SettingError) as caught:
        grid_points(space)
    assert all(words in str(caught.value) for words in ("1,000,000", "1,000 of batch_size", "random or TPE"))


def test_values_that_the_base_cannot_be_trained_with_are_refused() -> None:
    space = [Values("drawings", ("none", "few"))]
    with pytest.raises(SettingError, match="drawings"):
        check_space(space, find_recipe("lesson08-uncentered-mlp").settings)
    check_space(space, find_recipe("lesson08-mlp").settings)


def test_suggestions_are_inside_the_range_and_even_by_powers_of_ten() -> None:
    study, suggested = random_study(), []
    for _ in range(300):
        trial = study.ask()
        suggested.append(suggest_settings(trial, [LEARNING_RATE, Values("batch_size", (32, 128)), EPOCHS]))
        study.tell(trial, 0.0)
    rates = sorted(settings["learning_rate"] for settings in suggested)
    assert rates[0] >= 1e-4 and rates[-1] <= 1e-1
    assert math.log10(rates[150]) == pytest.approx(-2.5, abs=0.3), "half of them below the middle power of ten"
    assert {settings["batch_size"] for settings in suggested} == {32, 128}
    assert {settings["epochs"] for settings in suggested} == {1, 2, 3, 4, 5}
    assert all(type(settings["epochs"]) is int and type(settings["learning_rate"]) is float for settings in suggested)


def test_a_trial_keeps_the_settings_that_it_already_has() -> None:
    study = random_study()
    trial = study.ask()
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    resumed = optuna.trial.Trial(study, trial._trial_id)
    assert suggest_settings(resumed, [LEARNING_RATE, EPOCHS])["learning_rate"] == rate


def test_settings_in_words() -> None:
    text = settings_text({"batch_size": 64, "learning_rate": 0.0031234})
    assert text == "batch size 64, learning rate 0.00312"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9996, "0.9996"), (0.99985, "0.99985"), (0.99, "0.99"), (0.87312, "0.873"), (1.0, "1"), (0.5, "0.5")]
    + [(0.31234, "0.312"), (12.345, "12.3"), (0.0, "0"), (1e-5, "1e-05"), (64, "64"), (True, "True"), ("Adam", "Adam")],
)
def test_a_value_near_one_keeps_the_digits_of_its_distance(value: Any, text: str) -> None:
    assert rounded_text(value) == text
