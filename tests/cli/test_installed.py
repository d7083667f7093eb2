"""The installed command `digitlab`: works outside of the checkout, with the model that the package ships."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="the command is an .exe there")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed a copy of the package into, without its dependencies and without a network."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(ROOT / "mnist_core", source / "mnist_core", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", "--target", str(folder / "lib"), str(source)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(source)
    return folder / "lib"


def digitlab(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(installed / "bin" / "digitlab"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_digitlab_classifies_a_drawing_from_any_folder(installed: Path, tmp_path: Path, sample: Any) -> None:
    digit = cv2.resize(sample.x_test[0], (280, 280), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "digit.png"), np.asarray(255 - digit))
    done = digitlab(installed, "classify", "digit.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["source"], row["digit"]) == ("digit.png", sample.y_test[0])


def test_help_and_errors_name_the_program(installed: Path, tmp_path: Path) -> None:
    assert digitlab(installed, "--help", folder=tmp_path).stdout.startswith("Usage: digitlab ")
    failed = digitlab(installed, "train", "--no-such-option", folder=tmp_path)
    assert failed.returncode == 2 and "Usage: digitlab train " in failed.stderr
