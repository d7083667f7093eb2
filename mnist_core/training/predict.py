"""Predictions of a Keras model, between steps of its training and after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import TrainingError

EVALUATION_BATCH = 500

Images = NDArray[np.uint8]


def predict(model: Any, images: Images) -> NDArray[np.float32]:
    """The Keras model's probabilities, (N, C) float32, for (N, size, size) uint8: cast batch by batch.

    Raises:
        TrainingError: where they are no numbers: the last step can ruin the weights, and no training loss tells.
    """
    run = _compiled_predict(model)
    batches = [images[start : start + EVALUATION_BATCH] for start in range(0, len(images), EVALUATION_BATCH)]
    probabilities = np.concatenate([np.asarray(run(batch)) for batch in batches])
    if not np.isfinite(probabilities).all():
        raise TrainingError(
            "The model's answers are no longer numbers: the weights have run away. "
            "Try a smaller learning rate, a larger batch, or Adam."
        )
    return probabilities


def make_predictor(model: Any) -> Callable[[Images], NDArray[np.float32]]:
    """What a model in training makes of images, without touching it: (N, size, size) uint8 -> (N, C) float32.

    With the moving average of its weights where its optimizer keeps one. `averaged_weights` swaps them by adding and
    subtracting, which loses bits: done whenever somebody looks, it would make a training depend on who watches it.
    """
    import tensorflow as tf

    size, optimizer = model.input_shape[1], model.optimizer
    weights = optimizer._model_variables_moving_average if optimizer.use_ema else model.trainable_variables

    @tf.function(input_signature=[tf.TensorSpec([None, size, size], tf.uint8)])  # type: ignore[untyped-decorator]
    def run(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]
        return model.stateless_call(weights, model.non_trainable_variables, pixels, training=False)[0]

    return lambda images: np.asarray(run(images), np.float32)


@lru_cache(maxsize=2)
def _compiled_predict(model: Any) -> Any:
    import tensorflow as tf

    size = model.input_shape[1]

    @tf.function(input_signature=[tf.TensorSpec([None, size, size], tf.uint8)])  # type: ignore[untyped-decorator]
    def run(images: Any) -> Any:
        return model(tf.cast(images, tf.float32)[..., tf.newaxis], training=False)

    return run
