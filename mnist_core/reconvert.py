"""Writes the model.tflite of a run anew, from its model.keras: `python -m mnist_core.reconvert RUN|default`.

For runs of an older version, or from elsewhere, whose model.tflite gives answers and not what the layers make of an
image. Of the model.keras nothing but weights is read; the network is the one that the card tells of.
"""

from __future__ import annotations

import os
import subprocess  # noqa: S404 - starts this package's own module
import sys
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from mnist_core import conversion, data, finishing, teaching, training
from mnist_core.classifier import fitted
from mnist_core.errors import DigitLabError, ModelError

SECONDS = 300  # it takes ten; more on a busy machine


def in_process(name: str) -> None:
    """Does it in a process of its own, since this one may have no TensorFlow; takes about ten seconds.

    Args:
        name: of a run, or `default`.

    Raises:
        ModelError: says what went wrong; the model.tflite is as it was.
    """
    package = Path(__file__).resolve().parent
    paths = os.pathsep.join(filter(None, (str(package.parent), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(  # noqa: S603 - our own module, the name is one argument
            [sys.executable, "-m", f"{package.name}.reconvert", name],
            env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ModelError(f"Converting {name} took more than {SECONDS} seconds and was given up. Try again.") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["the process was ended"])[-1]
        raise ModelError(f"{name} could not be converted again: {why}")


def reconvert(name: str) -> None:
    """Replaces a model.tflite, once the new one is known to say what the Keras model says.

    Args:
        name: of a run, or `default`.

    Raises:
        RunNotFoundError, ModelError, ArchitectureError: there is none, or its files do not fit together.
    """
    folder = teaching.model_folder(name)
    settings = teaching.settings_of(name)
    model = teaching.with_weights(settings.architecture, folder / "model.keras")
    images = fitted(data.load("sample").x_test[: finishing.AGREEMENT_IMAGES], settings.architecture.input_size)
    content = conversion.convert(model, settings.architecture)
    finishing.keep(folder / "model.tflite", content, images, training.predict(model, images))


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0 done, 1 not, with the reason on standard error, 2 misused."""
    if len(arguments) != 1:
        print("Usage: python -m mnist_core.reconvert RUN|default", file=sys.stderr)
        return 2
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
