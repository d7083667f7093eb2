"""What a field of a settings dataclass may hold. Layers and training settings state it once, next to the field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeGuard


@dataclass(frozen=True)
class Integer:
    """A whole number in low..high."""

    low: int
    high: int

    def accepts(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low:,} to {self.high:,}"


@dataclass(frozen=True)
class Number:
    """A number in low..high, or above low where low itself makes no sense."""

    low: float
    high: float
    above: bool = False

    def accepts(self, value: object) -> bool:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and not (self.above and value == self.low)  # NaN is in no range

    def __str__(self) -> str:
        if self.above:
            return f"a number above {self.low:g} and at most {self.high:g}"
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def accepts(self, value: object) -> bool:
        return any(value is known or (type(value) is type(known) and value == known) for known in self.values)

    def __str__(self) -> str:
        return "one of " + ", ".join("none" if value is None else str(value) for value in self.values)


Allowed = Integer | Number | Choice


def allowed(rule: Allowed, default: Any = MISSING) -> Any:
    """A dataclass field that may hold what `rule` accepts."""
    return field(default=default, metadata={"allowed": rule})


def rule_of(described: Field[Any]) -> Allowed | None:
    """The rule of a field made by `allowed`, None for any other field."""
    rule: Allowed | None = described.metadata.get("allowed")
    return rule


def rule_violations(instance: Any) -> list[str]:
    """One sentence for each field whose value breaks its rule: what was given, and what was expected."""
    found = []
    for described in fields(instance):
        rule, value = rule_of(described), getattr(instance, described.name)
        if rule is not None and not rule.accepts(value):
            found.append(f"{described.name} is {value!r}, expected {rule}")
    return found


def changed_fields(instance: Any) -> dict[str, Any]:
    """The fields that have no default or differ from it, in order of declaration."""
    return {
        described.name: getattr(instance, described.name)
        for described in fields(instance)
        if described.default is MISSING or getattr(instance, described.name) != described.default
    }


def name_errors(kind: type, values: Mapping[str, object]) -> list[str]:
    """One sentence for each key that is no field of the dataclass `kind`, and for each required one that is absent."""
    known = {described.name: described for described in fields(kind)}
    names = ", ".join(known) or "it has none"
    found = [f"{name!r} is not one of its settings ({names})" for name in values if name not in known]
    required = [name for name, described in known.items() if described.default is MISSING]
    return found + [f"{name} is missing" for name in required if name not in values]


def is_number(value: object) -> TypeGuard[int | float]:
    """True for a finite int or float. JSON read from a file can hold anything, and bool is a subclass of int."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
