"""Search spaces: which settings a sweep varies, the values each may take, and the grid of all combinations.

A search space is a tuple of dimensions. `space_parser` reads them from text; Optuna suggests one value of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from mnist_core.errors import SettingError
from mnist_core.fields import Choice, Integer, Number, is_number
from mnist_core.recipes.overrides import apply_overrides, setting_rules
from mnist_core.recipes.settings import Settings

MAX_GRID = 1000
"""The largest grid whose points are all listed. Larger spaces must be sampled."""
GRID_POINTS = 5
"""How many values of a range a grid takes by default."""
NOT_SEARCHABLE = dict.fromkeys(
    ("split", "uncentered"),
    "it decides which images the trials are measured on, so their results could not be compared",
)
"""Settings that no sweep can vary, and why."""


@dataclass(frozen=True)
class Values:
    """A setting that takes one of a few listed values.

    Attributes:
        name: of the setting.
        values: at least two, all different.
    """

    name: str
    values: tuple[Any, ...]

    def accepts(self, value: object) -> bool:
        """True for one of the values."""
        return value in self.values

    def grid_values(self) -> tuple[Any, ...]:
        """The values that a grid takes: all of them."""
        return self.values

    def grid_count(self) -> int:
        """How many values a grid takes."""
        return len(self.values)

    def __str__(self) -> str:
        return f"{self.name}={','.join(map(value_text, self.values))}"


@dataclass(frozen=True)
class Range:
    """A setting that takes any value from low to high.

    Attributes:
        name: of the setting.
        low, high: the ends, both included; integers if `whole`.
        log: sample the logarithm evenly, so that each power of ten is equally likely.
        whole: whole numbers only.
        points: how many values a grid takes; 0 for the default.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    points: int = 0

    def accepts(self, value: object) -> bool:
        """True for a number from low to high."""
        return is_number(value) and self.low <= value <= self.high

    def grid_values(self) -> tuple[Any, ...]:
        """The values that a grid takes: evenly spaced, both ends included, without duplicates."""
        if self._takes_every_integer:
            return tuple(range(int(self.low), int(self.high) + 1))
        count = self.points or GRID_POINTS
        spread = [self._interpolate(index / (count - 1)) for index in range(count)]
        return tuple(dict.fromkeys(round(value) for value in spread) if self.whole else spread)

    def grid_count(self) -> int:
        """How many values a grid takes. Does not list them: there may be a million."""
        return int(self.high) - int(self.low) + 1 if self._takes_every_integer else len(self.grid_values())

    @property
    def _takes_every_integer(self) -> bool:
        return self.whole and not self.log and not self.points

    def _interpolate(self, fraction: float) -> float:
        """The value at a fraction (0..1) of the way from low to high, to six digits; the ends are exact."""
        if fraction in (0.0, 1.0):
            return self.high if fraction else self.low
        if self.log:
            return float(f"{self.low * (self.high / self.low) ** fraction:.6g}")
        return float(f"{self.low + (self.high - self.low) * fraction:.6g}")

    def __str__(self) -> str:
        scale, points = ":log" if self.log else "", f":{self.points}" if self.points else ""
        return f"{self.name}={value_text(self.low)}..{value_text(self.high)}{scale}{points}"


Dimension = Values | Range


def value_text(value: Any) -> str:
    """A value as `--vary` and `--set` take it: `true`, `0.001`, `Adam`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def check_space(space: Sequence[Dimension], base: Settings) -> None:
    """Checks that the base can be trained with each listed value and with both ends of each range, one at a time.

    Raises:
        SettingError: a value does not work with the base; the error names it.
        ArchitectureError: the changed network cannot be built.
    """
    for dimension in space:
        values = dimension.grid_values()
        for value in values if isinstance(dimension, Values) else (values[0], values[-1]):
            apply_overrides(base, {dimension.name: value})


def grid_size(space: Sequence[Dimension]) -> int:
    """The number of grid points: the product of the number of values of each dimension."""
    return math.prod(dimension.grid_count() for dimension in space)


def grid_points(space: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Every point of the grid as setting -> value; the last dimension changes fastest.

    Raises:
        SettingError: there are more than MAX_GRID points.
    """
    size = grid_size(space)
    if size > MAX_GRID:
        counts = " × ".join(f"{dimension.grid_count():,} of {dimension.name}" for dimension in space)
        raise SettingError(
            f"The grid has {size:,} points ({counts}); the limit is {MAX_GRID:,}. Use the random or TPE sampler with "
            "as many trials as you have time for, or give fewer values."
        )
    names = [dimension.name for dimension in space]
    return [
        dict(zip(names, values, strict=True)) for values in product(*(dimension.grid_values() for dimension in space))
    ]


def suggest_settings(trial: Any, space: Sequence[Dimension]) -> dict[str, Any]:
    """Asks Optuna for a value of each dimension: setting -> value.

    Args:
        trial: a running optuna.Trial. Values that it already has are kept.
        space: the search space.
    """
    return {dimension.name: _suggest_value(trial, dimension) for dimension in space}


def _suggest_value(trial: Any, dimension: Dimension) -> Any:
    if isinstance(dimension, Values):
        return trial.suggest_categorical(dimension.name, dimension.values)
    if dimension.whole:
        return trial.suggest_int(dimension.name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.name, dimension.low, dimension.high, log=dimension.log)


def settings_text(settings: Mapping[str, Any]) -> str:
    """`batch size 64, learning rate 0.003`."""
    return ", ".join(f"{name.replace('_', ' ')} {rounded_text(value)}" for name, value in settings.items())


def rounded_text(value: Any) -> str:
    """A value for people: three digits of a number, or of its distance from 1 if that is closer than 0: `0.99985`."""
    if isinstance(value, float) and 0.5 < value < 1:
        return str(1 - Decimal(f"{1 - value:.3g}"))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


TYPICAL_VALUES = {
    "learning_rate": "1e-4..1e-1:log",
    "batch_size": "32,128,512",
    "epochs": "1..5",
    "weight_decay": "1e-5..1e-1:log",
    "gradient_clipping": "0.1..10:log",
    "dropout": "0..0.6",
    "weight_averaging": "0,0.9,0.99",
    "label_smoothing": "0..0.2",
    "beta_1": "0.5..0.95",
    "beta_2": "0.9..0.999",
    "patience": "1,3,5",
    "time_budget": "5,10,20",
    "target_accuracy": "0.9,0.95,0.99",
}
"""What a sweep usually tries for a setting, for those where that is not simply every allowed value."""


def typical_values(name: str) -> str:
    """A range or list to start from, for any setting: `space_parser` accepts `f"{name}={typical_values(name)}"`."""
    rule = setting_rules()[name]
    if name in TYPICAL_VALUES:
        return TYPICAL_VALUES[name]
    if isinstance(rule, Choice):
        return ",".join(value_text(value) for value in rule.values if value is not None)
    high = min(rule.high, rule.low + 10) if isinstance(rule, Integer) else min(rule.high, rule.low + 1)
    low = rule.low if not (isinstance(rule, Number) and rule.above) else rule.low + (high - rule.low) / 100
    return f"{value_text(low)}..{value_text(high)}"


def searchable_settings() -> list[str]:
    """The settings that a sweep can vary."""
    return [name for name, rule in setting_rules().items() if name not in NOT_SEARCHABLE and not _has_one_value(rule)]


def _has_one_value(rule: Integer | Number | Choice) -> bool:
    return isinstance(rule, Choice) and len(rule.values) < 2
