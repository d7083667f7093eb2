"""Calls the product as users do, for the other benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def train(recipe: str, *arguments: str) -> dict[str, Any]:
    """Trains with the command line and returns what `train --json` printed."""
    command = [sys.executable, "-m", "mnist_core", "train", "--recipe", recipe, "--json", *arguments]
    printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found
