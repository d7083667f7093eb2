"""The weights of a Keras model in training: their moving average, and the bias of a class whose share changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class averaged_weights:  # noqa: N801 - reads as a statement: `with averaged_weights(model):`
    """While open, the model has the moving average of its weights, where its optimizer keeps one."""

    def __init__(self, model: Any) -> None:
        import keras

        self._swap = keras.callbacks.SwapEMAWeights() if model.optimizer.use_ema else None
        if self._swap is not None:
            self._swap.set_model(model)

    def __enter__(self) -> None:
        if self._swap is not None:
            self._swap.on_test_begin()

    def __exit__(self, *_: object) -> None:
        if self._swap is not None:
            self._swap.on_test_end()


def adjust_class_prior(model: Any, output: int, trained: float, assumed: float) -> None:
    """Moves the bias of one output of the softmax from how often its class was trained on to how often it will be met.

    Bayes' rule for another prior (Saerens et al., 2002): the odds of the class change by the ratio of the prior odds.

    Args:
        model: whose last layer is a Dense with softmax.
        output: of which class.
        trained: its share of the training images, 0..1, neither end.
        assumed: its share of what the model will see, likewise.
    """
    kernel, bias = model.layers[-1].get_weights()
    bias[output] += np.log(assumed / (1 - assumed)) - np.log(trained / (1 - trained))
    model.layers[-1].set_weights([kernel, bias])


def inference_weights(model: Any) -> list[NDArray[np.float32]]:
    """A copy of the weights by which a model in training answers, as `get_weights` orders them; it is not touched.

    With their moving average where its optimizer keeps one, which is there from the first step on.
    """
    optimizer, averages = model.optimizer, {}
    if optimizer.use_ema and int(optimizer.iterations.numpy()) > 0:
        pairs = zip(model.trainable_variables, optimizer._model_variables_moving_average, strict=True)
        averages = {id(variable): average for variable, average in pairs}
    return [np.array(averages.get(id(variable), variable)) for variable in model.weights]
