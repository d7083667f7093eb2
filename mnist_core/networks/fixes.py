"""Fixes for the issues that `diagnose` finds. Each fix is a changed list of layers; the most likely one comes first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.fields import Choice, Integer, Number, is_number
from mnist_core.networks import cost
from mnist_core.networks.architecture import MAX_PARAMETERS
from mnist_core.networks.edit import change_layer, insert_layer, layer_settings, move_layer, remove_layer
from mnist_core.networks.layers import (
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    Layers,
    MaxPooling2D,
    Rescaling,
    Shape,
    Softmax,
    is_softmax,
)

OUTPUT = Dense(NUM_CLASSES, "softmax")
"""The last layer that fixes add."""
SCALE = Rescaling(1 / 255)
"""The first layer that fixes add."""
MAX_HALVINGS = 400
"""Upper limit for the search for a network that is small enough."""
KEPT_AT_EACH_END = 45
"""Layers kept at each end of a network with too many layers. Leaves room for layers that other fixes add."""


@dataclass(frozen=True)
class Fix:
    """A repair.

    Attributes:
        title: text of the button, such as `Insert Flatten before it`.
        layers: the repaired network.
    """

    title: str
    layers: Layers


def fix_empty_network() -> Fix:
    """Starts a network."""
    return Fix("Start with the smallest network that can learn", (SCALE, Flatten(), OUTPUT))


def fix_layer_count(stack: Layers) -> Fix:
    """Removes layers in the middle."""
    kept = (*stack[:KEPT_AT_EACH_END], *stack[-KEPT_AT_EACH_END:])
    return Fix(f"Keep the first and the last {KEPT_AT_EACH_END}", kept)


def fix_removing(stack: Layers, index: int) -> Fix:
    """Removes a layer."""
    return Fix("Remove it", remove_layer(stack, index))


def fix_activation(stack: Layers, index: int) -> Fix:
    """Sets the activation of a layer to ReLU."""
    return Fix("Give it the activation relu", change_layer(stack, index, activation="relu"))


def fix_scaling(stack: Layers) -> Fix:
    """Scales the pixels first."""
    return Fix("Start with Rescaling", (SCALE, *stack))


def fix_settings(stack: Layers, index: int) -> Fix:
    """Brings each setting of a layer into its range."""
    settings = layer_settings(stack[index]).items()
    values = {name: _nearest(rule, value) for name, (rule, value) in settings if not rule.accepts(value)}
    return Fix("Use the nearest allowed value", change_layer(stack, index, **values))


def _nearest(rule: Integer | Number | Choice, value: Any) -> Any:
    """Returns the allowed value that is closest to a number, and any allowed value for anything else."""
    if isinstance(rule, Choice):
        return rule.values[0]
    can_be_clamped = is_number(value) or value in (math.inf, -math.inf)
    nearest = min(max(value, rule.low), rule.high) if can_be_clamped else rule.low
    if isinstance(rule, Integer):
        return int(nearest)
    return float(rule.high / 255 if rule.above and nearest == rule.low else nearest)


def fixes_for_image_input(stack: Layers, index: int) -> tuple[Fix, ...]:
    """Fixes for a Dense layer whose input is an image."""
    flattening = (Flatten(), GlobalAveragePooling2D())
    return tuple(
        Fix(f"Insert {type(layer).__name__} before it", insert_layer(stack, index, layer)) for layer in flattening
    )


def fixes_for_flat_input(stack: Layers, rows: Sequence[cost.LayerCost], index: int) -> tuple[Fix, ...]:
    """Fixes for a layer that needs an image but comes after the layer that flattens it.

    Args:
        stack: the network.
        rows: costs of the layers before the one at `index`.
        index: of the layer.
    """
    remove = fix_removing(stack, index)
    if isinstance(stack[index], GlobalAveragePooling2D):  # moved, it would leave no image for the other layer
        return (remove,)
    flattening = next(place for place, row in enumerate(rows) if len(row.output_shape) == 1)
    name = type(stack[flattening]).__name__
    return (Fix(f"Move it before {name}", move_layer(stack, index, flattening - index)), remove)


def fixes_for_large_window(stack: Layers, index: int, shape: Shape) -> tuple[Fix, ...]:
    """Fixes for a layer whose window is larger than its input, which has this shape."""
    window = "kernel_size" if hasattr(stack[index], "kernel_size") else "pool_size"
    side = min(shape[0], shape[1])
    return (
        Fix(f"Use a window of {side}", change_layer(stack, index, **{window: side})),
        Fix("Use padding same", change_layer(stack, index, padding="same")),
        fix_removing(stack, index),
    )


def fixes_for_output(stack: Layers, shape: Shape) -> Iterator[Fix]:
    """Fixes for a network whose output, of this shape, is not a probability for each digit."""
    last = stack[-1]
    if len(shape) > 1:
        yield Fix(f"Add Flatten and Dense({NUM_CLASSES}, softmax)", (*stack, Flatten(), OUTPUT))
        return
    if isinstance(last, Softmax):
        yield Fix(f"Insert Dense({NUM_CLASSES}) before it", (*stack[:-1], Dense(NUM_CLASSES), last))
        return
    if isinstance(last, Dense) and is_softmax(last):
        yield Fix(f"Give it {NUM_CLASSES} units", (*stack[:-1], replace(last, units=NUM_CLASSES)))
        return
    if isinstance(last, Dense) and shape[0] in (NUM_CLASSES, NUM_CLASSES + 1):
        yield Fix("Give it the activation softmax", (*stack[:-1], replace(last, activation="softmax")))
    yield Fix(f"Add Dense({NUM_CLASSES}, softmax)", (*stack, OUTPUT))


def fixes_for_parameters(stack: Layers, size: int) -> Iterator[Fix]:
    """Fixes for a network with too many parameters. `size`: side of the input image in pixels."""
    smaller = _halve_until_allowed(stack, size)
    if smaller:
        yield Fix(_describe_shrinking(stack, smaller), smaller)
    flatten = next((index for index, layer in enumerate(stack) if isinstance(layer, Flatten)), None)
    if flatten is not None and len(cost.layer_costs(stack, size)[flatten].input_shape) == 3:
        pooled = insert_layer(stack, flatten, MaxPooling2D())
        fits = len(cost.layer_costs(pooled, size)) == len(pooled)
        if fits and _count_parameters(pooled, size) <= MAX_PARAMETERS:
            yield Fix("Insert MaxPooling2D before Flatten", pooled)


def _count_parameters(stack: Layers, size: int) -> int:
    return cost.total_cost(cost.layer_costs(stack, size)).parameters


def _halve_until_allowed(stack: Layers, size: int) -> Layers | None:
    """Halves the largest layers, except the last, until the network is small enough. None if it never is."""
    for _ in range(MAX_HALVINGS):
        if _count_parameters(stack, size) <= MAX_PARAMETERS:
            return stack
        shrinkable = [index for index in range(len(stack) - 1) if _width(stack[index]) > 1]
        if not shrinkable:
            return None
        rows = cost.layer_costs(stack, size)
        index = max(shrinkable, key=lambda place: _savings(rows, place))
        name = "units" if isinstance(stack[index], Dense) else "filters"
        stack = change_layer(stack, index, **{name: _width(stack[index]) // 2})
    return None


def _savings(rows: Sequence[cost.LayerCost], index: int) -> int:
    """Parameters that depend on the width of a layer: its own, and those of the next layer that has any."""
    following = next((row.parameters for row in rows[index + 1 :] if row.parameters), 0)
    return rows[index].parameters + following


def _width(layer: Layer) -> int:
    """Returns the number of units or filters, or 0."""
    return int(getattr(layer, "units", None) or getattr(layer, "filters", None) or 0)


def _describe_shrinking(before: Layers, after: Layers) -> str:
    """Describes a smaller network: `Layer 2: 1,024 instead of 8,192`."""
    changed = [
        (position, _width(old), _width(new))
        for position, (old, new) in enumerate(zip(before, after, strict=True), 1)
        if old != new
    ]
    return "; ".join(f"Layer {position}: {new:,} instead of {old:,}" for position, old, new in changed[:3])
