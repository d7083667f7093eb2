"""Which settings have an effect, given the others: Adam ignores momentum, and a cosine schedule ignores decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_core.networks.layers import BatchNormalization, Layer
from mnist_core.recipes.settings import SMOOTHED_LOSSES

_WITH_MOMENTS, _DECAYING = ("Adam", "AdamW"), ("step", "exponential")


def is_relevant(name: str, chosen: Mapping[str, Any], layers: Sequence[Layer]) -> bool:
    """True if a setting has an effect on training.

    Args:
        name: the setting.
        chosen: values of the other settings: at least `optimizer`, `momentum`, `schedule` and `loss`.
        layers: the network.
    """
    condition = RELEVANT_IF.get(name)
    return condition is None or condition(chosen, layers)


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
"""Conditions by setting. Settings that are not listed always have an effect."""

NEEDS: dict[str, tuple[str, str]] = {
    "momentum": ("optimizer", "SGD"),
    "nesterov": ("optimizer", "SGD with momentum"),
    "beta_1": ("optimizer", "Adam or AdamW"),
    "beta_2": ("optimizer", "Adam or AdamW"),
    "decay_factor": ("schedule", "the schedule step or exponential"),
    "decay_epochs": ("schedule", "the schedule step or exponential"),
    "label_smoothing": ("loss", "the loss cross-entropy or focal"),
    "batch_normalization_momentum": ("layers", "a BatchNormalization layer"),
}
"""For each of these settings, the field of Settings that decides whether it has an effect, and what it needs."""
