"""Converts a Keras model to a LiteRT file with two signatures that share their weights.

`serving_default` maps images to probabilities; `layers` maps images to the output of every layer.

The converter folds a batch normalization into the layer before it. The `layers` graph needs the output of both: it runs
the folded layer, as the default graph does, and recovers the first output by undoing the normalization. So both graphs
need the same constants, which the converter stores once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import BatchNormalization, Dense, Dropout, Layer, SpatialDropout2D

LAYERS_SIGNATURE = "layers"
"""The signature that returns the output of every layer."""
LOGITS = "logits"
"""The output before the softmax of a last Dense layer. It sorts after the names of all layers."""
MAX_ERROR_GROWTH = 300.0
"""Two layers are not folded where undoing the normalization would magnify rounding errors more than this."""

_DROPOUT = (Dropout, SpatialDropout2D)


def output_name(position: int, layer: Layer) -> str:
    """Returns the name of a layer's output, `003_Conv2D`. It starts with the position, from 1, so that names sort."""
    return f"{position:03d}_{type(layer).__name__}"


def convert(model: Any, architecture: Architecture) -> bytes:
    """Converts a model to LiteRT.

    Args:
        model: the Keras model that keras_model.build_model built from the architecture.
        architecture: of the model.

    Returns:
        The content of a model.tflite. Its first graph predicts the same, bit for bit, as a model from
        TFLiteConverter.from_keras_model.
    """
    import tensorflow as tf

    normalizations = _invertible_normalizations(model, architecture)

    def serving_default(image: Any) -> Any:
        return {"output_0": model(image, training=False)}

    def serving_layers(image: Any) -> Any:
        return _layer_outputs(image, model, architecture, normalizations)

    input_names = {serving_default: model.inputs[0].name, serving_layers: "image"}
    functions = [
        tf.function(
            function,
            input_signature=[tf.TensorSpec((None, *architecture.input_shape), tf.float32, name=name)],
            autograph=False,
        ).get_concrete_function()
        for function, name in input_names.items()
    ]
    variables = tf.Module()
    variables.tracked = [variable.value for variable in model.variables]
    content = bytes(tf.lite.TFLiteConverter.from_concrete_functions(functions, variables).convert())
    return _rename_signature(content, serving_layers.__name__, LAYERS_SIGNATURE)


def _rename_signature(content: bytes, old: str, new: str) -> bytes:
    """Renames a signature of a LiteRT file.

    The converter sorts signatures by name and runs the first by default, so `layers` is converted under a name that
    sorts after `serving_default`.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (signature,) = (each for each in model.signatureDefs if each.signatureKey == old.encode())
    signature.signatureKey = new.encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


@dataclass(frozen=True, eq=False)
class _Normalization:
    """A batch normalization as `x * scale + shift`; both (C,) float32."""

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


def _invertible_normalizations(model: Any, architecture: Architecture) -> dict[int, _Normalization]:
    """Returns the batch normalizations that follow a linear layer and can be undone, by the index of that layer."""
    normalizations = {}
    for index, (layer, following) in enumerate(zip(model.layers, model.layers[1:], strict=False)):
        linear = getattr(getattr(layer, "activation", None), "__name__", "") == "linear"
        if not linear or not isinstance(architecture.layers[index + 1], BatchNormalization):
            continue
        gamma, beta, mean, variance = (np.asarray(weights, np.float32) for weights in following.get_weights())
        scale = (gamma / np.sqrt(variance + np.float32(following.epsilon))).astype(np.float32)
        shift = beta - mean * scale
        if np.abs(scale).min() > 0 and (np.abs(shift) / np.abs(scale)).max() < MAX_ERROR_GROWTH:
            normalizations[index] = _Normalization(scale, shift)
    return normalizations


def _layer_outputs(
    image: Any, model: Any, architecture: Architecture, normalizations: dict[int, _Normalization]
) -> dict[str, Any]:
    """Computes the output of each layer for a tensor (N, size, size, 1) of 0..255, and the logits, by output name."""
    import tensorflow as tf

    outputs: dict[str, Any] = {}
    value = image
    for index, (layer, described) in enumerate(zip(model.layers, architecture.layers, strict=True)):
        name = output_name(index + 1, described)
        last = index + 1 == len(model.layers)
        if index in normalizations:
            value = model.layers[index + 1](layer(value), training=False)
            undo = normalizations[index]
            outputs[name] = (value - undo.shift) * (1 / undo.scale)
        elif last and isinstance(described, Dense) and described.activation == "softmax":
            outputs[LOGITS] = tf.matmul(value, layer.kernel) + (layer.bias if layer.use_bias else 0.0)
            outputs[name] = tf.nn.softmax(outputs[LOGITS])
        else:
            if index - 1 not in normalizations and not isinstance(described, _DROPOUT):  # else `value` is its output
                value = layer(value, training=False)
            outputs[name] = value
    return outputs
