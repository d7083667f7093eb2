"""Links with random parameters: every page opens, says what is wrong with the link, and is quick.

A generation-based fuzzer, seeded by its round: parameters of all pages, with right, nearly right and hostile values, on
a server with a history. What a session has from one link is there when it follows the next.
"""

from __future__ import annotations

import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.explain import neighbors
from mnist_core.networks import share_link
from mnist_core.recipes.overrides import setting_rules
from mnist_core.recipes.recipes import RECIPES
from pages.ui.shared import navigation, state
from tests.faults.report import scale, write_table
from tests.pages.hostile import HOSTILE, RUN, SWEEP
from tests.pages.support import APP, error_text
from tests.support import ROOT

pytestmark = pytest.mark.slow

SECONDS = scale(short=3, long=300)
PAGE_SECONDS = 5.0
"""Longest that a page may compute, which a busy machine does not change. The first also imports what pages need. What
is computed once for each model, with a progress bar, does not count: Nearest neighbors."""
LINKS_PER_SESSION = 25
PAGES = [page for page in navigation.PAGES if page not in ("pages/evaluate.py",)]
"""All pages but one, which classifies 10,000 images when it is opened, and shares its parameters with Explain."""
VIEWS = ("layers", "reasons", "browse", "kept", "figures", "confusion", "neighbours", "mind", "growth", "map")
TEXTS = (
    "",
    " ",
    "\x00",
    "null",
    "None",
    "-1",
    "0",
    "1e999",
    "nan",
    "9" * 400,
    "1" * 5000,
    "½",
    "٣",
    "𝟚",
    "a" * 20_000,
    "../../etc/passwd",
    "/dev/zero",
    ".",
    "%00",
    "[]",
    "{}",
    "[" * 1000,
    "\u202e\u200b\ufeff",
    "💥" * 50,
    "'; --",
    HOSTILE,
    ",".join(map(str, range(2000))),
    ",,,",
)
"""Values that no parameter expects, apart from some numbers."""

Value = Callable[[random.Random], str]


def network(dice: random.Random) -> str:
    """A network as a link has it, sometimes damaged."""
    text = share_link.encode(RECIPES[dice.choice(list(RECIPES))].settings.layers)
    return text if dice.random() < 0.3 else damaged(dice, text)


def damaged(dice: random.Random, text: str) -> str:
    """A text with a few characters changed, removed or doubled."""
    characters = list(text) or ["x"]
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(characters))
        characters[place] = dice.choice(("", 2 * characters[place], chr(dice.randrange(33, 127)), "é"))
    return "".join(characters)


def run_id(dice: random.Random) -> str:
    return RUN if dice.random() < 0.6 else damaged(dice, RUN)


def setting(dice: random.Random) -> str:
    """A number, a choice of some setting, or neither."""
    return dice.choice(
        ("0", "1", "2", "64", "0.001", "-3", "1e-9", "1e9", "true", "none", "adam", "hand", "cosine", "56")
    )


PARAMETERS: dict[str, Value] = {
    **dict.fromkeys(("run", "like", "model"), run_id),
    "compare": lambda dice: ",".join(run_id(dice) for _ in range(dice.randint(1, 5))),
    "sweep": lambda dice: SWEEP if dice.random() < 0.5 else damaged(dice, SWEEP),
    "recipe": lambda dice: dice.choice(list(RECIPES)),
    "net": network,
    "view": lambda dice: dice.choice(VIEWS),
    "tour": lambda dice: str(dice.randint(-1, 8)),
    "present": lambda dice: dice.choice("012"),
    "mode": lambda dice: dice.choice(("simple", "expert", "other")),
    "seed": lambda dice: str(dice.choice((0, 1, 2**31, 2**63, -1))),
    "data": lambda dice: dice.choice(("full", "sample", "/dev/zero", "custom")),
    **dict.fromkeys(setting_rules(), setting),
    "unknown": setting,
}
"""Parameter -> how to make a value that is right or nearly so."""


def make_link(dice: random.Random) -> tuple[str, dict[str, str]]:
    """A page, and the parameters of a link to it."""
    names = dice.sample(list(PARAMETERS), dice.choice((1, 1, 2, 3, 6)))
    values = {name: PARAMETERS[name](dice) if dice.random() < 0.6 else dice.choice(TEXTS) for name in names}
    return dice.choice(PAGES), values


@pytest.fixture
def shown_seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """CPU seconds of each piece of work that a page shows with a progress bar."""
    compute, seconds = neighbors.write_descriptors, list[float]()

    def measured(*arguments: Any) -> None:
        began = time.process_time()
        compute(*arguments)
        seconds.append(time.process_time() - began)

    monkeypatch.setattr(neighbors, "write_descriptors", measured)
    return seconds


def test_no_link_breaks_a_page(runs_root: Path, shown_seconds: list[float]) -> None:
    with zipfile.ZipFile(ROOT / "tests" / "compatibility" / "runs.zip") as archive:
        archive.extractall(runs_root)
    end = time.monotonic() + SECONDS
    counts: Counter[str] = Counter()
    slowest, broken, slow, number = 0.0, [], [], 0
    while time.monotonic() < end:
        if number % LINKS_PER_SESSION == 0:
            app = AppTest.from_file(str(APP), default_timeout=120)
            app.session_state[state.EXPERT] = number % 2 == 0
        page, query = make_link(random.Random(number))
        for name in list(app.query_params):
            del app.query_params[name]
        for name, value in query.items():
            app.query_params[name] = value
        began, shown = time.process_time(), len(shown_seconds)
        app.switch_page(page).run()
        seconds = time.process_time() - began - sum(shown_seconds[shown:])
        slowest = max(slowest, seconds)
        text = error_text(app)
        counts["opened" if not text else "refused in a sentence"] += 1
        found = [error.value for error in app.exception] or re.findall(r"Something went wrong \(.*?\)", text)
        if found:
            broken.append((number, page, query, found))
            app = AppTest.from_file(str(APP), default_timeout=120)
        if seconds > PAGE_SECONDS and number:
            slow.append((number, page, query, f"{seconds:.1f} s"))
        number += 1
    write_table(
        "fuzzing-links",
        ["links", *sorted(counts), "broken", "over 5 s", "slowest, s", "minutes"],
        [[number, *(counts[each] for each in sorted(counts)), len(broken), len(slow), f"{slowest:.1f}", SECONDS // 60]],
        "make test-faults ARGS=tests/faults/test_links.py",
    )
    assert not broken, broken[:3]
    assert not slow, slow[:3]
