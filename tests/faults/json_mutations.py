"""Damaged JSON: every field becomes every odd value, or is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

VALUES = {
    "null": "null",
    "true": "true",
    "-1": "-1",
    "0": "0",
    "0.5": "0.5",
    "1e15": "1e15",
    "10**30": "1" + 30 * "0",
    "10**5000": "1" + 5000 * "0",
    "1e308": "1e308",
    "1e999": "1e999",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "an empty text": '""',
    "a text": '"0.5"',
    "a long text": json.dumps("x" * 200_000),
    "Markdown": '"![x](http://evil.example/x.png) <script>alert(1)</script> $x$ :red[x]"',
    "control characters": '"a\\u0000b\\n\\u202e\\u200b"',
    "half a surrogate pair": '"\\ud800"',
    "a path": '"/dev/zero"',
    "a path upward": '"../../../../etc/passwd"',
    "[]": "[]",
    "[null]": "[null]",
    "{}": "{}",
    "900 lists in one another": "[" * 900 + "]" * 900,
    "100,000 lists in one another": "[" * 100_000 + "]" * 100_000,
    "50,000 zeros": "[" + "0," * 49_999 + "0]",
}
"""JSON that takes the place of a value, by the name of the mutation."""

PLACEHOLDER = "\ue000"


def mutated_json(value: Any, values: dict[str, str] = VALUES) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields what was done and a function that returns the content, for each field and each value in its place.

    Only the first of the elements of a list changes.
    """
    for place in _places(value):
        name = ".".join(map(str, place)) or "all"
        template = json.dumps(_replaced(value, place, PLACEHOLDER), ensure_ascii=False)
        before, after = template.split(f'"{PLACEHOLDER}"')
        for label, text in values.items():
            yield f"{name} = {label}", partial(_joined, before, text, after)
        if place and isinstance(place[-1], str):
            yield f"{name} is missing", partial(_joined, json.dumps(_removed(value, place)))


def _joined(*parts: str) -> bytes:
    return "".join(parts).encode()


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*place, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*place, 0))


def _replaced(value: Any, place: Sequence[str | int], new: Any) -> Any:
    if not place:
        return new
    key: Any = place[0]
    inner = _replaced(value[key], place[1:], new)
    if isinstance(value, dict):
        return {**value, key: inner}
    return [inner, *value[1:]]


def _removed(value: Any, place: Sequence[str | int]) -> Any:
    key: Any = place[0]
    if len(place) == 1:
        return {name: inner for name, inner in value.items() if name != key}
    inner = _removed(value[key], place[1:])
    return {**value, key: inner} if isinstance(value, dict) else [inner, *value[1:]]
