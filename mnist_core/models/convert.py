"""A Keras model as one LiteRT file with two signatures: `serving_default`, an image to its answer, as the converter
makes it; and `layers`, an image to what every layer makes of it. Both read the same weights, which are stored once.

TensorFlow's converter would store them twice: it folds a batch normalisation into the convolution before it, and a
graph that shows both needs them apart. Here the second graph is written with the folded weights too, and gets the
convolution's own output back from the normalised one; then it is joined to the file of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.models.merge_graphs import joined
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Layer

LAYERS_SIGNATURE = "layers"
INPUT = "image"
LOGITS = "logits"  # of a last Dense with softmax: it sorts after all layers
PASSING = ("Dropout", "SpatialDropout2D")  # outside training they hand on what they get
MOST_LOST = 300.0  # where undoing a normalisation makes rounding so many times larger, both are stored


def output_name(position: int, layer: Layer) -> str:
    """The name of a layer's output in the signature: `003_Conv2D`, counted from 1, so that names sort as layers do."""
    return f"{position:03d}_{type(layer).__name__}"


def convert(model: Any, architecture: Architecture) -> bytes:
    """The content of a model.tflite.

    Args:
        model: the Keras model that keras_model.build_model made, with its weights.
        architecture: of the model.

    Returns:
        A LiteRT model. Its first graph is bit for bit what the converter makes of the Keras model alone.
    """
    import tensorflow as tf

    served = bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    folds = {position: fold for position in range(len(architecture.layers)) if (fold := _fold(model, position))}
    values = [(variable, np.array(variable)) for variable in model.variables]  # in the function they have none
    function = tf.function(
        lambda image: _outputs(image, model, values, folds),
        input_signature=[tf.TensorSpec((None, *architecture.input_shape), tf.float32, name=INPUT)],
        autograph=False,
    )
    concrete = [function.get_concrete_function()]
    inside = tf.lite.TFLiteConverter.from_concrete_functions(concrete, tf.Module()).convert()  # with one: with names
    return joined(served, bytes(inside), LAYERS_SIGNATURE, _aliases(architecture))


def _aliases(architecture: Architecture) -> dict[str, str]:
    """The output of a layer that hands on what it gets -> the output, or the input of the network, that it is."""
    aliases: dict[str, str] = {}
    before = INPUT
    for position, layer in enumerate(architecture.layers, 1):
        name = output_name(position, layer)
        if type(layer).__name__ in PASSING:
            aliases[name] = before
        else:
            before = name
    return aliases


@dataclass(frozen=True, eq=False)
class _Fold:
    """A layer and the batch normalisation after it, as one layer.

    Attributes:
        kernel: of that layer, each output times `scale`.
        bias: of that layer.
        scale, shift: (C,) float32: what the normalisation does to the layer's own output.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


def _fold(model: Any, position: int) -> _Fold | None:
    """None where the two layers cannot be one, or where the first one's output would not come back exactly enough."""
    layer, following = (model.layers[place : place + 1] for place in (position, position + 1))
    kinds = [type(found).__name__ for found in (*layer, *following)]
    linear = getattr(layer[0], "activation", None)
    if len(kinds) < 2 or kinds[1] != BatchNormalization.__name__ or getattr(linear, "__name__", "") != "linear":
        return None
    gamma, beta, mean, variance = (np.asarray(weights, np.float32) for weights in following[0].get_weights())
    kernel, *bias = (np.asarray(weights, np.float32) for weights in layer[0].get_weights())
    scale: NDArray[np.float32] = gamma / np.sqrt(variance + np.float32(following[0].epsilon))
    shift = beta - mean * scale
    if not np.abs(scale).min() > 0 or not (np.abs(shift) / np.abs(scale)).max() < MOST_LOST:
        return None
    by_output = scale[:, None] if kinds[0] == DepthwiseConv2D.__name__ else scale
    return _Fold(kernel * by_output, shift + (bias[0] * scale if bias else 0), scale, shift)


def _outputs(image: Any, model: Any, values: list[tuple[Any, Any]], folds: dict[int, _Fold]) -> dict[str, Any]:
    """What each layer makes of a tensor (N, size, size, 1) of 0..255, and the logits."""
    import keras
    import tensorflow as tf

    outputs: dict[str, Any] = {}
    with keras.StatelessScope(state_mapping=[(variable, tf.constant(value)) for variable, value in values]):
        for position, layer in enumerate(model.layers):
            name = f"{position + 1:03d}_{type(layer).__name__}"
            if type(layer).__name__ in PASSING:
                continue
            if position in folds:
                fold = folds[position]
                normalised = _linear(layer, image, tf.constant(fold.kernel)) + fold.bias
                outputs[name] = (normalised - fold.shift) * (1 / fold.scale)
                image = normalised
            elif position - 1 in folds:
                outputs[name] = image
            elif position + 1 == len(model.layers) and _ends_in_softmax(layer):
                outputs[LOGITS] = _linear(layer, image, layer.kernel) + (layer.bias if layer.use_bias else 0.0)
                outputs[name] = tf.nn.softmax(outputs[LOGITS])
            else:
                image = outputs[name] = layer(image, training=False)
    return outputs


def _ends_in_softmax(layer: Any) -> bool:
    return type(layer).__name__ == Dense.__name__ and getattr(layer.activation, "__name__", "") == "softmax"


def _linear(layer: Any, image: Any, kernel: Any) -> Any:
    """The layer's sums, without bias and activation."""
    import tensorflow as tf

    if type(layer).__name__ == Conv2D.__name__:
        return tf.nn.conv2d(image, kernel, layer.strides, layer.padding.upper())
    if type(layer).__name__ == DepthwiseConv2D.__name__:
        return tf.nn.depthwise_conv2d(image, kernel, (1, *layer.strides, 1), layer.padding.upper())
    return tf.matmul(image, kernel)
