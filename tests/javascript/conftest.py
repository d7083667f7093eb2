"""Node, in which the browser's code is tested, and the shipped model."""

from __future__ import annotations

import os
import shutil

import pytest

from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.models.weights import Weights, layer_weights
from mnist_core.networks.architecture import Architecture
from mnist_core.runs.model_card import load_architecture
from tests.javascript.parity import Node, run_node


@pytest.fixture(scope="session")
def node() -> Node:
    """Runs a script of this folder under Node. Without it tests are skipped, or fail with DIGITLAB_REQUIRE_BROWSER."""
    if shutil.which("node") is None:
        missing = "Node is not installed: what runs in a browser is not tested (Debian: apt install nodejs)"
        (pytest.fail if os.environ.get("DIGITLAB_REQUIRE_BROWSER") else pytest.skip)(missing)
    return run_node


@pytest.fixture(scope="session")
def shipped() -> tuple[Architecture, list[Weights]]:
    """The shipped model's architecture and weights."""
    folder = DEFAULT_MODEL.parent
    architecture = load_architecture(folder)
    return architecture, layer_weights(folder / "model.keras", architecture)
