"""Rules for the values of dataclass fields, and of numbers and texts in files that anybody may have written.

Layers, training settings and the status of a run state each rule once, next to the field.

@dataclass(frozen=True)
class Oven:
    degrees: int = allowed(Integer(50, 300), 180)

rule_violations(Oven(20))     # ["degrees is 20, expected a whole number from 50 to 300"]
accepted(SHARE, 10**30)       # None
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeGuard

MAX_SHOWN = 500
"""Characters of a value that an error repeats."""


@dataclass(frozen=True)
class Integer:
    """A whole number in low..high."""

    low: int
    high: int

    def accepts(self, value: object) -> bool:
        """True if the value keeps the rule."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low:,} to {self.high:,}"


@dataclass(frozen=True)
class Number:
    """A number in low..high.

    Attributes:
        low: lower limit.
        high: upper limit, included.
        above: whether the lower limit itself is excluded.
    """

    low: float
    high: float
    above: bool = False

    def accepts(self, value: object) -> bool:
        """True if the value keeps the rule."""
        return is_number(value) and self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        if self.above:
            return f"a number above {self.low:g} and at most {self.high:g}"
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def accepts(self, value: object) -> bool:
        """True if the value keeps the rule."""
        return any(value is known or (type(value) is type(known) and value == known) for known in self.values)

    def __str__(self) -> str:
        return "one of " + ", ".join("none" if value is None else str(value) for value in self.values)


@dataclass(frozen=True)
class Text:
    """A text of at most `length` characters."""

    length: int

    def accepts(self, value: object) -> bool:
        """True if the value keeps the rule."""
        return isinstance(value, str) and len(value) <= self.length

    def __str__(self) -> str:
        return f"a text of at most {self.length:,} characters"


@dataclass(frozen=True)
class Maybe:
    """None, or what another rule accepts."""

    rule: Integer | Number | Text

    def accepts(self, value: object) -> bool:
        """True if the value keeps the rule."""
        return value is None or self.rule.accepts(value)

    def __str__(self) -> str:
        return f"none, or {self.rule}"


COUNT = Integer(0, 10**12)
"""How many there are of something. A training of years has fewer steps."""
AMOUNT = Number(0, 1e12)
"""A loss, a speed or a duration."""
LOSS = Number(-1e30, 1e30)
"""A loss. That of a training that diverges may be huge."""
MEASURED = Number(-1e12, 1e12)
"""Any number that was measured or computed."""
SHARE = Number(0, 1)
TIMESTAMP = Number(0, 4e9)
"""Seconds since 1970; at most the year 2096."""

Allowed = Integer | Number | Choice
"""A rule for a layer's field or a setting, for which a form has a control."""
Rule = Allowed | Text | Maybe
"""A rule for any value that comes from a file."""


def allowed(rule: Rule, default: Any = MISSING) -> Any:
    """Declares a dataclass field with a rule. Without a default, the field is required."""
    return field(default=default, metadata={"allowed": rule})


def rule_of(declared: Field[Any]) -> Allowed | None:
    """Returns the rule of a field; None if it has none."""
    rule: Allowed | None = declared.metadata.get("allowed")
    return rule


def rule_violations(instance: Any) -> list[str]:
    """Returns one sentence for each field whose value breaks its rule: `degrees is 20, expected …`."""
    violations = []
    for declared in fields(instance):
        rule, value = declared.metadata.get("allowed"), getattr(instance, declared.name)
        if rule is not None and not rule.accepts(value):
            violations.append(f"{declared.name} is {shorten(repr(value))}, expected {rule}")
    return violations


def shorten(text: str) -> str:
    """Returns a text as an error repeats it: its first MAX_SHOWN characters."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def accepted(rule: Rule, value: Any, default: Any = None) -> Any:
    """Returns a value that was read from a file if it keeps the rule, otherwise the default."""
    return value if rule.accepts(value) else default


def name_errors(kind: type, values: Mapping[str, object]) -> list[str]:
    """Compares keys with the fields of a dataclass.

    Returns:
        One sentence for each key that is no field of `kind`, then one for each required field that is missing.
    """
    known = {declared.name: declared for declared in fields(kind)}
    names = ", ".join(known) or "it has none"
    unknown = [f"{name!r} is not one of its settings ({names})" for name in values if name not in known]
    required = [name for name, declared in known.items() if declared.default is MISSING]
    return unknown + [f"{name} is missing" for name in required if name not in values]


def changed_fields(instance: Any) -> dict[str, Any]:
    """Returns the fields that differ from their default or have none, in the order of their declaration."""
    return {
        declared.name: getattr(instance, declared.name)
        for declared in fields(instance)
        if declared.default is MISSING or getattr(instance, declared.name) != declared.default
    }


def is_number(value: object) -> TypeGuard[int | float]:
    """True for a finite int or float. JSON read from a file can hold anything, and bool is a subclass of int."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
