"""Rows of the history, chosen and put in order: what a search leaves, whose they are, and which are best."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from mnist_core import owners

Row = dict[str, Any]  # as history.summary makes it

SEARCHED = ("name", "recipe", "changed", "state", "note", "run", "data")
BEST = 10


def search(
    rows: Iterable[Row], words: str = "", states: Collection[str] = (), recipes: Collection[str] = ()
) -> list[Row]:
    """The rows that have every word somewhere and are of one of the states and recipes; starred ones first.

    Args:
        rows: of the history.
        words: separated by spaces, in capitals or not.
        states: of these; of any where there are none.
        recipes: likewise.
    """
    wanted = words.lower().split()
    left = [
        row
        for row in rows
        if (not states or row["state"] in states)
        and (not recipes or row["recipe"] in recipes)
        and all(word in _text(row) for word in wanted)
    ]
    return sorted(left, key=lambda row: not row["starred"])


def _text(row: Row) -> str:
    return " ".join(str(row[part]) for part in SEARCHED if row[part] is not None).lower()


def divide(rows: Iterable[Row], owner: str) -> tuple[list[Row], list[Row]]:
    """The owner's own rows, and the others'; each in the order given."""
    mine: list[Row] = []
    others: list[Row] = []
    for row in rows:
        (mine if owner != owners.NOBODY and row["owner"] == owner else others).append(row)
    return mine, others


def leaderboards(rows: Iterable[Row], count: int = BEST) -> dict[str, list[Row]]:
    """The best runs by test accuracy, the smaller network first among equals.

    The offline sample tests with 1,000 digits and MNIST with 10,000: their accuracies stand in tables of their own.

    Returns:
        Data set -> its best rows, each with its `place` from 1; the full MNIST first.
    """
    by_data: dict[str, list[Row]] = {}
    for row in rows:
        if row["test_accuracy"] is not None and row["data"] is not None:
            by_data.setdefault(row["data"], []).append(row)
    return {name: _best(by_data[name], count) for name in sorted(by_data, key=lambda name: (name != "full", name))}


def _best(rows: list[Row], count: int) -> list[Row]:
    def order(row: Row) -> tuple[float, float]:
        return -row["test_accuracy"], row["parameters"] or float("inf")

    return [{"place": place, **row} for place, row in enumerate(sorted(rows, key=order)[:count], 1)]
