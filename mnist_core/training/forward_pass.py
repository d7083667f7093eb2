"""The forward pass of a training step: what `model(pixels, training=True)` computes, with cheaper operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


def outputs(model: Any, pixels: Any) -> Any:
    """Computes the outputs of a model in training.

    Max-pooling comes before the bias and the ReLU of a convolution, not after them. Neither of the two changes which
    number of a window is the largest, so the result is the same, and the bias, the ReLU and their gradients then need
    only one pixel per window. The gradient of the bias is a sum in another order, so training differs by rounding.

    Args:
        model: a keras.Sequential.
        pixels: (B, size, size, 1) float32, 0..255.

    Returns:
        (B, classes) float32 probabilities.
    """
    import keras

    values, layers = pixels, list(model.layers)
    while layers:
        layer = layers.pop(0)
        if layers and isinstance(layers[0], keras.layers.MaxPooling2D):
            (before, after), pool = _split_at_pooling(layer), layers.pop(0)
            values = after(pool(before(values)))
        else:
            values = layer(values, training=True)
    return values


def scores(probabilities: Any) -> Any:
    """Returns (B, classes) values that are largest for the same class: the logits, if there are any.

    No training step then computes the softmax, which takes half of the time of a small network.

    Args:
        probabilities: (B, classes), from `outputs`.
    """
    return getattr(probabilities, "_keras_logits", probabilities)  # where Keras's own losses find them


def _split_at_pooling(layer: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The part of a layer that must run before the max-pooling that follows it, and the part that may run after it."""
    import keras
    import tensorflow as tf

    relu, linear = keras.activations.relu, keras.activations.linear
    if isinstance(layer, keras.layers.ReLU):
        return linear, layer
    if not (isinstance(layer, keras.layers.Conv2D) and layer.use_bias and layer.activation in (relu, linear)):
        return partial(layer, training=True), linear
    return (
        lambda values: layer.convolution_op(values, layer.kernel),
        lambda values: layer.activation(tf.nn.bias_add(values, layer.bias)),
    )
