"""Looks for known vulnerabilities in the locked packages, with pip-audit. Exits with 1 if one has no exception.

    python deploy/audit.py

deploy/audit.toml lists exceptions. Where the database of vulnerabilities cannot be reached, a message says so and the
status is 0: CI has to pass where only the package registry can be reached. Dates of exceptions are checked even then.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parent
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-cluster.txt")
UNREACHABLE = ("Could not connect", "ConnectionError", "Max retries", "HTTPError")
"""Words of pip-audit's message when it could not ask."""
NOT_AUDITED = "Not audited: the database of known vulnerabilities cannot be reached from here."


def expired(exceptions: Iterable[Mapping[str, Any]], today: datetime.date) -> list[str]:
    """What is wrong with exceptions: a missing reason or date, or a date that has passed."""
    problems = []
    for one in exceptions:
        name = f"{one.get('id', 'an exception')} in audit.toml"
        if not (one.get("id") and one.get("package") and one.get("reason")):
            problems.append(f"{name} needs id, package and reason.")
        elif type(one.get("until")) is not datetime.date:
            problems.append(f"{name} needs until, a date such as 2027-03-01.")
        elif one["until"] < today:
            problems.append(f"{name} ended on {one['until']}: update {one['package']}, or look at it again.")
    return problems


def found(report: Mapping[str, Any], exceptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """The vulnerabilities of pip-audit's JSON report that have no exception."""
    accepted = {(one["package"], one["id"]) for one in exceptions}
    return [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'nothing'}"
        for package in report["dependencies"]
        for flaw in package.get("vulns", [])
        if not accepted & {(package["name"], name) for name in (flaw["id"], *flaw.get("aliases", []))}
    ]


def summary(report: Mapping[str, Any]) -> str:
    """How many packages were looked up. A registry that is only a mirror answers pip-audit with "not found"."""
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return NOT_AUDITED
    unknown = f" Not found there: {', '.join(skipped)}." if skipped else ""
    return f"Audited {len(packages) - len(skipped)} of {len(packages)} packages.{unknown}"


def main() -> int:
    """Audits the locks."""
    exceptions = tomllib.loads((DEPLOY / "audit.toml").read_text(encoding="utf-8")).get("exception", [])
    problems = expired(exceptions, datetime.datetime.now(datetime.UTC).date())
    files = [part for name in LOCKS for part in ("-r", str(DEPLOY / "locks" / name))]
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    if not problems:
        done = subprocess.run([*command, "--timeout=20", "-f", "json", *files], capture_output=True, text=True)
        if done.stdout.startswith("{"):
            report = json.loads(done.stdout)
            problems = found(report, exceptions)
            print(summary(report))
        elif any(word in done.stderr for word in UNREACHABLE):
            print(NOT_AUDITED)
        else:
            problems = [f"pip-audit failed: {done.stderr[-2000:]}"]
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
