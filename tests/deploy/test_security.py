"""What SECURITY.md claims in numbers and names is what the code does."""

from __future__ import annotations

import re
import tomllib

from mnist_core import guesses
from mnist_core.explain import gradient_client
from mnist_core.export import measure, try_model, unzip
from mnist_core.handwriting import corrections
from mnist_core.networks import library
from mnist_core.processes import SECRET_WORDS
from mnist_core.training import reconvert
from pages.ui.shared import upload_limits
from tests.support import ROOT

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_its_budgets_are_the_defaults_of_the_settings() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^\| `(DIGITLAB_\w+)` \| (\d+) \|", settings, re.MULTILINE))
    claimed = {name: number.replace(",", "") for name, number in re.findall(r"`(DIGITLAB_\w+)` ([\d,]*\d)", SECURITY)}
    assert len(claimed) >= 10
    assert claimed == {name: defaults[name] for name in claimed}


def test_its_other_limits_are_those_of_the_code() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    claims = (
        f"saved networks of one owner, and of all | `DIGITLAB_MAX_NETWORKS_EACH` 50, {library.MAX_NETWORKS} |",
        f"kept drawings of one owner, and of all | `DIGITLAB_MAX_DRAWINGS_EACH` 200, {corrections.MAX_CORRECTIONS:,} |",
        f"{config['server']['maxUploadSize']} MB; {upload_limits.FILES_EACH} in a session, "
        f"{upload_limits.BYTES_IN_ALL // 10**6} MB in all; a zip may unpack to {unzip.MAX_RATIO} times its size, "
        f"or {unzip.FREE_BYTES // 10**6} MB",
        f"{try_model.MAX_SECONDS} s to try it and {measure.MAX_SECONDS} s to measure it, "
        f"{reconvert.TIMEOUT_SECONDS} s to convert a model, {gradient_client.RESPONSE_SECONDS:.0f} s for a gradient",
    )
    assert [claim for claim in claims if claim not in SECURITY] == []


def test_its_limits_of_guesses_are_those_of_the_code() -> None:
    assert f"{guesses.GUESSES_EACH} in ten minutes for each address, {guesses.GUESSES_IN_ALL} in total" in SECURITY
    assert guesses.WINDOW_SECONDS == 600


def test_it_names_every_word_that_makes_a_variable_secret() -> None:
    assert all(word in SECURITY.replace("\\_", "_") for word in SECRET_WORDS)
