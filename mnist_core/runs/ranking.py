"""Filters and sorts rows of the history: search, whose runs they are, leaderboards."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from mnist_core import owners

Row = dict[str, Any]
"""As `history.history_row` returns it."""

SEARCHED = ("name", "recipe", "changed", "state", "note", "run", "data")
"""Columns that a search looks into."""
LEADERBOARD_SIZE = 10
WITH_MODEL = ("finished", "stopped")
"""States of a run that has a model."""


def search_rows(
    rows: Iterable[Row], words: str = "", states: Collection[str] = (), recipes: Collection[str] = ()
) -> list[Row]:
    """Returns the rows that match a search, starred ones first.

    Args:
        rows: of the history.
        words: separated by spaces; a row matches if it contains all of them, in upper or lower case.
        states: the states to keep; empty for all.
        recipes: the recipes to keep; empty for all.
    """
    wanted = words.lower().split()
    matches = [
        row
        for row in rows
        if (not states or row["state"] in states)
        and (not recipes or row["recipe"] in recipes)
        and all(word in _searched_text(row) for word in wanted)
    ]
    return sorted(matches, key=lambda row: not row["starred"])


def _searched_text(row: Row) -> str:
    return " ".join(str(row[column]) for column in SEARCHED if row[column] is not None).lower()


def split_by_owner(rows: Iterable[Row], owner: str) -> tuple[list[Row], list[Row]]:
    """Splits rows into the owner's own and all others, keeping their order. Nobody's runs belong to the others."""
    own: list[Row] = []
    others: list[Row] = []
    for row in rows:
        (own if owner != owners.NOBODY and row["owner"] == owner else others).append(row)
    return own, others


def is_ranked(row: Row) -> bool:
    """True for a run that was trained here and has a model. What trained an imported run, nobody here knows."""
    return row["state"] in WITH_MODEL and not row.get("imported")


def leaderboards(rows: Iterable[Row], count: int = LEADERBOARD_SIZE) -> dict[str, list[Row]]:
    """Ranks runs by validation accuracy. Among equals, the smaller network comes first.

    Each data set has its own table: their accuracies cannot be compared. The test accuracy ranks nothing: whoever
    chooses a model by it can no longer trust it.

    Args:
        rows: of the history; imported ones and those without a model or a validation accuracy are left out.
        count: rows of each table.

    Returns:
        Data set -> its best rows, each with its `place` from 1. The full MNIST comes first.
    """
    by_data: dict[str, list[Row]] = {}
    for row in rows:
        if row["val_accuracy"] is not None and row["data"] is not None and is_ranked(row):
            by_data.setdefault(row["data"], []).append(row)
    names = sorted(by_data, key=lambda name: (name != "full", name))
    return {name: _best_rows(by_data[name], count) for name in names}


def _best_rows(rows: list[Row], count: int) -> list[Row]:
    def order(row: Row) -> tuple[float, float]:
        return -row["val_accuracy"], row["parameters"] or float("inf")

    return [{"place": place, **row} for place, row in enumerate(sorted(rows, key=order)[:count], 1)]
