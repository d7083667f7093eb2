"""Which addresses each documented way to start the app listens on."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.live import free_port
from tests.support import ROOT, environment, wait_until


def readme_command() -> list[str]:
    """The command that README.md gives where there is no make."""
    (command,) = re.findall(r"^\.venv\\Scripts\\python (-m streamlit .*)$", (ROOT / "README.md").read_text(), re.M)
    return [sys.executable, *shlex.split(command)]


def addresses(process: psutil.Process) -> set[str]:
    """The addresses on which a process listens."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return {one.laddr.ip for one in process.net_connections() if one.status == psutil.CONN_LISTEN}
    return pytest.fail("the app ended")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "changes", "expected"),
    [
        pytest.param(readme_command(), {}, "127.0.0.1", id="README"),
        pytest.param([sys.executable, ".ci/serve.py"], {"HOST": "0.0.0.0"}, "0.0.0.0", id="HOST=0.0.0.0"),
    ],
)
def test_the_app_is_open_to_the_network_only_if_asked(
    command: list[str], changes: dict[str, str], expected: str, runs_root: Path
) -> None:
    port = str(free_port())
    options = {"STREAMLIT_SERVER_HEADLESS": "true", "STREAMLIT_SERVER_PORT": port, "PORT": port} | changes
    inherited = {name: value for name, value in environment(runs_root).items() if name != "HOST"}
    with subprocess.Popen(command, cwd=ROOT, env=inherited | options, stdout=subprocess.DEVNULL) as process:
        try:
            found = wait_until(lambda: addresses(psutil.Process(process.pid)), "the app listens")
        finally:
            process.kill()
    assert found == {expected}


def test_the_container_listens_on_all_of_its_addresses() -> None:
    command = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition("\nCMD ")[2]
    assert '"--server.address=0.0.0.0"' in command
