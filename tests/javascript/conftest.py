import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script of this folder under Node. Skips the test where there is none."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node is not installed: what runs in a browser is not tested (Debian: apt install nodejs)")

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [program, str(HERE / script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run
