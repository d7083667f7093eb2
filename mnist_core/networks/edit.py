"""Edits of a list of layers. Every function returns a new tuple."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from mnist_core.errors import ArchitectureError
from mnist_core.fields import Allowed, rule_of
from mnist_core.networks.layers import (
    LAYERS,
    AveragePooling2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Layer,
    Layers,
    Rescaling,
    SpatialDropout2D,
)

_STARTING_POINTS: dict[str, Layer] = {
    "Rescaling": Rescaling(1 / 255),
    "Conv2D": Conv2D(32, 3, activation="relu"),
    "DepthwiseConv2D": DepthwiseConv2D(3, activation="relu"),
    "AveragePooling2D": AveragePooling2D(2),
    "Dropout": Dropout(0.25),
    "SpatialDropout2D": SpatialDropout2D(0.1),
    "Dense": Dense(64, "relu"),
}
"""New layers by kind. Kinds that are not listed have a default for every setting."""


def default_layer(kind: str) -> Layer:
    """Returns a new layer with usual settings. Raises ArchitectureError for an unknown kind."""
    if kind not in LAYERS:
        raise ArchitectureError(f"{kind!r} is not a layer. Known: {', '.join(LAYERS)}.")
    return _STARTING_POINTS[kind] if kind in _STARTING_POINTS else LAYERS[kind]()


def layer_settings(layer: Layer) -> dict[str, tuple[Allowed, Any]]:
    """Returns the settings of a layer: name to (rule, value)."""
    pairs = ((described.name, rule_of(described)) for described in fields(layer))
    return {name: (rule, getattr(layer, name)) for name, rule in pairs if rule is not None}


def insert_layer(layers: Layers, index: int, layer: Layer) -> Layers:
    """Inserts a layer before the one at `index`, which may be the number of layers."""
    return (*layers[:index], layer, *layers[index:])


def remove_layer(layers: Layers, index: int) -> Layers:
    """Removes the layer at `index`."""
    return (*layers[:index], *layers[index + 1 :])


def move_layer(layers: Layers, index: int, by: int) -> Layers:
    """Moves the layer at `index` by a number of positions, at most to either end."""
    target = min(max(index + by, 0), len(layers) - 1)
    return insert_layer(remove_layer(layers, index), target, layers[index])


def change_layer(layers: Layers, index: int, **values: Any) -> Layers:
    """Changes settings of the layer at `index`."""
    layer: Any = layers[index]
    return (*layers[:index], replace(layer, **values), *layers[index + 1 :])
