"""Folds the layers of a network into blocks: a convolution together with its normalization and activation.

[block.title for block in fold_layers(layers)]  # ["Rescale", "Conv 32 · BN · ReLU", "Max pool", …]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mnist_core.networks.layers import (
    BatchNormalization,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    ReLU,
    Rescaling,
    Softmax,
    SpatialDropout2D,
)

_STANDING_ALONE = (Rescaling, Flatten)
"""Layers that nothing is folded into, except what acts only during training."""
_FOLDED = (BatchNormalization, ReLU, LeakyReLU, Softmax)
"""Layers that belong to the convolution, pooling or dense layer before them."""
_ONLY_IN_TRAINING = (Dropout, SpatialDropout2D)
"""Layers that pass everything on when the network predicts: they belong to whatever is before them."""

_NAMES = {
    "Rescaling": "Rescale",
    "Conv2D": "Conv",
    "DepthwiseConv2D": "Depthwise conv",
    "MaxPooling2D": "Max pool",
    "AveragePooling2D": "Average pool",
    "GlobalAveragePooling2D": "Global average pool",
    "GlobalMaxPooling2D": "Global max pool",
    "BatchNormalization": "BN",
    "LeakyReLU": "Leaky ReLU",
}
"""Class of a layer -> its short name, where that is another."""
ACTIVATION_NAMES = {"relu": "ReLU", "leaky_relu": "Leaky ReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU"}
"""Activation as Keras names it -> its name for people, where that is another."""


@dataclass(frozen=True)
class Block:
    """Consecutive layers that are shown as one.

    Attributes:
        title: `Conv 32 · BN · ReLU`.
        first: index of its first layer.
        last: index of its last layer, whose output is the block's.
    """

    title: str
    first: int
    last: int

    @property
    def positions(self) -> range:
        """Indices of its layers."""
        return range(self.first, self.last + 1)


def fold_layers(layers: Sequence[Layer]) -> tuple[Block, ...]:
    """Folds a network into blocks, which together contain each of its layers once."""
    starts = [index for index in range(len(layers)) if not _belongs_to_previous(layers, index)]
    return tuple(
        Block(_title(layers[start:following]), start, following - 1)
        for start, following in pairwise([*starts, len(layers)])
    )


def _belongs_to_previous(layers: Sequence[Layer], index: int) -> bool:
    if index == 0:
        return False
    if isinstance(layers[index], _ONLY_IN_TRAINING):
        return True
    before = index - 1
    while before > 0 and isinstance(layers[before], (*_FOLDED, *_ONLY_IN_TRAINING)):
        before -= 1
    base = layers[before]
    return isinstance(layers[index], _FOLDED) and not isinstance(base, (*_STANDING_ALONE, *_FOLDED, *_ONLY_IN_TRAINING))


def _title(parts: Sequence[Layer]) -> str:
    acting = [part for part in parts if not isinstance(part, _ONLY_IN_TRAINING)] or parts
    return " · ".join(part_title(part) for part in acting)


def part_title(layer: Any) -> str:
    """The short name of one layer: `Conv 32 · ReLU` for a convolution with an activation of its own."""
    kind = type(layer).__name__
    title = _NAMES.get(kind, kind)
    size = getattr(layer, "filters", None) or getattr(layer, "units", None)
    activation = getattr(layer, "activation", None)
    title += f" {size}" if size else ""
    return title + (f" · {ACTIVATION_NAMES.get(activation, activation)}" if activation else "")
