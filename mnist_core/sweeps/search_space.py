"""What a sweep varies: settings of a training, each with a range or a list of values.

parse_dimension("learning_rate=1e-4..1e-1:log")      # a range on a logarithmic scale
parse_dimension("learning_rate=1e-4..1e-1:log:7")    # of which a grid takes seven values
parse_dimension("batch_size=32,128,512")             # a list
parse_dimension("epochs=1..5")                       # whole numbers
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mnist_core.errors import SettingError
from mnist_core.fields import Choice, Integer, Number
from mnist_core.recipes.overrides import apply_overrides, parse_override, setting_rules
from mnist_core.recipes.settings import Settings

MAX_GRID = 1000
"""Points of a grid that are tried one by one; more are sampled."""
GRID_POINTS = 5  # that a grid takes of a range, where nobody says how many
NOT_SEARCHABLE = {
    "split": "its values decide which images the trials are measured on, and then they cannot be compared"
}
"""Settings that no sweep varies, and why."""

_RANGE = re.compile(r"(?P<low>[^:,]+?)\.\.(?P<high>[^:,]+?)(?P<log>:log)?(?::(?P<points>[^:]*))?")


@dataclass(frozen=True)
class Values:
    """A setting that takes one of a few values."""

    name: str
    values: tuple[Any, ...]

    def grid(self) -> tuple[Any, ...]:
        """The values that a grid takes: all of them."""
        return self.values

    def __str__(self) -> str:
        return f"{self.name}={','.join(map(_text, self.values))}"


@dataclass(frozen=True)
class Range:
    """A setting that takes any value from low to high.

    Attributes:
        name: of the setting.
        low, high: the ends, both allowed; whole numbers where the setting is one.
        log: whether each power of ten is as likely as the next, and not each value.
        whole: whether it takes whole numbers only.
        points: 0, or how many values a grid takes of it.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    points: int = 0

    def grid(self) -> tuple[Any, ...]:
        """The values that a grid takes: evenly spread, the ends among them, each once."""
        if self.whole and not self.log and not self.points:
            return tuple(range(int(self.low), int(self.high) + 1))
        count = self.points or GRID_POINTS
        spread = [self._at(place / (count - 1)) for place in range(count)]
        return tuple(dict.fromkeys(round(value) for value in spread) if self.whole else spread)

    def _at(self, share: float) -> float:
        """The value at a share of the way, 0..1, from low to high."""
        if share in (0.0, 1.0):
            return self.high if share else self.low
        if self.log:
            return float(f"{self.low * (self.high / self.low) ** share:.6g}")
        return float(f"{self.low + (self.high - self.low) * share:.6g}")

    def __str__(self) -> str:
        scale, points = ":log" if self.log else "", f":{self.points}" if self.points else ""
        return f"{self.name}={_text(self.low)}..{_text(self.high)}{scale}{points}"


Dimension = Values | Range


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def parse_dimension(text: str) -> Dimension:
    """What `--vary` is given: `NAME=LOW..HIGH`, with `:log` and `:POINTS` after it, or `NAME=A,B,C`.

    Raises:
        SettingError: it is not of that form, there is no such setting, the range is empty or goes through zero on a
            logarithmic scale, or a value is one that the setting cannot have.
    """
    name, equals, given = (part.strip() for part in text.partition("="))
    if not equals or not given:
        raise SettingError(
            f"{text!r} says not what to vary. Give a range, learning_rate=1e-4..1e-1:log, or a list, "
            "batch_size=32,128,512."
        )
    _check_name(name)
    return _range(name, given) if ".." in given else _values(name, given)


