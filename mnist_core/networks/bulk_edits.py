"""Changes that apply to all layers of a kind: initializer, batch-normalization momentum, dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mnist_core.networks.layers import BatchNormalization, Conv2D, Dense, Dropout, Layer

MIXED = "mixed"
"""Stands for the initializer of a network whose layers have different initializers."""
DEFAULT_MOMENTUM = BatchNormalization().momentum
"""Keras's momentum of batch normalization."""


def with_initializer(layers: Sequence[Layer], name: str) -> tuple[Layer, ...]:
    """Returns the layers with this initializer in every Conv2D and Dense; MIXED changes nothing."""
    if name == MIXED:
        return tuple(layers)
    return tuple(
        replace(layer, kernel_initializer=name) if isinstance(layer, Conv2D | Dense) else layer for layer in layers
    )


def shared_initializer(layers: Sequence[Layer]) -> str:
    """Returns the initializer that every Conv2D and Dense has, or MIXED."""
    names = {layer.kernel_initializer for layer in layers if isinstance(layer, Conv2D | Dense)}
    return names.pop() if len(names) == 1 else MIXED


def with_normalization_momentum(layers: Sequence[Layer], momentum: float) -> tuple[Layer, ...]:
    """Returns the layers with this momentum, 0..1, in every BatchNormalization."""
    return tuple(
        replace(layer, momentum=momentum) if isinstance(layer, BatchNormalization) else layer for layer in layers
    )


def normalization_momentum(layers: Sequence[Layer]) -> float:
    """Returns the momentum of the first BatchNormalization, or DEFAULT_MOMENTUM without one."""
    return next((layer.momentum for layer in layers if isinstance(layer, BatchNormalization)), DEFAULT_MOMENTUM)


def with_dropout(layers: Sequence[Layer], rate: float) -> tuple[Layer, ...]:
    """Returns the layers with every Dropout at this rate.

    A network without Dropout gets one before its last Dense. A rate of 0 removes every Dropout.
    """
    if rate == 0:
        return tuple(layer for layer in layers if not isinstance(layer, Dropout))
    if any(isinstance(layer, Dropout) for layer in layers):
        return tuple(replace(layer, rate=rate) if isinstance(layer, Dropout) else layer for layer in layers)
    dense = [index for index, layer in enumerate(layers) if isinstance(layer, Dense)]
    index = dense[-1] if dense else len(layers) - 1
    return (*layers[:index], Dropout(rate), *layers[index:])


def dropout_rate(layers: Sequence[Layer]) -> float:
    """Returns the rate of the first Dropout, or 0 without one."""
    return next((layer.rate for layer in layers if isinstance(layer, Dropout)), 0.0)
