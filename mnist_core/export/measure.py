"""Evaluates an imported run on this machine's images: `python -m mnist_core.export.measure RUN_DIR`.

What a zip says about its run cannot be checked, but its model can be evaluated again: with LiteRT, on the validation
and test images of MNIST, or of the offline sample if the run was trained on that. The scores are recorded in the run's
import.json. A page does this in a process of its own, with a time limit, since the network may be a slow one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from mnist_core.data.mnist import DATA_SETS, load_mnist
from mnist_core.data.splits import split_mnist, uncenter_split
from mnist_core.errors import DigitLabError, ModelError, RunError
from mnist_core.evaluation.metrics import evaluate
from mnist_core.files.write_errors import explain_write_error
from mnist_core.limits import limited
from mnist_core.models.classifier import Classifier
from mnist_core.processes import cpu_count
from mnist_core.runs.imports import ImportMark, read_import, write_import
from mnist_core.runs.run import Run

MAX_SECONDS = 600
"""After this time the process is killed."""
MEMORY_MB = 1500
"""The images take 100 MB, and the model what `try_model` allowed."""


def measure_imported(run: Run) -> ImportMark:
    """Evaluates an imported run and records its scores.

    Raises:
        RunError: the run was not imported, or its mark cannot be written.
        ModelError: it has no model.
        DataError: there are no images.
    """
    mark = read_import(run.path)
    if mark is None:
        raise RunError(f"The run {run.id} was trained here: its scores are measured already.")
    if not run.has_model:
        raise ModelError(f"The run {run.id} has no model to evaluate: it is {run.status().state}.")
    spec, model = run.spec(), Classifier(run.model, cpu_count())
    mnist = load_mnist(spec.data if spec.data in DATA_SETS else "full")
    split = split_mnist(mnist, spec.settings.split)
    if model.input_size == 56:
        split = uncenter_split(split)
    validation = evaluate(model.probabilities(split.x_validation), split.y_validation)
    test = evaluate(model.probabilities(split.x_test), split.y_test)
    measured = {
        "data": mnist.name,
        "val_accuracy": validation.accuracy,
        "val_loss": validation.loss,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
    }
    mark = replace(mark, measured=measured)
    try:
        write_import(run.path, mark)
    except OSError as error:
        raise RunError(f"The scores of {run.id} cannot be written. {explain_write_error(error, run.path)}") from None
    return mark


def main(arguments: list[str]) -> int:
    """Measures the run in a folder. Returns the exit status."""
    try:
        measure_imported(Run(Path(arguments[0])))
    except DigitLabError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with limited(seconds=MAX_SECONDS, megabytes=MEMORY_MB):  # even if its parent is gone
        sys.exit(main(sys.argv[1:]))
