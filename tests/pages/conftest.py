"""What all tests of pages share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from mnist_core.data.mnist import Mnist
from mnist_core.jobs.local import LocalBackend
from mnist_core.runs.run import Run
from pages.ui.shared import state
from tests.pages.support import APP
from tests.support import Trained


@pytest.fixture(scope="session", autouse=True)
def component_manifests_scanned_once() -> Iterator[None]:
    """Spares every AppTest 0.25 s: each would read the metadata of all installed packages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def app() -> AppTest:
    """The app of a server that has just started, in Expert mode."""
    st.cache_resource.clear()
    st.cache_data.clear()
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.session_state[state.EXPERT] = True
    return app


@pytest.fixture
def custom_data(tmp_path: Path, sample: Mnist, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of other sizes than MNIST's in DIGITLAB_MNIST: 1,200 training and 200 test digits."""
    path = tmp_path / "custom.npz"
    sizes = {"x_train": 1200, "y_train": 1200, "x_test": 200, "y_test": 200}
    np.savez(path, **{key: getattr(sample, key)[:size] for key, size in sizes.items()})
    monkeypatch.setenv("DIGITLAB_MNIST", str(path))
    return path


@pytest.fixture
def trained_run(trained: Trained, runs_root: Path) -> Run:
    """A finished run among the visitor's."""
    return Run(shutil.copytree(trained.run.path, runs_root / trained.run.id))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs that the pages submit. Nobody trains them."""
    runs: list[Run] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda _, run: runs.append(run))
    return runs
