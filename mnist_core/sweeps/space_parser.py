"""Parses search spaces as people write them.

parse_dimension("learning_rate=1e-4..1e-1:log")      # a range on a logarithmic scale
parse_dimension("learning_rate=1e-4..1e-1:log:7")    # a grid takes seven values of it
parse_dimension("batch_size=32,128,512")             # a list of values
parse_dimension("epochs=1..5")                       # whole numbers
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from mnist_core.errors import SettingError
from mnist_core.fields import Choice, Integer, Number
from mnist_core.recipes.overrides import parse_override, setting_rules
from mnist_core.sweeps.search_space import MAX_GRID, NOT_SEARCHABLE, Dimension, Range, Values, value_text

_RANGE = re.compile(r"(?P<low>[^:,]+?)\.\.(?P<high>[^:,]+?)(?P<log>:log)?(?::(?P<points>[^:]*))?")


def parse_space(texts: Sequence[str], stored: bool = False) -> tuple[Dimension, ...]:
    """Parses every `--vary`, each for another setting.

    Args:
        texts: for `parse_dimension`.
        stored: they are those of a stored sweep. Earlier versions varied settings that are NOT_SEARCHABLE today.

    Raises:
        SettingError: as `parse_dimension`; or there is none, two are for the same setting, or one cannot be varied.
    """
    space = tuple(parse_dimension(text) for text in texts)
    names = [dimension.name for dimension in space]
    refused = next((name for name in names if name in NOT_SEARCHABLE), None)
    if refused and not stored:
        raise SettingError(f"{refused} cannot be varied: {NOT_SEARCHABLE[refused]}. Choose another setting.")
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise SettingError(f"{', '.join(duplicates)} is varied twice. Give it once, with all its values.")
    if not space:
        raise SettingError("Nothing to vary. Give at least one setting: learning_rate=1e-4..1e-1:log.")
    return space


def parse_dimension(text: str) -> Dimension:
    """Parses `NAME=LOW..HIGH`, optionally followed by `:log` and `:POINTS`, or `NAME=A,B,C`.

    Raises:
        SettingError: the text has another form, there is no such setting, the range is empty, a logarithmic range
            starts at zero or below, or the setting cannot take one of the values.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not values:
        raise SettingError(
            f"{text!r} does not say what to vary. Give a range, learning_rate=1e-4..1e-1:log, or a list, "
            "batch_size=32,128,512."
        )
    _check_name(name)
    return _parse_range(name, values) if ".." in values else _parse_values(name, values)


def _check_name(name: str) -> None:
    rules = setting_rules()
    if name not in rules:
        similar = difflib.get_close_matches(name, rules, 1)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        known = ", ".join(known for known in rules if known not in NOT_SEARCHABLE)
        raise SettingError(f"There is no setting {name!r}.{hint} Known: {known}.")


def _parse_values(name: str, text: str) -> Values:
    values = tuple(parse_override(f"{name}={part.strip()}")[1] for part in text.split(","))
    if len(set(values)) < 2:
        raise SettingError(f"{name}={text} has only one value. Give at least two different ones, or leave it out.")
    return Values(name, tuple(dict.fromkeys(values)))


def _parse_range(name: str, text: str) -> Range:
    rule, match = setting_rules()[name], _RANGE.fullmatch(text)
    if isinstance(rule, Choice):
        values = ",".join(map(value_text, rule.values))
        raise SettingError(f"{name} cannot have a range: it is {rule}. Give a list: {name}={values}.")
    if match is None:
        raise SettingError(
            f"{name}={text} is not a range. Expected LOW..HIGH, optionally followed by :log for a logarithmic scale "
            f"and by the number of values that a grid takes: {name}=LOW..HIGH:log:7."
        )
    log = match["log"] is not None
    low, high = _parse_end(name, match["low"], rule), _parse_end(name, match["high"], rule)
    _check_ends(name, low, high, log, isinstance(rule, Integer))
    return Range(name, low, high, log, isinstance(rule, Integer), _parse_points(name, match["points"]))


def _parse_end(name: str, text: str, rule: Integer | Number) -> float:
    """One end of a range. Raises SettingError if the setting cannot take it."""
    try:
        value = int(text) if isinstance(rule, Integer) else float(text)
    except ValueError:
        raise SettingError(f"The range of {name} ends at {text.strip()!r}, expected {rule}.") from None
    if not rule.accepts(value):
        raise SettingError(f"The range of {name} ends at {value_text(value)}, expected {rule}.")
    return value


def _check_ends(name: str, low: float, high: float, log: bool, whole: bool) -> None:
    if low >= high:
        fix = f"{name}={value_text(high)}..{value_text(low)}" if low > high else "two different ends"
        raise SettingError(f"The range {name}={value_text(low)}..{value_text(high)} is empty. Give {fix}.")
    if log and low <= 0:
        above_zero = max(1, int(high) // 1000) if whole else high / 1000
        raise SettingError(
            f"The logarithmic range of {name} starts at {value_text(low)}, and must start above zero. Give "
            f"{name}={value_text(above_zero)}..{value_text(high)}:log, for example, or leave out :log."
        )


def _parse_points(name: str, text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdecimal() or not 2 <= int(text) <= MAX_GRID:
        raise SettingError(
            f"The range of {name} asks for {text!r} values in a grid, expected a whole number from 2 to {MAX_GRID:,}."
        )
    return int(text)
