"""The audit of the locked packages: what fails, and that a registry without the database is not called clean."""

from __future__ import annotations

import datetime
import runpy
import tomllib
from typing import Any

import pytest

from tests.support import ROOT

audit = runpy.run_path(str(ROOT / "deploy" / "audit.py"))
TODAY = datetime.date(2026, 11, 26)
REPORT = {
    "dependencies": [
        {"name": "fine", "version": "1", "vulns": []},
        {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"], "aliases": ["CVE-1"]}]},
    ]
}


def exception(**changes: Any) -> dict[str, Any]:
    return {"id": "CVE-1", "package": "bad", "reason": "not used", "until": TODAY} | changes


def test_a_vulnerability_fails_unless_it_has_an_exception() -> None:
    assert audit["found"](REPORT, []) == ["bad 2: PYSEC-1, fixed in 3"]
    assert audit["found"](REPORT, [exception()]) == [], "under one of its other names"
    assert audit["found"](REPORT, [exception(package="fine")]) != [], "of another package"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"until": TODAY - datetime.timedelta(days=1)}, "ended on 2026-11-25"),
        ({"until": "2027-01-01"}, "needs until"),
        ({"reason": ""}, "reason"),
    ],
)
def test_an_exception_needs_a_reason_and_ends(changes: dict[str, Any], problem: str) -> None:
    problems = audit["expired"]([exception(**changes)], TODAY)
    assert problem in "".join(problems) and bool(problems) == bool(problem)


def test_packages_that_could_not_be_looked_up_are_not_called_clean() -> None:
    skipped = {"dependencies": [{"name": "x", "skip_reason": "Dependency not found"}]}
    assert audit["summary"](skipped).startswith("Not audited")
    assert "Not found there: x" in audit["summary"]({"dependencies": REPORT["dependencies"] + skipped["dependencies"]})


def test_the_committed_exceptions_are_valid_today() -> None:
    exceptions = tomllib.loads((ROOT / "deploy" / "audit.toml").read_text()).get("exception", [])
    assert audit["expired"](exceptions, TODAY) == []
