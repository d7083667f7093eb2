import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.models.weights import layer_weights
from mnist_core.networks.architecture import Architecture, layers_from_json

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script of this folder under Node. Without it tests are skipped, or fail with DIGITLAB_REQUIRE_BROWSER."""
    program = shutil.which("node")
    if program is None:
        missing = "Node is not installed: what runs in a browser is not tested (Debian: apt install nodejs)"
        (pytest.fail if os.environ.get("DIGITLAB_REQUIRE_BROWSER") else pytest.skip)(missing)

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [program, str(HERE / script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture(scope="session")
def shipped():
    """The shipped model's architecture and weights."""
    card = json.loads((DEFAULT_MODEL.parent / "card.json").read_text())
    architecture = Architecture(layers_from_json(card["settings"]["layers"]))
    return architecture, layer_weights(DEFAULT_MODEL.parent / "model.keras", architecture)
