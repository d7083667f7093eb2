"""One cluster for all tests of this folder, and the settings by which our own processes find it."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.nodes import RayCluster


@pytest.fixture(autouse=True, scope="session")
def ray_is_installed() -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed; `make test-cluster` installs it")


@pytest.fixture(scope="session")
def ray_folder(ray_is_installed: None) -> Iterator[Path]:
    """A short path: Ray keeps sockets there, whose names must not be long."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_cluster(ray_folder: Path) -> Iterator[RayCluster]:
    made = RayCluster(ray_folder)
    yield made
    made.close()


@pytest.fixture
def on_cluster(ray_cluster: RayCluster, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> RayCluster:
    """The settings that everything of ours reads; a run is given one core, so that a node has two of them."""
    monkeypatch.setenv("DIGITLAB_RAY_ADDRESS", ray_cluster.address)
    monkeypatch.setenv("DIGITLAB_RAY_CPUS", "1")
    runs_root.mkdir(parents=True, exist_ok=True)
    return ray_cluster
