"""A run of a worker that trained nothing else: what warm and persistent workers train must equal it bit for bit."""

from __future__ import annotations

import pytest

from mnist_core.jobs.worker_process import start_worker
from mnist_core.networks.layers import Conv2D, Dense, Dropout, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run

SPEC = RunSpec(
    "fast",
    Settings(
        (Rescaling(1 / 255), Conv2D(4, 5), Flatten(), Dropout(0.2), Dense(10, "softmax")), batch_size=500, epochs=1
    ),
    "sample",
    seed=5,
)
"""Trains in a moment, and with dropout, so that the state of the random generator matters."""


@pytest.fixture(scope="session")
def cold_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of SPEC that a process of its own has trained. Do not change it."""
    folder = tmp_path_factory.mktemp("cold")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(folder / "keras"))
        run = create_run(SPEC, folder / "runs")
        assert start_worker(run, 1).wait() == 0, run.log.read_text()
    assert run.status().state == "finished"
    return run
