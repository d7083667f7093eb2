"""Writes the model.tflite of a run anew, from its model.keras: `python -m mnist_core.training.reconvert RUN|default`.

For runs of an older version, or from elsewhere, whose model.tflite gives answers and not what the layers make of an
image. Of the model.keras nothing but weights is read; the network is the one that the card tells of.
"""

from __future__ import annotations

import subprocess  # noqa: S404 - starts this package's own module
import sys

from mnist_core.data.mnist import load_mnist
from mnist_core.errors import DigitLabError, ModelError
from mnist_core.models import convert
from mnist_core.models.classifier import fit_to_input
from mnist_core.processes import cpu_count, last_error_line, run_module, set_tensorflow_defaults
from mnist_core.training import fine_tune, finish
from mnist_core.training.predict import predict

SECONDS = 300  # it takes ten; more on a busy machine


def reconvert_in_process(name: str) -> None:
    """Does it in a process of its own, since this one may have no TensorFlow; takes about ten seconds.

    Args:
        name: of a run, or `default`.

    Raises:
        ModelError: says what went wrong; the model.tflite is as it was.
    """
    try:
        done = run_module("mnist_core.training.reconvert", name, threads=cpu_count(), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ModelError(f"Converting {name} took more than {SECONDS} seconds and was given up. Try again.") from None
    if done.returncode:
        raise ModelError(f"{name} could not be converted again: {last_error_line(done)}")


def reconvert(name: str) -> None:
    """Replaces a model.tflite, once the new one is known to say what the Keras model says.

    Args:
        name: of a run, or `default`.

    Raises:
        RunNotFoundError, ModelError, ArchitectureError: there is none, or its files do not fit together.
    """
    folder = fine_tune.model_folder(name)
    settings = fine_tune.base_settings(name)
    model = fine_tune.load_keras_model(settings.architecture, folder / "model.keras")
    images = fit_to_input(load_mnist("sample").x_test[: finish.AGREEMENT_IMAGES], settings.architecture.input_size)
    content = convert.convert(model, settings.architecture)
    finish.save_converted_model(folder / "model.tflite", content, images, predict(model, images))


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0 done, 1 not, with the reason on standard error, 2 misused."""
    if len(arguments) != 1:
        print("Usage: python -m mnist_core.training.reconvert RUN|default", file=sys.stderr)
        return 2
    set_tensorflow_defaults()
    try:
        reconvert(arguments[0])
    except DigitLabError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"A file could not be read or written: {error}. Mend that, then try again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
