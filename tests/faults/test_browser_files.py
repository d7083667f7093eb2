"""Every kind of damage to the files by which models reach browsers: they are made again, or count as missing."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_core.browser.model_files import BROWSER_MODEL, read_browser_model
from mnist_core.browser.weights_file import browser_model
from mnist_core.files.write import write_json
from mnist_core.models.weights import layer_weights
from mnist_core.runs.model_card import load_architecture
from mnist_core.runs.run import Run
from mnist_core.training.live_snapshot import LIVE_MODEL, WATCHED, read_live_snapshot, watch
from tests.compatibility.test_older_files import FILES, RUN
from tests.faults.mutations import Mutation, mutations_of_file
from tests.faults.visitor import time_limit

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes on this system")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of an earlier version with its model.bin."""
    folder = tmp_path_factory.mktemp("runs")
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(RUN)])
    return Run(folder / RUN)


def damaged(path: Path, content: bytes) -> Iterator[Mutation]:
    """Lays every mutation of a file in its place, one after another."""
    for mutation in mutations_of_file(path.name, content):
        remove(path)
        path.write_bytes(content)
        mutation.lay(path.parent)
        with time_limit(20, str(mutation)):
            yield mutation
    remove(path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_a_damaged_model_for_browsers_is_made_again(run: Run) -> None:
    whole = read_browser_model(run.path)
    for mutation in damaged(run.path / BROWSER_MODEL, whole):
        assert read_browser_model(run.path) == whole, mutation


def test_a_damaged_network_in_training_is_no_network(run: Run) -> None:
    architecture = load_architecture(run.path)
    content = browser_model(architecture, layer_weights(run.path / "model.keras", architecture), about={"step": 7})
    for mutation in damaged(run.path / LIVE_MODEL, content):
        whole = (content, 7) if mutation.special == "link" else None
        assert read_live_snapshot(run) == whole, mutation


def test_nobody_fails_to_watch(run: Run) -> None:
    write_json(run.path / WATCHED, {"time": time.time()})
    for _ in damaged(run.path / WATCHED, (run.path / WATCHED).read_bytes()):
        watch(run)
