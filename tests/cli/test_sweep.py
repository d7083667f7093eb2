"""The command `sweep`: what it refuses."""

from __future__ import annotations

import pytest

from tests.cli.calling import call_error


@pytest.mark.parametrize("arguments", [("--json", "show"), ("--trials", "5", "resume", "some-sweep")])
def test_options_before_a_subcommand_are_refused(arguments: tuple[str, ...]) -> None:
    assert "after the command: sweep " in call_error("sweep", *arguments)
