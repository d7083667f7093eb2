"""Fixtures of all tests: folders of their own, the offline digits, Keras, one trained run; and the slow marker."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from mnist_core import owners
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.jobs.local import LocalBackend
from mnist_core.processes import import_keras
from tests.support import (
    ROOT,
    SETTINGS,
    ThreadWorker,
    Trained,
    command_line,
    end_workers,
    environment,
    wait_until,
)

FULL_MNIST = os.environ.get("DIGITLAB_MNIST")  # read before the fixture below removes it

settings.register_profile("digitlab", deadline=None)  # a slow machine is no failure
settings.load_profile("digitlab")

SLOW_FIXTURES = {"trained", "keras", "worker_in_thread", "app_url", "chromium", "ray_cluster"}
"""Fixtures that train a model, import TensorFlow in this process, or start a server, a browser or a cluster."""
SLOW_FOLDERS = {"browser", "cluster"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what uses a slow fixture or is in a slow folder. Other slow tests carry `@pytest.mark.slow`."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or item.path.parent.name in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def backends_closed(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes the job backends of a test. A hundred that tests of pages had left kept each process of pytest busy."""
    made = list[LocalBackend]()
    make = LocalBackend.__init__

    def make_and_note(self: LocalBackend, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(LocalBackend, "__init__", make_and_note)
    yield
    for backend in made:
        backend.close()


@pytest.fixture(autouse=True)
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """RUNS_DIR of the test. Hides the user's runs, data and settings, and kills workers that the test leaves behind."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(owners, "GUESSES", owners.GuessLimit())
    monkeypatch.setenv("DIGITLAB_WARM", "0")  # otherwise opening a page loads TensorFlow in the background
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("DIGITLAB_RUNS", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    end_workers(tmp_path / "runs")


@pytest.fixture(scope="session")
def sample() -> Any:
    """The offline sample: 4,000 training and 1,000 test digits."""
    from mnist_core.data.mnist import load_mnist

    return load_mnist("sample")


@pytest.fixture(scope="session")
def full_mnist() -> Any:
    """The full MNIST. Skips the test if DIGITLAB_MNIST is not set."""
    from mnist_core.data.mnist import read_mnist

    if not FULL_MNIST:
        pytest.skip("DIGITLAB_MNIST is not set: no full MNIST to test with")
    return read_mnist(FULL_MNIST)


@pytest.fixture(scope="session")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keras with TensorFlow. Importing it takes three seconds, so it happens once per session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))  # keras writes to it on import
        return import_keras()


@pytest.fixture
def signals() -> Iterator[None]:
    """Restores the signal handlers after a test that runs the worker in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def worker_in_thread(keras: Any, monkeypatch: pytest.MonkeyPatch) -> type[ThreadWorker]:
    """Runs train in a thread of this process, which has TensorFlow loaded: for tests that need only the result."""
    from mnist_core.jobs import worker_pool, worker_process

    monkeypatch.setattr(signal, "signal", lambda *_: None)  # only the main thread may handle signals
    for module in (worker_pool, worker_process):
        monkeypatch.setattr(module, "start_worker", ThreadWorker)
    return ThreadWorker


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished run of the real command line: recipe `fast`, two epochs on the offline sample. Do not change it.

    One process of pytest-xdist trains it, the others wait for it.
    """
    from mnist_core.runs.store import list_runs

    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "trained"
    root, outcome = folder / "runs", folder / "outcome.json"
    try:
        folder.mkdir()
    except FileExistsError:
        wait_until(outcome.exists, "the run that another process trains", 300)
    else:
        arguments = ("train", "--recipe", "fast", "--epochs", "2", "--seed", "1", "--data", "sample", "--json")
        done = subprocess.run(
            command_line(*arguments), env=environment(root), cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        write_json(outcome, {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr})
    printed = read_json(outcome)
    assert printed["status"] == 0, printed["stderr"]
    (run,) = list_runs(root)
    return Trained(run, printed["stdout"], printed["stderr"])