def _check_name(name: str) -> None:
    rules = setting_rules()
    if name in NOT_SEARCHABLE:
        raise SettingError(f"{name} cannot be varied: {NOT_SEARCHABLE[name]}. Choose another setting.")
    if name not in rules:
        near = difflib.get_close_matches(name, rules, 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        known = ", ".join(known for known in rules if known not in NOT_SEARCHABLE)
        raise SettingError(f"There is no setting {name!r}.{meant} Known: {known}.")


def _values(name: str, given: str) -> Values:
    values = tuple(parse_override(f"{name}={part.strip()}")[1] for part in given.split(","))
    if len(set(values)) < 2:
        raise SettingError(
            f"{name} is given {len(values)} value{'s' if len(values) > 1 else ''}, {given}, and varying it takes two "
            "different ones or more. Add one, or leave it out."
        )
    return Values(name, tuple(dict.fromkeys(values)))


def _range(name: str, given: str) -> Range:
    rule, found = setting_rules()[name], _RANGE.fullmatch(given)
    if isinstance(rule, Choice):
        listed = ",".join(map(_text, rule.values))
        raise SettingError(f"{name} has no range: it is {rule}. Give a list: {name}={listed}.")
    if found is None:
        raise SettingError(
            f"{name}={given} is no range. Expected LOW..HIGH, with :log behind it for a logarithmic scale, and how "
            f"many values a grid takes of it: {name}=LOW..HIGH:log:7."
        )
    low, high = _number(name, found["low"], rule), _number(name, found["high"], rule)
    _check_ends(name, low, high, found["log"] is not None)
    return Range(name, low, high, found["log"] is not None, isinstance(rule, Integer), _points(name, found["points"]))


def _number(name: str, text: str, rule: Integer | Number) -> float:
    """One end of a range. Raises SettingError where the setting cannot have it."""
    try:
        value = int(text) if isinstance(rule, Integer) else float(text)
    except ValueError:
        raise SettingError(f"{name} has {text.strip()!r} at an end of its range, expected {rule}.") from None
    if not rule.accepts(value):
        raise SettingError(f"{name} would be {_text(value)} at an end of its range, expected {rule}.")
    return value


def _check_ends(name: str, low: float, high: float, log: bool) -> None:
    if low >= high:
        turned = f"{name}={_text(high)}..{_text(low)}" if low > high else "two different ends"
        raise SettingError(f"The range {name}={_text(low)}..{_text(high)} is empty. Give {turned}.")
    if log and low <= 0:
        raise SettingError(
            f"{name} goes from {_text(low)}, and a logarithmic range cannot begin at zero or below: it has no end "
            f"there. Begin above zero, {name}={_text(high / 1000)}..{_text(high)}:log say, or leave out :log."
        )


def _points(name: str, text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdecimal() or not 2 <= int(text) <= MAX_GRID:
        raise SettingError(f"{name} shall have {text!r} values in a grid, expected a whole number, 2 to {MAX_GRID:,}.")
    return int(text)


def parse_space(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """Everything that varies, each setting once. Raises SettingError as `parse`, and where there is nothing."""
    found = tuple(parse_dimension(text) for text in texts)
    names = [vary.name for vary in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingError(f"{', '.join(twice)} is varied twice. Give it once, with all its values.")
    if not found:
        raise SettingError("Nothing varies. Give at least one setting: learning_rate=1e-4..1e-1:log.")
    return found


def check_space(varies: Sequence[Dimension], base: Settings) -> None:
    """Tries the ends of each range and each value by itself on the base.

    Raises:
        SettingError: one cannot be trained, naming it.
        ArchitectureError: the changed network cannot work.
    """
    for vary in varies:
        for value in vary.values if isinstance(vary, Values) else (vary.grid()[0], vary.grid()[-1]):
            apply_overrides(base, {vary.name: value})


def grid_size(varies: Sequence[Dimension]) -> int:
    """Points of the grid: the product of how many values each setting takes."""
    return math.prod(_count(vary) for vary in varies)


def _count(vary: Dimension) -> int:
    """Without writing out the numbers from one to a million."""
    if isinstance(vary, Range) and vary.whole and not vary.log and not vary.points:
        return int(vary.high) - int(vary.low) + 1
    return len(vary.grid())


def grid_points(varies: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Every point of the grid: setting -> value. Raises SettingError where there are more than MAX_GRID."""
    size = grid_size(varies)
    if size > MAX_GRID:
        counts = " × ".join(f"{_count(vary):,} of {vary.name}" for vary in varies)
        raise SettingError(
            f"The grid has {size:,} points ({counts}), and at most {MAX_GRID:,} are tried one by one. Sample it: "
            "random or TPE, with as many trials as you have time for. Or give shorter lists."
        )
    return [
        dict(zip((vary.name for vary in varies), values, strict=True))
        for values in product(*(vary.grid() for vary in varies))
    ]


def suggest_settings(trial: Any, varies: Sequence[Dimension]) -> dict[str, Any]:
    """What Optuna wants tried: setting -> value. A trial that has some of them already keeps those.

    Args:
        trial: an optuna.Trial that is running.
        varies: what varies.
    """
    return {vary.name: _suggested(trial, vary) for vary in varies}


def _suggested(trial: Any, vary: Dimension) -> Any:
    if isinstance(vary, Values):
        return trial.suggest_categorical(vary.name, vary.values)
    if vary.whole:
        return trial.suggest_int(vary.name, int(vary.low), int(vary.high), log=vary.log)
    return trial.suggest_float(vary.name, vary.low, vary.high, log=vary.log)


def settings_text(settings: Mapping[str, Any]) -> str:
    """`batch size 64, learning rate 0.003`."""
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in settings.items())


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


TYPICAL_VALUES = {
    "learning_rate": "1e-4..1e-1:log",
    "batch_size": "32,128,512",
    "epochs": "1..5",
    "dropout": "0..0.6",
    "weight_averaging": "0,0.9,0.99",
    "label_smoothing": "0..0.2",
    "beta_1": "0.5..0.95",
    "beta_2": "0.9..0.999",
    "patience": "1,3,5",
    "time_budget": "5,10,20",
    "target_accuracy": "0.9,0.95,0.99",
}
"""What people vary a setting over, where that is not simply all that it can be."""


def typical_values(name: str) -> str:
    """A range or a list to begin with, for any setting: `parse_dimension(f"{name}={typical_values(name)}")` takes it."""
    rule = setting_rules()[name]
    if name in TYPICAL_VALUES:
        return TYPICAL_VALUES[name]
    if isinstance(rule, Choice):
        return ",".join(_text(value) for value in rule.values if value is not None)
    high = min(rule.high, rule.low + 10) if isinstance(rule, Integer) else min(rule.high, rule.low + 1)
    low = rule.low if not (isinstance(rule, Number) and rule.above) else rule.low + (high - rule.low) / 100
    return f"{_text(low)}..{_text(high)}"


def searchable_settings() -> list[str]:
    """The settings that can be varied."""
    return [name for name, rule in setting_rules().items() if name not in NOT_SEARCHABLE and not _single(rule)]


def _single(rule: Integer | Number | Choice) -> bool:
    return isinstance(rule, Choice) and len(rule.values) < 2
