"""The locked versions fit the ranges, are checked by hashes, and name no place to install from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import ROOT

LOCKED = {
    "requirements.txt": ["requirements.txt", "requirements-sign-in.txt"],
    "requirements-dev.txt": ["requirements-dev.txt"],
    "requirements-cluster.txt": ["requirements-cluster.txt"],
}
"""Lock in deploy/locks/ -> the files with its ranges."""
PYTHONS = ("3.11", "3.12", "3.13")
PIN = re.compile(r"([a-z0-9.-]+)==([^ ;]+)(?: ; ([^\\]+))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\\n|\n))+)")


def ranges(path: Path) -> Iterator[Requirement]:
    """The requirements of a file and of those that it includes."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from ranges(path.parent / line[3:])
        elif line and not line.startswith("#"):
            yield Requirement(line)


def pins(name: str) -> dict[str, list[Requirement]]:
    """Package -> its pinned versions. Fails on a line that is anything but a pin with hashes."""
    text = (ROOT / "deploy" / "locks" / name).read_text(encoding="utf-8")
    found: dict[str, list[Requirement]] = {}
    for package, version, marker, _ in PIN.findall(text):
        pin = Requirement(f"{package}=={version}" + (f"; {marker}" if marker else ""))
        found.setdefault(package, []).append(pin)
    assert not [line for line in PIN.sub("", text).splitlines() if not line.startswith("#")]
    return found


@pytest.mark.parametrize("name", LOCKED)
def test_each_range_has_one_locked_version_on_every_python(name: str) -> None:
    locked = pins(name)
    for file in LOCKED[name]:
        for wanted in ranges(ROOT / file):
            for python in PYTHONS:
                here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
                fitting = [
                    pin
                    for pin in locked[wanted.name.lower().replace("_", "-")]
                    if pin.marker is None or pin.marker.evaluate(here)
                ]
                (version,) = (next(iter(pin.specifier)).version for pin in fitting)
                assert version in wanted.specifier, f"{wanted.name} on Python {python}: make lock"


def test_the_app_the_tests_and_the_cluster_have_the_same_versions() -> None:
    tested = pins("requirements-dev.txt")
    for name in LOCKED:
        for package, versions in pins(name).items():
            assert package not in tested or tested[package] == versions, f"{package} in {name}: make lock"


def test_containers_and_ci_install_what_is_locked() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "pip install --require-hashes -r deploy/locks/requirements.txt" in dockerfile
    assert re.search(r"\nARG PYTHON_IMAGE=python:3\.1[123]-slim@sha256:[0-9a-f]{64}\nFROM \$PYTHON_IMAGE\n", dockerfile)
    assert re.search(r"^export LOCKED=1\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text(encoding="utf-8")
        assert all(re.fullmatch(r"[0-9a-f]{40}", pin) for pin in re.findall(r"uses: [^@\n]+@(\S+)", text))
        assert all("--require-hashes" in line for line in text.splitlines() if "pip install" in line)
