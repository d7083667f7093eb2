"""Settings that a sweep varies without an effect, such as momentum with Adam."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from mnist_core.recipes.relevance import NEEDS, is_relevant
from mnist_core.recipes.settings import Settings
from mnist_core.sweeps.search_space import Dimension, Values

DECIDING = ("optimizer", "momentum", "schedule", "loss")
"""Settings that decide which others have an effect."""


def ineffective_settings(space: Sequence[Dimension], base: Settings) -> list[str]:
    """Returns a sentence for each setting that has no effect on any trial of a sweep.

    `Momentum has no effect with Adam: it needs SGD.`

    Args:
        space: what the sweep varies.
        base: the settings of all trials.
    """
    values: dict[str, Sequence[object]] = {name: (getattr(base, name),) for name in DECIDING}
    for dimension in space:
        if dimension.name in values:
            values[dimension.name] = dimension.values if isinstance(dimension, Values) else (dimension.high,)  # above 0
    combinations = [dict(zip(values, each, strict=True)) for each in product(*values.values())]
    sentences = []
    for dimension in space:
        if any(is_relevant(dimension.name, chosen, base.layers) for chosen in combinations):
            continue
        deciding, needed = NEEDS[dimension.name]
        given = f" with {' or '.join(map(str, values[deciding]))}" if deciding in values else ""
        sentences.append(f"{dimension.name.replace('_', ' ').capitalize()} has no effect{given}: it needs {needed}.")
    return sentences
