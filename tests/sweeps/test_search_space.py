"""What a sweep varies: how it is written, what is refused and why, the points of a grid."""

from __future__ import annotations

import itertools
import math

import optuna
import pytest

from mnist_core.errors import SettingError
from mnist_core.recipes.overrides import setting_rules
from mnist_core.recipes.recipes import find_recipe
from mnist_core.sweeps import search_space
from mnist_core.sweeps.search_space import Range, Values, parse_dimension

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=1e-4..1e-1:log", Range("learning_rate", 1e-4, 1e-1, log=True)),
        ("learning_rate=1e-4..1e-1:log:7", Range("learning_rate", 1e-4, 1e-1, log=True, points=7)),
        (" dropout = 0 .. .5 ", Range("dropout", 0.0, 0.5)),
        ("dropout=0..0.5:3", Range("dropout", 0.0, 0.5, points=3)),
        ("epochs=1..5", Range("epochs", 1, 5, whole=True)),
        ("batch_size=16..1024:log", Range("batch_size", 16, 1024, log=True, whole=True)),
        ("batch_size=32,128,512", Values("batch_size", (32, 128, 512))),
        ("optimizer=Adam,SGD", Values("optimizer", ("Adam", "SGD"))),
        ("one_hot=true,false", Values("one_hot", (True, False))),
        ("learning_rate=0.1, 0.01,0.1", Values("learning_rate", (0.1, 0.01))),
    ],
)
def test_what_is_written_is_understood_and_written_again(text: str, expected: object) -> None:
    found = parse_dimension(text)
    assert found == expected
    assert parse_dimension(str(found)) == found


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("learning_rate", "says not what to vary"),
        ("=1..2", "no setting ''"),
        ("learning_rate=", "says not what to vary"),
        ("learning_rte=0.1..1", "Did you mean learning_rate"),
        ("nonsense=1..2", "There is no setting 'nonsense'"),
        ("learning_rate=0.1..0.01", "is empty. Give learning_rate=0.01..0.1"),
        ("learning_rate=0.1..0.1", "is empty. Give two different ends"),
        ("dropout=0..0.5:log", "cannot begin at zero"),
        ("dropout=-1..0.5:log", "would be -1 at an end"),
        ("learning_rate=0..1", "would be 0 at an end of its range, expected a number above 0"),
        ("learning_rate=nan..1", "would be nan"),
        ("learning_rate=1..inf", "would be inf"),
        ("batch_size=1..100000", "expected a whole number from 1 to 60,000"),
        ("epochs=1.5..3", "'1.5' at an end of its range, expected a whole number"),
        ("epochs=a..b", "'a' at an end"),
        ("epochs=0..5", "would be 0"),
        ("optimizer=Adam..SGD", "optimizer has no range"),
        ("optimizer=Adam,Nadam", "expected one of"),
        ("batch_size=32", "takes two different ones or more"),
        ("batch_size=32,32", "takes two different ones or more"),
        ("batch_size=32,,64", "expected"),
        ("learning_rate=0.1..1:lin", "'lin' values in a grid"),
        ("learning_rate=0.1..1:1", "'1' values in a grid"),
        ("learning_rate=0.1..1:5000", "'5000' values in a grid"),
        ("learning_rate=0.1..1:log:3:4", "is no range"),
        ("split=last-sixth,last-fifth", "split cannot be varied"),
    ],
)
def test_bad_input_is_named_and_mended(text: str, complaint: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_dimension(text)
    assert complaint in str(caught.value)


def test_every_setting_can_be_varied_by_its_rule() -> None:
    """Also those that are added later: nothing here knows their names."""
    assert set(setting_rules()) - set(search_space.searchable_settings()) == set(search_space.NOT_SEARCHABLE)
    for name in search_space.searchable_settings():
        values = parse_dimension(f"{name}={search_space.typical_values(name)}").grid()
        assert len(values) > 1 and all(setting_rules()[name].accepts(value) for value in values), name


def test_grid_of_a_logarithmic_range_has_equal_ratios_and_both_ends() -> None:
    values = parse_dimension("learning_rate=1e-4..1e-1:log:4").grid()
    assert values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1], rel=1e-5)
    assert values[0] == 1e-4 and values[-1] == 1e-1


def test_grid_of_whole_numbers_takes_each_once() -> None:
    assert parse_dimension("epochs=1..5").grid() == (1, 2, 3, 4, 5)
    assert parse_dimension("epochs=1..3:7").grid() == (1, 2, 3)
    values = parse_dimension("batch_size=16..1024:log:7").grid()
    assert values == (16, 32, 64, 128, 256, 512, 1024)


def test_grid_is_the_product() -> None:
    varies = search_space.parse_space(["batch_size=32,128", "epochs=1..3"])
    points = search_space.grid_points(varies)
    expected = [{"batch_size": size, "epochs": epochs} for size, epochs in itertools.product((32, 128), (1, 2, 3))]
    assert points == expected
    assert search_space.grid_size(varies) == 6


def test_a_million_points_are_counted_and_sampling_is_offered() -> None:
    varies = search_space.parse_space(["batch_size=1..1000", "epochs=1..1000"])
    assert search_space.grid_size(varies) == 10**6
    with pytest.raises(SettingError) as caught:
        search_space.grid_points(varies)
    assert "1,000,000 points" in str(caught.value) and "random or TPE" in str(caught.value)


def test_settings_are_varied_once() -> None:
    with pytest.raises(SettingError, match="epochs is varied twice"):
        search_space.parse_space(["epochs=1..3", "epochs=4,5"])
    with pytest.raises(SettingError, match="Nothing varies"):
        search_space.parse_space([])


def test_values_that_cannot_be_trained_are_found_before_the_sweep() -> None:
    with pytest.raises(SettingError, match="uncentered"):
        search_space.check_space([parse_dimension("uncentered=true,false")], find_recipe("canvas").settings)
    search_space.check_space([parse_dimension("uncentered=true,false")], find_recipe("lesson08-mlp").settings)


def test_optuna_proposes_inside_the_range_and_evenly_by_powers_of_ten() -> None:
    varies = search_space.parse_space(["learning_rate=1e-4..1e-1:log", "batch_size=32,128", "epochs=1..5"])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = []
    for _ in range(300):
        trial = study.ask()
        found.append(search_space.suggest_settings(trial, varies))
        study.tell(trial, 0.0)
    rates = sorted(one["learning_rate"] for one in found)
    assert rates[0] >= 1e-4 and rates[-1] <= 1e-1
    assert math.log10(rates[150]) == pytest.approx(-2.5, abs=0.3), "half of them below the middle power of ten"
    assert {one["batch_size"] for one in found} == {32, 128}
    assert {one["epochs"] for one in found} == {1, 2, 3, 4, 5}
    assert all(type(one["epochs"]) is int and type(one["learning_rate"]) is float for one in found)


def test_a_trial_that_was_half_asked_keeps_what_it_has() -> None:
    varies = search_space.parse_space(["learning_rate=1e-4..1e-1:log", "epochs=1..5"])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trial = study.ask()
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    again = optuna.trial.Trial(study, trial._trial_id)
    assert search_space.suggest_settings(again, varies)["learning_rate"] == rate


def test_in_words() -> None:
    assert (
        search_space.settings_text({"batch_size": 64, "learning_rate": 0.0031234})
        == "batch size 64, learning rate 0.00312"
    )
