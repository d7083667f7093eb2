"""Sliders for ranges: what they offer can be searched, and what they write means the same as the text."""

from __future__ import annotations

import pytest

from mnist_core.recipes.overrides import setting_rules
from mnist_core.sweeps.search_space import searchable_settings, typical_values
from mnist_core.sweeps.slider_ticks import is_log, is_numeric, range_ends, range_text, slider_ticks
from mnist_core.sweeps.space_parser import parse_dimension

NUMERIC = [name for name in searchable_settings() if is_numeric(name)]


@pytest.mark.parametrize("name", NUMERIC)
def test_every_value_of_a_slider_is_allowed_and_every_range_of_it_can_be_parsed(name: str) -> None:
    dimension = parse_dimension(f"{name}={typical_values(name)}")
    ticks = slider_ticks(dimension)
    assert ticks == sorted(set(ticks)) and set(range_ends(dimension)) <= set(ticks) and 5 <= len(ticks) <= 40
    assert all(setting_rules()[name].accepts(tick) for tick in ticks)
    for low, high in ((ticks[0], ticks[-1]), (ticks[1], ticks[2])):
        assert range_ends(parse_dimension(f"{name}={range_text(dimension, low, high)}")) == (low, high)


def test_ranges_of_ratios_are_logarithmic_and_keep_their_number_of_grid_values() -> None:
    rate = parse_dimension("learning_rate=1e-4..1e-1:log:7")
    assert range_text(rate, 0.001, 0.3) == "0.001..0.3:log:7"
    assert {1e-5, 3e-5, 1e-4, 0.03, 1.0} <= set(slider_ticks(rate)) and 0.3 in slider_ticks(rate)
    sizes = parse_dimension("batch_size=48,512")
    assert range_text(sizes, 32, 256) == "32..256:log" and slider_ticks(sizes)[:5] == [8, 16, 32, 48, 64]
    assert is_log(rate) and is_log(sizes)
    for name in ("weight_decay", "gradient_clipping"):
        assert is_log(parse_dimension(f"{name}={typical_values(name)}"))
    assert range_text(parse_dimension("epochs=1..5"), 2, 9) == "2..9"
    assert range_text(parse_dimension("dropout=0..0.6"), 0.1, 0.5) == "0.1..0.5"


@pytest.mark.parametrize("text", ["learning_rate=0.001..0.1", "weight_decay=0..0.1", "weight_decay=0,0.001,0.1"])
def test_a_linear_range_stays_linear_and_so_does_one_from_zero(text: str) -> None:
    dimension = parse_dimension(text)
    assert not is_log(dimension) and range_text(dimension, 0.003, 0.03) == "0.003..0.03"
