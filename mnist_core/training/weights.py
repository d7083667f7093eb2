"""The weights of a Keras model in training: their moving average, and the prior of a class."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.networks.layers import Layers, biased_output


@contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """Gives the model the moving average of its weights for a while, if its optimizer keeps one."""
    if not model.optimizer.use_ema:
        yield
        return
    import keras

    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()


def inference_weights(model: Any) -> list[NDArray[np.float32]]:
    """Copies the weights that a model in training predicts with, in the order of `get_weights`.

    These are the averaged weights if its optimizer keeps them, which it does from the first step on. The model itself
    is not touched.
    """
    optimizer, averages = model.optimizer, {}
    if optimizer.use_ema and int(optimizer.iterations.numpy()) > 0:
        pairs = zip(model.trainable_variables, optimizer._model_variables_moving_average, strict=True)
        averages = {id(variable): average for variable, average in pairs}
    return [np.array(averages.get(id(variable), variable)) for variable in model.weights]


def adjust_class_prior(model: Any, layers: Layers, output: int, trained: float, assumed: float) -> None:
    """Adjusts one output of a softmax from the share of its class in training to its share in use.

    It does nothing if the logits have no bias that could be changed.

    Args:
        model: the Keras model.
        layers: of the model.
        output: number of the class.
        trained: its share of the training images, between 0 and 1, both excluded.
        assumed: its share of the images that the model will get, likewise.
    """
    index = biased_output(layers)
    if index is not None:
        kernel, bias = model.layers[index].get_weights()
        bias[output] += prior_shift(trained, assumed)
        model.layers[index].set_weights([kernel, bias])


def prior_shift(trained: float, assumed: float) -> float:
    """Returns by how much the bias of an output changes if its class is `assumed` as frequent instead of `trained`.

    Bayes' rule for another prior (Saerens et al., 2002): the odds of the class change by the ratio of the prior odds,
    so the bias changes by the difference of their logarithms.

    Args:
        trained: share of the class in training, between 0 and 1, both excluded.
        assumed: its share in use, likewise.
    """
    return math.log(assumed / (1 - assumed)) - math.log(trained / (1 - trained))
