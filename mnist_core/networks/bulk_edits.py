"""One figure for all layers of a kind: their initialiser, the momentum of their batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mnist_core.networks.layers import BatchNormalization, Conv2D, Dense, Dropout, Layer

MIXED = "mixed"
"""In place of an initialiser: each layer has its own."""

USUAL_MOMENTUM = BatchNormalization().momentum


def with_initializer(layers: Sequence[Layer], name: str) -> tuple[Layer, ...]:
    """The same network, the weights of every convolution and dense layer drawn so; MIXED changes none."""
    if name == MIXED:
        return tuple(layers)
    return tuple(
        replace(layer, kernel_initializer=name) if isinstance(layer, Conv2D | Dense) else layer for layer in layers
    )


def shared_initializer(layers: Sequence[Layer]) -> str:
    """The initialiser that all convolutions and dense layers have, or MIXED."""
    found = {layer.kernel_initializer for layer in layers if isinstance(layer, Conv2D | Dense)}
    return found.pop() if len(found) == 1 else MIXED


def with_normalization_momentum(layers: Sequence[Layer], momentum: float) -> tuple[Layer, ...]:
    """The same network, every batch normalisation with this momentum, 0..1."""
    return tuple(
        replace(layer, momentum=momentum) if isinstance(layer, BatchNormalization) else layer for layer in layers
    )


def normalization_momentum(layers: Sequence[Layer]) -> float:
    """The momentum of the first batch normalisation; Keras's own where there is none."""
    return next((layer.momentum for layer in layers if isinstance(layer, BatchNormalization)), USUAL_MOMENTUM)


def with_dropout(layers: Sequence[Layer], rate: float) -> tuple[Layer, ...]:
    """The same network with every dropout at `rate`; one before the last Dense where it had none; none at all for 0."""
    if rate == 0:
        return tuple(layer for layer in layers if not isinstance(layer, Dropout))
    if any(isinstance(layer, Dropout) for layer in layers):
        return tuple(replace(layer, rate=rate) if isinstance(layer, Dropout) else layer for layer in layers)
    dense = [index for index, layer in enumerate(layers) if isinstance(layer, Dense)]
    place = dense[-1] if dense else len(layers) - 1
    return (*layers[:place], Dropout(rate), *layers[place:])


def dropout_rate(layers: Sequence[Layer]) -> float:
    """The rate of the first dropout, 0 where there is none."""
    return next((layer.rate for layer in layers if isinstance(layer, Dropout)), 0.0)
