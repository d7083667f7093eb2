"""What SECURITY.md claims in numbers and names is what the code does."""

from __future__ import annotations

import re

from mnist_core import guesses
from mnist_core.processes import SECRET_WORDS
from tests.support import ROOT

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_its_budgets_are_the_defaults_of_the_settings() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^\| `(DIGITLAB_\w+)` \| (\d+) \|", settings, re.MULTILINE))
    claimed = {name: number.replace(",", "") for name, number in re.findall(r"`(DIGITLAB_\w+)` ([\d,]*\d)", SECURITY)}
    assert len(claimed) >= 10
    assert claimed == {name: defaults[name] for name in claimed}


def test_its_limits_of_guesses_are_those_of_the_code() -> None:
    assert f"{guesses.GUESSES_EACH} in ten minutes for an address, {guesses.GUESSES_IN_ALL} for all" in SECURITY
    assert guesses.WINDOW_SECONDS == 600


def test_it_names_every_word_that_makes_a_variable_secret() -> None:
    assert all(word in SECURITY.replace("\\_", "_") for word in SECRET_WORDS)
