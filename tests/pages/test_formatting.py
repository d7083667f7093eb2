"""Numbers and dates as the pages write them."""

from __future__ import annotations

import pytest

from pages.ui.shared import formatting


@pytest.mark.parametrize(
    ("count", "nouns", "text"),
    [
        (0, ("run",), "0 runs"),
        (1, ("run",), "1 run"),
        (2, ("kept drawing",), "2 kept drawings"),
        (1200, ("entry", "entries"), "1,200 entries"),
        (1, ("entry", "entries"), "1 entry"),
    ],
)
def test_plural_follows_the_count(count: int, nouns: tuple[str, ...], text: str) -> None:
    assert formatting.plural(count, *nouns) == text


def test_change_has_a_sign_and_no_change_is_not_shown() -> None:
    assert formatting.change(3, "d", "by fine-tuning") == "+3 by fine-tuning"
    assert formatting.change(-0.256, ".2f", "points") == "-0.26 points"
    assert formatting.change(1234.5, ",.1f") == "+1,234.5"
    assert formatting.change(0, "d") is None
    assert formatting.change(0.004, ".2f") is None and formatting.change(-0.004, ".2f") is None


def test_run_time_is_a_date_or_the_id() -> None:
    assert formatting.run_time("20261121-061500-fast-0123abcd") == "21 Nov 2026, 06:15"
    assert formatting.run_time("mine") == "mine"


def test_titles_of_a_menu_all_differ() -> None:
    titles = {"run-00aa": "net", "run-00bb": "net", "run-00cc": "other"}
    assert formatting.distinct(titles) == {"run-00aa": "net · 00aa", "run-00bb": "net · 00bb", "run-00cc": "other"}
