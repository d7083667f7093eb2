"""The fold under every figure."""

from __future__ import annotations

import re

import pytest
from support import ROOT

from mnist_core import figures
from pages.ui.guides import GUIDES

PAGES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pages").rglob("*.py") if path.stem != "guides")


@pytest.mark.parametrize("name", GUIDES)
def test_guide_is_short_has_a_term_and_a_source_and_is_shown(name: str) -> None:
    guide = GUIDES[name]
    assert len(guide.text.split()) <= 80
    assert guide.term and re.fullmatch(r"https://\S+", guide.link)
    assert f'"{name}"' in PAGES


def test_csv_of_rows_that_differ_in_their_keys() -> None:
    rows = [{"digit": 7, "share": 0.5}, {"digit": 1, "note": 'a "b", c'}]
    assert figures.csv(rows).decode() == 'digit,share,note\n7,0.5,\n1,,"a ""b"", c"\n'
    assert figures.csv([]) == b"\n"
