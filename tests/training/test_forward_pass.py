"""The forward pass of a training step against Keras's own: outputs, gradients, and what is cheaper about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_core.networks.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
)
from mnist_core.recipes.settings import Settings
from mnist_core.training import forward_pass
from mnist_core.training.model import make_model

END = (Flatten(), Dense(10, "softmax"))
NETWORKS: dict[str, tuple[Layer, ...]] = {
    "relu": (Conv2D(4, 3, activation="relu"), MaxPooling2D(), Conv2D(5, 3, activation="relu"), MaxPooling2D(), *END),
    "linear": (Conv2D(4, 5), MaxPooling2D(), ReLU(), *END),
    "strided, odd size": (Conv2D(4, 4, 2, "same", activation="relu"), MaxPooling2D(3), *END),
    "not increasing": (Conv2D(4, 3, activation="gelu"), MaxPooling2D(), *END),
    "normalized": (Conv2D(4, 3, use_bias=False), BatchNormalization(), ReLU(), MaxPooling2D(), *END),
    "dropout between": (Conv2D(4, 3, activation="relu"), Dropout(0.5), MaxPooling2D(), Dropout(0.3), *END),
    "pooled first": (MaxPooling2D(), Conv2D(4, 3, activation="relu"), MaxPooling2D(), MaxPooling2D(), *END),
    "averaged": (Conv2D(4, 3, activation="relu"), AveragePooling2D(2), *END),
}


def new_model(layers: tuple[Layer, ...]) -> Any:
    """With weights and biases that are far from zero."""
    model = make_model(Settings((Rescaling(1 / 255), *layers), 32, 1), 3)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + generator.normal(0, 0.3, variable.shape))
    return model


def step(model: Any, compute: Any) -> tuple[Any, list[Any], list[Any]]:
    """Outputs, gradients and updated statistics of one training step on noise."""
    import tensorflow as tf

    generator = np.random.default_rng(1)
    pixels = tf.constant(generator.integers(0, 256, (32, 28, 28, 1)), tf.float32)
    labels = generator.integers(0, 10, 32)
    with tf.GradientTape() as tape:
        probabilities = compute(model, pixels)
        loss = model.loss(labels, probabilities)
    gradients = tape.gradient(loss, model.trainable_variables)
    return probabilities, gradients, [np.array(variable) for variable in model.non_trainable_variables]


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_and_statistics_are_those_of_keras(keras: Any, name: str) -> None:
    ours = step(new_model(NETWORKS[name]), forward_pass.outputs)
    theirs = step(new_model(NETWORKS[name]), lambda model, pixels: model(pixels, training=True))
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
    for ours_each, theirs_each in zip((*ours[1], *ours[2]), (*theirs[1], *theirs[2]), strict=True):
        scale = max(1.0, float(np.abs(theirs_each).max()))
        assert np.abs(np.asarray(ours_each) - np.asarray(theirs_each)).max() <= 2e-6 * scale
    assert all(np.abs(np.asarray(gradient)).max() > 0 for gradient in ours[1]), "nothing is learned"


def operations(layers: tuple[Layer, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """The kinds of TensorFlow's operations and the shapes of their outputs, in order, batches left out."""
    import tensorflow as tf

    model = new_model(layers)
    traced = tf.function(lambda pixels: forward_pass.outputs(model, pixels), autograph=False)
    graph = traced.get_concrete_function(tf.TensorSpec([32, 28, 28, 1])).graph
    return [(each.type, tuple(each.outputs[0].shape[1:])) for each in graph.get_operations() if each.outputs]


@pytest.mark.parametrize("name", ["relu", "linear", "normalized"])
def test_bias_and_relu_see_the_pooled_pixels_only(keras: Any, name: str) -> None:
    seen = [each for each in operations(NETWORKS[name]) if each[0] in ("BiasAdd", "Relu") and len(each[1]) == 3]
    assert seen
    assert all(shape[0] <= 13 for _, shape in seen), seen


def test_scores_are_the_logits_of_a_softmax_and_otherwise_the_outputs(keras: Any) -> None:
    model = new_model(END)
    pixels = np.full((2, 28, 28, 1), 100.0, np.float32)
    probabilities = forward_pass.outputs(model, pixels)
    logits = np.asarray(forward_pass.scores(probabilities), np.float64)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(probabilities, powers / powers.sum(1, keepdims=True), atol=1e-6)
    assert not np.allclose(logits, probabilities)
    assert forward_pass.scores(pixels) is pixels
