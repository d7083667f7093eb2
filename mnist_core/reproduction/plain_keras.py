"""Trains a recipe by its plain Keras script, the one that a run exports, in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_core.config import runs_dir
from mnist_core.data.mnist import Mnist
from mnist_core.data.mnist_files import MNIST_KEYS
from mnist_core.errors import TrainingError
from mnist_core.export.keras_files import script_files
from mnist_core.export.keras_script import SCRIPT_FILE
from mnist_core.files.folders import scratch_folder
from mnist_core.files.read import read_file
from mnist_core.files.write import open_log, write_arrays, write_bytes
from mnist_core.processes import cpu_count, end_child, start_python
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run

_DATA, _LOG = "mnist.npz", "printed.txt"
_EPOCH = re.compile(r"^Epoch (\d+)/\d+$", re.MULTILINE)
_VALIDATION = re.compile(r"\bval_accuracy: ([0-9.e+-]+)")
_TEST = re.compile(r"^test accuracy ([0-9.]+)$", re.MULTILINE)


class ScriptProcess:
    """The running script of a recipe.

    Args:
        folder: for the script and what it reads and writes.
        spec: what it trains.
        mnist: the images.
    """

    def __init__(self, folder: Path, spec: RunSpec, mnist: Mnist) -> None:
        self._epochs, self._log = spec.settings.epochs, folder / _LOG
        for name, content in script_files(create_run(spec, folder / "runs")).items():
            write_bytes(folder / name, content)
        write_arrays(folder / _DATA, **{key: getattr(mnist, key) for key in MNIST_KEYS})
        with open_log(self._log) as log:
            self._process = start_python(
                *("-u", SCRIPT_FILE, _DATA),
                threads=cpu_count(),
                variables={"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "2"},
                cwd=folder,
                stdout=log,
                stderr=log,
            )

    def is_running(self) -> bool:
        """True until the script has ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the script at once; nothing of it is kept."""
        end_child(self._process)

    def status(self) -> Status:
        """How many epochs it has trained."""
        epoch = max(0, len(_EPOCH.findall(self._printed())) - 1)
        return Status("running", epoch=epoch, epochs=self._epochs, step=epoch, steps=self._epochs)

    def scores(self) -> tuple[tuple[float, ...], float]:
        """Validation accuracy after each epoch and test accuracy, 0..1, once the script has ended.

        Raises:
            TrainingError: it has not trained to its end.
        """
        return parse_scores(self._printed(), self._epochs)

    def _printed(self) -> str:
        return read_file(self._log).decode("utf-8", "replace")


@contextmanager
def running_script(spec: RunSpec, mnist: Mnist) -> Iterator[ScriptProcess]:
    """Starts the script of a recipe in a scratch folder in RUNS_DIR, which is deleted at the end.

    Args:
        spec: what it trains.
        mnist: the images.
    """
    with scratch_folder(runs_dir(), "keras-script") as folder:
        script = ScriptProcess(folder, spec, mnist)
        try:
            yield script
        finally:
            script.stop()


def parse_scores(printed: str, epochs: int) -> tuple[tuple[float, ...], float]:
    """Returns the validation accuracy after each epoch and the test accuracy, 0..1, from what the script printed.

    Raises:
        TrainingError: it has not trained all epochs.
    """
    validated, tested = _VALIDATION.findall(printed), _TEST.findall(printed)
    if len(validated) != epochs or len(tested) != 1:
        last = (printed.strip().splitlines() or ["it printed nothing"])[-1]
        raise TrainingError(f"The Keras script ended after {len(validated)} of {epochs} epochs: {last[:300]}")
    return tuple(map(float, validated)), float(tested[0])
