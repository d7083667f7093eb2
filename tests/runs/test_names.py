"""Generated names: plain words, always the same for an id, and hardly ever twice."""

from __future__ import annotations

import re
import secrets

from mnist_core.runs.names import memorable_name


def test_a_name_is_plain_and_stays_the_same() -> None:
    assert memorable_name("20261121-093000-fast-1f2e3d4c") == "happy-orca-22"
    assert all(
        re.fullmatch(r"[a-z]{2,9}-[a-z]{2,9}-[0-9]{2}", memorable_name(secrets.token_hex(9))) for _ in range(500)
    )


def test_of_two_hundred_runs_hardly_any_two_share_a_name() -> None:
    assert len({memorable_name(f"20261121-093000-fast-{number:08x}") for number in range(200)}) >= 199
