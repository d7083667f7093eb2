"""Colors: everybody can tell them apart and read them, on a light page and on a dark one."""

from __future__ import annotations

import tomllib
from itertools import combinations
from typing import Any

import pytest

from mnist_core.charts.common import COLORS, DIGIT_COLORS
from pages.ui.shared import state_badge, theme
from tests.colors import COLOR_BLINDNESS, blend, contrast, distance
from tests.support import ROOT

PAGES: dict[str, dict[str, Any]] = {
    name: tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][name]
    for name in ("light", "dark")
}


def test_the_formulas_are_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # WebAIM
    assert distance("#000000", "#ffffff") == pytest.approx(100, abs=0.1)
    assert distance("#ff0000", "#00ff00") > 3 * distance("#ff0000", "#808000", "deuteranopia")


@pytest.mark.parametrize("blindness", COLOR_BLINDNESS)
def test_the_colors_of_two_digits_differ_for_everyone(blindness: str) -> None:
    least = 25 if blindness == "none" else 15
    close = [
        pair for pair in combinations(range(10), 2) if distance(*(DIGIT_COLORS[d] for d in pair), blindness) < least
    ]
    assert not close


@pytest.mark.parametrize("blindness", COLOR_BLINDNESS)
def test_right_and_wrong_differ_for_everyone(blindness: str) -> None:
    assert distance(COLORS["training"], COLORS["validation"], blindness) > 25


@pytest.mark.parametrize("page", PAGES)
def test_marks_stand_out_from_the_page(page: str) -> None:
    background = PAGES[page]["backgroundColor"]
    for color in (*DIGIT_COLORS, *COLORS.values(), PAGES[page]["primaryColor"]):
        assert contrast(color, background) >= 3, color


@pytest.mark.parametrize("page", PAGES)
def test_text_is_readable(page: str) -> None:
    colors, teal = PAGES[page], theme.TEAL_TEXT[list(PAGES).index(page)]
    selected = blend(colors["primaryColor"], colors["backgroundColor"], 0.1)  # of a segmented control
    for background in (colors["backgroundColor"], colors["secondaryBackgroundColor"], selected):
        secondary = blend(colors["textColor"], background, theme.SECONDARY_TEXT / 100)
        for text in (colors["textColor"], secondary, colors["linkColor"], colors["codeTextColor"], teal):
            assert contrast(text, background) >= 4.5, (text, background)
    assert contrast("#ffffff", colors["primaryColor"]) >= 4.5


def test_only_a_finished_run_is_green() -> None:
    assert [name for name, color in state_badge.COLORS.items() if color == "green"] == ["finished"]
