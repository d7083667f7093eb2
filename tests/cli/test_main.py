"""The command line as a whole: help, and a pipe that is closed early."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_core.recipes.recipes import DEFAULT_RECIPE
from tests.cli.calling import COMMANDS, call, run_process
from tests.support import ROOT, command_line, environment


def test_every_command_has_help() -> None:
    listed = call("--help").stdout
    for command in COMMANDS:
        result = call(command, "--help")
        assert result.exit_code == 0 and result.stdout.startswith("Usage:") and command in result.stdout
        assert command in listed


@pytest.mark.parametrize("command", ["train", "rate"])
def test_the_default_recipe_is_that_of_the_train_page(command: str) -> None:
    assert f"[default: {DEFAULT_RECIPE}]" in " ".join(call(command, "--help").stdout.split())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="only POSIX has broken pipes")
def test_a_closed_pipe_causes_no_traceback(tmp_path: Path) -> None:
    started = subprocess.Popen(
        command_line("recipes"), cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert started.stdout is not None and started.stderr is not None
    started.stdout.close()
    with started.stderr:
        assert b"Traceback" not in started.stderr.read()
    assert started.wait(30) == 1


@pytest.mark.slow
def test_without_a_command_all_commands_are_listed(tmp_path: Path) -> None:
    done = run_process(runs=tmp_path)
    assert done.returncode == 2 and all(command in done.stderr + done.stdout for command in COMMANDS)
    assert subprocess.run([sys.executable, "-c", "import mnist_core.__main__"], cwd=ROOT, timeout=60).returncode == 0
