"""How a worker that stays loaded gets its next run, and prepares for it.

All functions run inside the worker. The other ends are `jobs/worker_pool.py` and `jobs/persistent_worker.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mnist_core.training.model import make_model
from mnist_core.training.predict import compile_predictor


def next_from_pipe() -> Path | None:
    """Waits for a run directory on standard input.

    Returns:
        The run directory; None once the parent has closed the pipe or is gone.
    """
    while (line := sys.stdin.buffer.readline()).endswith(b"\n"):
        folder = Path(os.fsdecode(line[:-1]))
        if folder.is_dir():  # else it was deleted while it waited
            return folder
    return None


def warm_up() -> None:
    """Imports TensorFlow and trains a tiny network on blank images, because everything is slow the first time."""
    import numpy as np

    from mnist_core.data.splits import Split
    from mnist_core.networks.layers import Conv2D, Dense, Flatten, Rescaling
    from mnist_core.recipes.settings import Settings
    from mnist_core.training import loop

    settings = Settings((Rescaling(1 / 255), Conv2D(2, 5), Flatten(), Dense(10, "softmax")), batch_size=2, epochs=1)
    images, labels = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8)
    split = Split(images, labels, images, labels, images, labels)
    for _ in loop.train(make_model(settings, 0), settings, split, 0):
        pass
    reset_keras()


def reset_keras() -> None:
    """Frees what the last run left in Keras and names layers from 1 again, as in a new process."""
    import gc

    import keras

    compile_predictor.cache_clear()
    keras.utils.clear_session()
    gc.collect()
