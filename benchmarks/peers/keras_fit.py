"""The peer of benchmarks/training.py: a recipe as its author wrote it, `model.fit` in Keras as it comes.

    python benchmarks/peers/keras_fit.py RECIPE DATA        # prints the seconds of its second epoch

Only the layers and the split are taken from Digit Lab, so that both train the same network on the same images.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import keras
import numpy as np

from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import split_mnist, uncenter_split
from mnist_core.networks.keras_model import build_model
from mnist_core.recipes.recipes import find_recipe


class Watch(keras.callbacks.Callback):
    """The seconds of each epoch, validation left out."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def main(recipe: str, choice: str) -> None:
    """Trains two epochs and prints how long the second took."""
    settings = find_recipe(recipe).settings
    split = split_mnist(load_mnist(choice), settings.split)
    split = uncenter_split(split) if settings.uncentered else split
    x, x_validation = (images[..., None].astype(np.float32) for images in (split.x_train, split.x_validation))
    y, y_validation = split.y_train, split.y_validation
    if settings.one_hot:
        y, y_validation = keras.utils.to_categorical(y), keras.utils.to_categorical(y_validation)
    model = build_model(settings.architecture)
    loss = "categorical_crossentropy" if settings.one_hot else "sparse_categorical_crossentropy"
    own = {"momentum": 0.9} if settings.optimizer == "SGD" else {}
    optimizer = getattr(keras.optimizers, settings.optimizer)(settings.learning_rate, **own)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    watch = Watch()
    model.fit(
        x,
        y,
        batch_size=settings.batch_size,
        epochs=2,
        validation_data=(x_validation, y_validation),
        callbacks=[watch],
        verbose=0,
    )
    print(json.dumps({"seconds": watch.seconds[1], "images": len(x)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
