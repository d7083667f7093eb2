"""The gate, `.ci/run`, with commands that do nothing: what it runs at the same time, and that no part may fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the gate is a shell script")

PARTS = ("dev-ready", "lint", "test-cluster", "audit", "test")
STUB = """#!/bin/sh
for part; do :; done
echo "$part begins" >>order
[ "$part" != {slow} ] || while ! grep -q "test begins" order; do sleep 0.01; done
echo "words of $part"
[ "$part" != {failing} ]
"""


def run_gate(folder: Path, failing: str = "none", slow: str = "none") -> subprocess.CompletedProcess[str]:
    """Runs the gate with stubs. The part `failing` exits with 1; the part `slow` ends only once `test` has begun."""
    programs, tools = folder / "programs", folder / ".ci"
    for path in (programs, tools, folder / ".venv" / "bin"):
        path.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tools / "run")
    (tools / "venv.sh").write_text("")
    stub = STUB.format(failing=failing, slow=slow)
    for name in ("make", "chromium", "node"):
        (programs / name).write_text(stub)
    (folder / ".venv" / "bin" / "python").write_text(stub.replace("$part", "audit"))
    for name in ("python3.11", "python3.12", "python3.13"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
    for path in (*programs.iterdir(), folder / ".venv" / "bin" / "python"):
        path.chmod(0o755)
    return subprocess.run(
        ["bash", str(tools / "run")],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_gate_tests_beside_the_cluster_and_shows_what_every_part_says(tmp_path: Path) -> None:
    done = run_gate(tmp_path, slow="test-cluster")
    assert done.returncode == 0, done.stderr
    assert all(f"words of {part}\n" in done.stdout for part in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_fails_the_gate_and_is_shown(part: str, tmp_path: Path) -> None:
    done = run_gate(tmp_path, failing=part)
    assert done.returncode != 0 and f"words of {part}\n" in done.stdout


def test_what_make_starts_keeps_compiled_code() -> None:
    """Otherwise each process of the tests compiles everything again, which once took a tenth of the gate's time."""
    done = subprocess.run(
        ["make", "--silent", "--eval", "show: ; @echo compiled=$${PYTHONDONTWRITEBYTECODE-kept}", "show"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "compiled=kept\n", done.stderr
