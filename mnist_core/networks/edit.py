"""What a builder does to a list of layers. Every function gives a new list and leaves the old one as it was."""

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
    Rescaling,
    SpatialDropout2D,
)

Layers = tuple[Layer, ...]

_FRESH: dict[str, Layer] = {
    "Rescaling": Rescaling(1 / 255),
    "Conv2D": Conv2D(32, 3, activation="relu"),
    "DepthwiseConv2D": DepthwiseConv2D(3, activation="relu"),
    "AveragePooling2D": AveragePooling2D(2),
    "Dropout": Dropout(0.25),
    "SpatialDropout2D": SpatialDropout2D(0.1),
    "Dense": Dense(64, "relu"),
}
"""Kind of layer -> how it begins; others have a default for everything."""


def default_layer(kind: str) -> Layer:
    """A layer as it is usually begun with. Raises ArchitectureError where there is no such kind."""
    if kind not in LAYERS:
        raise ArchitectureError(f"{kind!r} is not a layer. Known: {', '.join(LAYERS)}.")
    return _FRESH[kind] if kind in _FRESH else LAYERS[kind]()


def layer_settings(layer: Layer) -> dict[str, tuple[Allowed, Any]]:
    """What can be set of a layer: name -> (what it may hold, what it holds)."""
    pairs = ((described.name, rule_of(described)) for described in fields(layer))
    return {name: (rule, getattr(layer, name)) for name, rule in pairs if rule is not None}


def insert_layer(layers: Layers, index: int, layer: Layer) -> Layers:
    """With a layer at `index`, 0 to the number of layers."""
    return (*layers[:index], layer, *layers[index:])


def remove_layer(layers: Layers, index: int) -> Layers:
    """Without the layer at `index`."""
    return (*layers[:index], *layers[index + 1 :])


def move_layer(layers: Layers, index: int, by: int) -> Layers:
    """With the layer at `index` so many places further on, or back; no further than the ends."""
    target = min(max(index + by, 0), len(layers) - 1)
    return insert_layer(remove_layer(layers, index), target, layers[index])


def change_layer(layers: Layers, index: int, **values: Any) -> Layers:
    """With settings of the layer at `index` changed."""
    layer: Any = layers[index]
    return (*layers[:index], replace(layer, **values), *layers[index + 1 :])
