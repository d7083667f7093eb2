"""Tests an imported model.tflite: `python -m mnist_core.export.try_model FILE`. Exit status 0: it classifies images.

LiteRT checks little, and a broken file can crash the process. That is why this test has a process of its own.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np

from mnist_core.constants import NUM_CLASSES
from mnist_core.errors import ModelError
from mnist_core.limits import limited
from mnist_core.models.activations import ActivationModel, NoActivationsError
from mnist_core.models.classifier import Classifier

MEMORY_MB = 1000
"""Classifying a digit takes 100 MB; a broken model may ask for any size."""


def main(arguments: list[str]) -> int:
    """Classifies a black and a white image. Returns the exit status: 0 if that works, else 1."""
    try:
        model = Classifier(Path(arguments[0]))
        size = model.input_size
        images = np.stack([np.zeros((size, size), np.uint8), np.full((size, size), 255, np.uint8)])
        probabilities = model.probabilities(images)
        with contextlib.suppress(NoActivationsError):
            layers = ActivationModel(Path(arguments[0]))
            layers.outputs(images)
            layers.penultimate(images)
    except (ModelError, ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    usable = probabilities.shape[1] >= NUM_CLASSES and np.isfinite(probabilities).all()
    return 0 if usable and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3) else 1


if __name__ == "__main__":
    with limited(megabytes=MEMORY_MB):
        sys.exit(main(sys.argv[1:]))
