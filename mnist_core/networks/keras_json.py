"""Writes a network as Keras's own JSON, without Keras: `keras.models.model_from_json(text)` builds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import keras_layer_names
from mnist_core.networks.layers import Layer, Rescaling


def to_keras_json(layers: Sequence[Layer], input_size: int = 28) -> str:
    """Writes the JSON that `keras.models.model_from_json` reads.

    Args:
        layers: a network that can be trained.
        input_size: side of the square input image in pixels.

    Raises:
        ArchitectureError: the network cannot be trained.
    """
    network = Architecture(tuple(layers), input_size)
    shape = [None, *network.input_shape]
    image = _object("InputLayer", {"batch_shape": shape, "dtype": "float32", "name": "image"})
    stack = [
        _object(type(layer).__name__, {"name": name, **_layer_config(layer)})
        for name, layer in zip(keras_layer_names(layers), layers, strict=True)
    ]
    config = {"name": "digit_lab", "layers": [image, *stack], "build_input_shape": shape}
    return json.dumps({**_object("Sequential", config), "module": "keras"}, indent=1)


def _object(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}


def _layer_config(layer: Layer) -> dict[str, Any]:
    values = asdict(layer)
    if isinstance(layer, Rescaling):
        values["offset"] = 0.0  # Keras requires it
    if "activation" in values:
        values["activation"] = values["activation"] or "linear"
    return values
