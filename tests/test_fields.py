"""What a field may hold: bounds, kinds that Python confuses, and the words of a complaint."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from mnist_core.fields import (
    Allowed,
    Choice,
    Integer,
    Number,
    allowed,
    changed_fields,
    is_number,
    name_errors,
    rule_of,
    rule_violations,
)


@dataclass(frozen=True)
class Oven:
    degrees: float = allowed(Number(0, 300, above=True))
    minutes: int = allowed(Integer(1, 1_000), 10)
    mode: str | None = allowed(Choice((None, "fan", True, 2)), None)
    name: str = "free"


@pytest.mark.parametrize(
    ("rule", "accepted", "refused"),
    [
        (Integer(1, 8), [1, 8], [0, 9, True, 1.0, "1", None, float("nan"), 10**400, [1]]),
        (
            Number(0, 1),
            [0, 1, 0.5, -0.0],
            [-1e-9, 1.1, True, "0.5", None, float("nan"), float("inf"), 10**400, -(10**400)],
        ),
        (Number(0, 1, above=True), [1e-12, 1], [0, 0.0, -0.0]),
        (Choice((None, "relu", 2, True)), [None, "relu", 2, True], ["", "Relu", 2.0, False, 1, [], {}, float("nan")]),
    ],
)
def test_rules(rule: Allowed, accepted: list[object], refused: list[object]) -> None:
    assert [value for value in accepted if not rule.accepts(value)] == []
    assert [value for value in refused if rule.accepts(value)] == []


def test_rules_say_what_they_expect() -> None:
    assert str(Integer(1, 60_000)) == "a whole number from 1 to 60,000"
    assert str(Number(0, 0.95)) == "a number from 0 to 0.95"
    assert str(Number(0, 10, above=True)) == "a number above 0 and at most 10"
    assert str(Choice((None, "relu"))) == "one of none, relu"


def test_rule_violations_name_field_value_and_expectation() -> None:
    assert rule_violations(Oven(180)) == []
    assert rule_violations(Oven(0, 2_000, "gas")) == [
        "degrees is 0, expected a number above 0 and at most 300",
        "minutes is 2000, expected a whole number from 1 to 1,000",
        "mode is 'gas', expected one of none, fan, True, 2",
    ]


def test_changed_fields_leave_out_defaults_and_keep_the_order() -> None:
    assert changed_fields(Oven(180)) == {"degrees": 180}
    assert list(changed_fields(Oven(180, name="x", minutes=3))) == ["degrees", "minutes", "name"]


def test_name_errors_name_the_unknown_and_the_missing() -> None:
    assert name_errors(Oven, {"degrees": 1, "name": "x"}) == []
    assert name_errors(Oven, {"watts": 1}) == [
        "'watts' is not one of its settings (degrees, minutes, mode, name)",
        "degrees is missing",
    ]


def test_rule_of_a_plain_field_is_none() -> None:
    assert [rule_of(field) is None for field in fields(Oven)] == [False, False, False, True]


def test_is_number_refuses_everything_but_finite_numbers() -> None:
    assert all(is_number(value) for value in (0, -1, 1.5, 10**400))
    assert not any(is_number(value) for value in (True, "1", None, [], float("nan"), float("inf"), -float("inf")))
