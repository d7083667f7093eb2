"""Converts the model.keras of a run to model.tflite again: `python -m mnist_core.training.reconvert RUN|default`.

For runs whose model.tflite predicts but does not contain the outputs of the layers: those of older versions and some
imported ones. Only the weights are read from model.keras; the network comes from the card.
"""

from __future__ import annotations

import subprocess  # noqa: S404 - starts this package's own module
import sys

from mnist_core.data.mnist import load_mnist
from mnist_core.errors import DigitLabError, ModelError
from mnist_core.limits import limited
from mnist_core.models import convert
from mnist_core.models.classifier import fit_to_input
from mnist_core.processes import cpu_count, last_error_line, run_module
from mnist_core.training import fine_tune, finish
from mnist_core.training.predict import predict

TIMEOUT_SECONDS = 300
"""It takes ten seconds on a quiet machine."""


def reconvert_in_process(name: str) -> None:
    """Runs `reconvert` in a process of its own, because this one must not import TensorFlow.

    Args:
        name: of a run, or `default`.

    Raises:
        ModelError: it failed, or took too long; model.tflite is unchanged.
    """
    try:
        done = run_module("mnist_core.training.reconvert", name, threads=cpu_count(), timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise ModelError(f"Converting {name} took more than {TIMEOUT_SECONDS} seconds. Try again later.") from None
    if done.returncode:
        raise ModelError(f"{name} could not be converted: {last_error_line(done)}")


def reconvert(name: str) -> None:
    """Replaces model.tflite, if the new one agrees with the Keras model.

    Args:
        name: of a run, or `default`.

    Raises:
        RunNotFoundError: there is no such run.
        ModelError: the run has no model, or its files do not fit together.
        ArchitectureError: the network in its card is invalid.
    """
    folder = fine_tune.model_folder(name)
    architecture = fine_tune.base_spec(name).settings.architecture
    model = fine_tune.load_keras_model(architecture, folder / "model.keras")
    images = fit_to_input(load_mnist("sample").x_test[: finish.AGREEMENT_IMAGES], architecture.input_size)
    content = convert.convert(model, architecture)
    finish.save_converted_model(folder / "model.tflite", content, images, predict(model, images))


def main(arguments: list[str]) -> int:
    """Converts one model. Returns the exit status: 0 done, 1 failed (standard error says why), 2 wrong usage."""
    if len(arguments) != 1:
        print("Usage: python -m mnist_core.training.reconvert RUN|default", file=sys.stderr)
        return 2
    try:
        reconvert(arguments[0])
    except DigitLabError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"A file could not be read or written: {error}. Fix this, then try again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with limited():
        sys.exit(main(sys.argv[1:]))
