"""Predictions of a Keras model, between two steps of its training and after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import TrainingError

PREDICTION_BATCH = 500
"""Images per call of TensorFlow."""

Images = NDArray[np.uint8]
Predictor = Callable[[Images], NDArray[np.float32]]
"""(N, size, size) uint8 images -> (N, C) float32 probabilities."""


def predict(model: Any, images: Images) -> NDArray[np.float32]:
    """Computes the probabilities of a Keras model batch by batch.

    Args:
        model: any Keras model.
        images: (N, size, size) uint8.

    Returns:
        (N, C) float32.

    Raises:
        TrainingError: a probability is NaN. The last step can ruin the weights without any loss that shows it.
    """
    compiled = compile_predictor(model)
    batches = [images[start : start + PREDICTION_BATCH] for start in range(0, len(images), PREDICTION_BATCH)]
    probabilities = np.concatenate([np.asarray(compiled(batch)) for batch in batches])
    if not np.isfinite(probabilities).all():
        raise TrainingError(
            "Training diverged: the model predicts NaN. Try a smaller learning rate, a larger batch size, or Adam."
        )
    return probabilities


@lru_cache(maxsize=2)
def compile_predictor(model: Any) -> Any:
    """Compiles the predictions of a Keras model into one call: (N, size, size) uint8 -> (N, C) float32. Cached."""
    import tensorflow as tf

    size = model.input_shape[1]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None, size, size], tf.uint8)], autograph=False
    )
    def compiled(images: Any) -> Any:
        return model(tf.cast(images, tf.float32)[..., tf.newaxis], training=False)

    return compiled


def make_predictor(model: Any) -> Predictor:
    """Makes a function that predicts with a model in training and never touches the model.

    It reads the averaged weights if the optimizer keeps them. `averaged_weights` would swap them by adding and
    subtracting, which loses bits: then a training would depend on how often somebody looks at its predictions.
    """
    import tensorflow as tf

    if not model.optimizer.use_ema:
        plain = compile_predictor(model)  # one graph for this and for validation
        return lambda images: np.asarray(plain(images), np.float32)
    size, weights = model.input_shape[1], model.optimizer._model_variables_moving_average

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None, size, size], tf.uint8)], autograph=False
    )
    def compiled(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]
        return model.stateless_call(weights, model.non_trainable_variables, pixels, training=False)[0]

    return lambda images: np.asarray(compiled(images), np.float32)
