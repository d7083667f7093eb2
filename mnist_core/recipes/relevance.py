"""Which settings change anything, given the others: momentum is nothing to Adam, nor a decay to a cosine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_core.networks.layers import BatchNormalization, Layer
from mnist_core.recipes.settings import SMOOTHED_LOSSES

_WITH_MOMENTS, _DECAYING = ("Adam", "AdamW"), ("step", "exponential")


def is_relevant(name: str, chosen: Mapping[str, Any], layers: Sequence[Layer]) -> bool:
    """Whether a setting makes a difference to a training.

    Args:
        name: of a setting.
        chosen: the other settings: `optimizer`, `momentum`, `schedule` and `loss` at least.
        layers: the network.
    """
    needed = RELEVANT_IF.get(name)
    return needed is None or needed(chosen, layers)


RELEVANT_IF: dict[str, Callable[[Mapping[str, Any], Sequence[Layer]], bool]] = {
    "momentum": lambda chosen, _: chosen["optimizer"] == "SGD",
    "nesterov": lambda chosen, _: chosen["optimizer"] == "SGD" and chosen["momentum"] > 0,
    "beta_1": lambda chosen, _: chosen["optimizer"] in _WITH_MOMENTS,
    "beta_2": lambda chosen, _: chosen["optimizer"] in _WITH_MOMENTS,
    "decay_factor": lambda chosen, _: chosen["schedule"] in _DECAYING,
    "decay_epochs": lambda chosen, _: chosen["schedule"] in _DECAYING,
    "label_smoothing": lambda chosen, _: chosen["loss"] in SMOOTHED_LOSSES,
    "batch_normalization_momentum": lambda _, layers: any(isinstance(layer, BatchNormalization) for layer in layers),
}
"""Setting -> what it needs; one that is not here always makes a difference."""
