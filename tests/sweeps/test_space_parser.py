"""Search spaces as text: what is understood, what is refused, and what the error names."""

from __future__ import annotations

import pytest

from mnist_core.errors import SettingError
from mnist_core.recipes.overrides import setting_rules
from mnist_core.sweeps import search_space
from mnist_core.sweeps.search_space import Range, Values
from mnist_core.sweeps.space_parser import parse_dimension, parse_space

UNDERSTOOD = {
    "learning_rate=1e-4..1e-1:log": Range("learning_rate", 1e-4, 1e-1, log=True),
    "learning_rate=1e-4..1e-1:log:7": Range("learning_rate", 1e-4, 1e-1, log=True, points=7),
    " dropout = 0 .. .5 ": Range("dropout", 0.0, 0.5),
    "dropout=0..0.5:3": Range("dropout", 0.0, 0.5, points=3),
    "epochs=1..5": Range("epochs", 1, 5, whole=True),
    "batch_size=16..1024:log": Range("batch_size", 16, 1024, log=True, whole=True),
    "batch_size=32,128,512": Values("batch_size", (32, 128, 512)),
    "optimizer=Adam,SGD": Values("optimizer", ("Adam", "SGD")),
    "one_hot=true,false": Values("one_hot", (True, False)),
    "learning_rate=0.1, 0.01,0.1": Values("learning_rate", (0.1, 0.01)),
}

REFUSED = {
    "learning_rate": ["'learning_rate'"],
    "=1..2": ["''"],
    "learning_rate=": ["'learning_rate='"],
    "learning_rte=0.1..1": ["learning_rte", "learning_rate?"],
    "nonsense=1..2": ["'nonsense'", "batch_size"],
    "learning_rate=0.1..0.01": ["learning_rate=0.1..0.01", "learning_rate=0.01..0.1"],
    "learning_rate=0.1..0.1": ["learning_rate=0.1..0.1", "two different ends"],
    "dropout=0..0.5:log": ["dropout", "starts at 0", ":log"],
    "dropout=-1..0.5:log": ["dropout", "-1", "expected"],
    "learning_rate=0..1": ["learning_rate", "ends at 0", "above 0"],
    "learning_rate=nan..1": ["learning_rate", "nan"],
    "learning_rate=1..inf": ["learning_rate", "inf"],
    "batch_size=1..100000": ["batch_size", "100000", "60,000"],
    "epochs=1.5..3": ["epochs", "'1.5'", "whole number"],
    "epochs=a..b": ["epochs", "'a'"],
    "epochs=0..5": ["epochs", "ends at 0"],
    "optimizer=Adam..SGD": ["optimizer", "Adam,"],
    "optimizer=Adam,Nadam": ["optimizer", "'Nadam'", "expected one of"],
    "batch_size=32": ["batch_size=32", "two"],
    "batch_size=32,32": ["batch_size=32,32", "two"],
    "batch_size=32,,64": ["batch_size", "expected"],
    "learning_rate=0.1..1:lin": ["'lin'", "1,000"],
    "learning_rate=0.1..1:1": ["'1'", "from 2"],
    "learning_rate=0.1..1:5000": ["'5000'", "1,000"],
    "learning_rate=0.1..1:log:3:4": ["learning_rate=0.1..1:log:3:4", "LOW..HIGH"],
}
"""Texts that are not a dimension, and what the error has to mention."""


def test_ranges_and_lists_are_parsed_and_written_back() -> None:
    for text, expected in UNDERSTOOD.items():
        dimension = parse_dimension(text)
        assert dimension == expected, text
        assert parse_dimension(str(dimension)) == dimension, text


def test_bad_dimensions_are_refused_with_what_was_given_and_expected() -> None:
    for text, mentioned in REFUSED.items():
        with pytest.raises(SettingError) as caught:
            parse_dimension(text)
        assert all(words in str(caught.value) for words in mentioned), f"{text}: {caught.value}"


def test_a_logarithmic_range_that_starts_at_zero_gets_one_that_works() -> None:
    with pytest.raises(SettingError) as caught:
        parse_dimension("dropout=0..0.5:log")
    assert parse_dimension("dropout=0.0005..0.5:log") and "dropout=0.0005..0.5:log" in str(caught.value)
    with pytest.raises(SettingError) as caught:
        parse_dimension("patience=0..10:log")
    assert parse_dimension("patience=1..10:log") and "patience=1..10:log" in str(caught.value)


def test_every_setting_can_be_varied_over_its_typical_values() -> None:
    """Also settings that are added later: nothing here knows their names."""
    assert set(setting_rules()) - set(search_space.searchable_settings()) == set(search_space.NOT_SEARCHABLE)
    for name in search_space.searchable_settings():
        values = parse_dimension(f"{name}={search_space.typical_values(name)}").grid_values()
        assert len(values) > 1 and all(setting_rules()[name].accepts(value) for value in values), name


def test_a_space_varies_each_setting_once_and_at_least_one() -> None:
    with pytest.raises(SettingError, match="epochs"):
        parse_space(["epochs=1..3", "epochs=4,5"])
    with pytest.raises(SettingError):
        parse_space([])


@pytest.mark.parametrize("text", ["split=last-sixth,last-fifth", "uncentered=true,false"])
def test_a_space_varies_nothing_that_decides_which_images_are_measured(text: str) -> None:
    with pytest.raises(SettingError, match="cannot be varied: it decides which images"):
        parse_space(["epochs=1..3", text])
