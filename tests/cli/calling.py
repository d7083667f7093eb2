"""Calls the command line: in this process, or in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from mnist_core.__main__ import main
from tests.support import ROOT, command_line, environment

COMMANDS = (
    "recipes",
    "train",
    "resume",
    "runs",
    "show",
    "compare",
    "export",
    "import",
    "delete",
    "restore",
    "classify",
    "evaluate",
    "reproduce",
    "rate",
    "sweep",
)


def call(*arguments: str | Path, runs: Path | None = None) -> Result:
    """Calls the command line in this process. `runs`: RUNS_DIR; that of the test by default."""
    environment = {"DIGITLAB_RUNS": str(runs)} if runs else None
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


def call_json(*arguments: str | Path, runs: Path | None = None) -> Any:
    """Returns what a command that succeeds prints on standard output, parsed as JSON."""
    result = call(*arguments, runs=runs)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def call_error(*arguments: str | Path, runs: Path | None = None) -> str:
    """Returns the standard error of a command that fails with exit status 2 and prints no result."""
    result = call(*arguments, runs=runs)
    assert result.exit_code == 2 and result.stdout == "", result.output
    assert isinstance(result.exception, SystemExit | None) and "Traceback" not in result.stderr, result.output
    return result.stderr


def run_process(*arguments: str, runs: Path, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    """Runs the real command line in a process of its own."""
    return subprocess.run(
        command_line(*arguments), cwd=ROOT, env=environment(runs), capture_output=True, text=True, timeout=seconds
    )
