"""Finds what is wrong with a network, and fixes for it.

for issue in diagnose(layers):
    print(issue.position, issue.message, issue.fixes)

A network without errors is one that `Architecture` accepts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.fields import Choice, Integer, Number, is_number, rule_of, rule_violations
from mnist_core.networks import cost
from mnist_core.networks.architecture import MAX_LAYERS, MAX_PARAMETERS
from mnist_core.networks.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    Rescaling,
    Shape,
    Softmax,
    SpatialDropout2D,
    format_shape,
)

Layers = tuple[Layer, ...]

OUTPUT = Dense(NUM_CLASSES, "softmax")
"""The last layer that fixes add."""
SCALE = Rescaling(1 / 255)
"""The first layer that fixes add."""
MAX_HALVINGS = 400
"""Upper limit for the search of a network that is small enough."""
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


@dataclass(frozen=True)
class Issue:
    """Something wrong with a network.

    Attributes:
        position: of the layer, counted from 1; 0 for the network as a whole.
        message: one or two sentences.
        is_error: True if the network cannot be trained; False for a hint that it may learn poorly.
        fixes: the most likely first.
    """

    position: int
    message: str
    is_error: bool
    fixes: tuple[Fix, ...]


def diagnose(layers: Sequence[Layer], input_size: int = 28) -> tuple[Issue, ...]:
    """Finds all issues of a network, errors first.

    Args:
        layers: the network; it may be empty, incomplete or broken.
        input_size: side of the square image in pixels.
    """
    stack = tuple(layers)
    issues = [*_invalid_settings(stack), *_wrong_layer_count(stack)]
    if not issues and stack:
        rows = cost.layer_costs(stack, input_size)
        whole = len(rows) == len(stack)
        issues = [*(_wrong_output(stack, rows) if whole else _misfit(stack, rows, input_size))]
        issues += _too_many_parameters(stack, rows, input_size) if whole else []
    return (*issues, *_hints(stack))


def apply_first_fixes(layers: Sequence[Layer], input_size: int = 28) -> Layers:
    """Applies the first fix of the first error, again and again, until no error with a fix is left."""
    stack = tuple(layers)
    for _ in range(2 * MAX_LAYERS):
        issue = next((each for each in diagnose(stack, input_size) if each.is_error and each.fixes), None)
        if issue is None:
            break
        stack = issue.fixes[0].layers
    return stack


def _replace_layer(stack: Layers, index: int, *layers: Layer) -> Layers:
    """Replaces the layer at `index` by others, or removes it."""
    return (*stack[:index], *layers, *stack[index + 1 :])


def _invalid_settings(stack: Layers) -> Iterator[Issue]:
    """Finds settings that are out of range: the first of each layer."""
    for index, layer in enumerate(stack):
        for violation in rule_violations(layer):
            fix = Fix("Use the nearest allowed value", _replace_layer(stack, index, _within_range(layer)))
            yield Issue(index + 1, f"{violation}.", True, (fix,))
            break


def _within_range(layer: Any) -> Layer:
    """Brings each setting into its range."""
    values: dict[str, Any] = {}
    for described in fields(layer):
        rule, value = rule_of(described), getattr(layer, described.name)
        if rule is not None and not rule.accepts(value):
            values[described.name] = _nearest(rule, value)
    changed: Layer = replace(layer, **values)
    return changed


def _nearest(rule: Integer | Number | Choice, value: Any) -> Any:
    if isinstance(rule, Choice):
        return rule.values[0]
    near = min(max(value, rule.low), rule.high) if _can_be_clamped(value) else rule.low
    if isinstance(rule, Integer):
        return int(near)
    return float(rule.high / 255 if rule.above and near == rule.low else near)


def _can_be_clamped(value: Any) -> bool:
    return is_number(value) or value in (math.inf, -math.inf)


def _wrong_layer_count(stack: Layers) -> Iterator[Issue]:
    if not stack:
        fix = Fix("Start with the smallest network that can learn", (SCALE, Flatten(), OUTPUT))
        yield Issue(0, "The network has no layers yet.", True, (fix,))
    if len(stack) > MAX_LAYERS:
        what = f"The network has {len(stack)} layers; at most {MAX_LAYERS} are allowed."
        fix = Fix(
            f"Keep the first and the last {KEPT_AT_EACH_END}", (*stack[:KEPT_AT_EACH_END], *stack[-KEPT_AT_EACH_END:])
        )
        yield Issue(MAX_LAYERS, what, True, (fix,))


def _misfit(stack: Layers, rows: Sequence[cost.LayerCost], size: int) -> Iterator[Issue]:
    """Finds the first layer that cannot take its input."""
    index, shape = len(rows), rows[-1].output_shape if rows else (size, size, 1)
    layer: Any = stack[index]
    try:
        layer.output_shape(shape)
    except ValueError as error:
        if isinstance(layer, Dense):
            fixes = _flatten_fixes(stack, index)
        elif len(shape) == 1:
            fixes = _needs_image_fixes(stack, rows, index)
        else:
            fixes = _window_fixes(stack, index, shape)
        yield Issue(index + 1, f"It {error}.", True, fixes)


def _flatten_fixes(stack: Layers, index: int) -> tuple[Fix, ...]:
    """Fixes for a Dense layer whose input is an image."""
    ways = (Flatten(), GlobalAveragePooling2D())
    return tuple(Fix(f"Insert {type(way).__name__} before it", (*stack[:index], way, *stack[index:])) for way in ways)


def _needs_image_fixes(stack: Layers, rows: Sequence[cost.LayerCost], index: int) -> tuple[Fix, ...]:
    """Fixes for a layer that needs an image, after a layer that made a flat list of it."""
    end = next(place for place, row in enumerate(rows) if len(row.output_shape) == 1)
    name = type(stack[end]).__name__
    moved = (*stack[:end], stack[index], *stack[end:index], *stack[index + 1 :])
    remove = Fix("Remove it", _replace_layer(stack, index))
    flattens = isinstance(stack[index], GlobalAveragePooling2D)  # after moving it, the other layer would have no image
    return (remove,) if flattens else (Fix(f"Move it before {name}", moved), remove)


def _window_fixes(stack: Layers, index: int, shape: Shape) -> tuple[Fix, ...]:
    """Fixes for a window that is larger than its input."""
    layer: Any = stack[index]
    window = "kernel_size" if hasattr(layer, "kernel_size") else "pool_size"
    side = min(shape[0], shape[1])
    return (
        Fix(f"Use a window of {side}", _replace_layer(stack, index, replace(layer, **{window: side}))),
        Fix("Use padding same", _replace_layer(stack, index, replace(layer, padding="same"))),
        Fix("Remove it", _replace_layer(stack, index)),
    )


def _wrong_output(stack: Layers, rows: Sequence[cost.LayerCost]) -> Iterator[Issue]:
    """Finds an output that is not a probability for each digit."""
    last, shape = stack[-1], rows[-1].output_shape
    softmax = isinstance(last, Softmax) or getattr(last, "activation", None) == "softmax"
    if len(shape) == 1 and shape[0] >= NUM_CLASSES and softmax:
        return
    what = (
        f"The network ends in {format_shape(shape)}{'' if softmax else ' that are not probabilities'}; expected a "
        f"softmax over {NUM_CLASSES} or more values, one for each digit."
    )
    yield Issue(len(stack), what, True, tuple(_output_fixes(stack, shape, softmax)))


def _output_fixes(stack: Layers, shape: Shape, softmax: bool) -> Iterator[Fix]:
    last = stack[-1]
    if len(shape) > 1:
        yield Fix(f"Add Flatten and Dense({NUM_CLASSES}, softmax)", (*stack, Flatten(), OUTPUT))
        return
    if isinstance(last, Softmax):
        yield Fix(f"Insert Dense({NUM_CLASSES}) before it", (*stack[:-1], Dense(NUM_CLASSES), last))
        return
    if isinstance(last, Dense) and softmax:
        yield Fix(f"Give it {NUM_CLASSES} units", (*stack[:-1], replace(last, units=NUM_CLASSES)))
        return
    if isinstance(last, Dense) and shape[0] in (NUM_CLASSES, NUM_CLASSES + 1):
        yield Fix("Give it the activation softmax", (*stack[:-1], replace(last, activation="softmax")))
    yield Fix(f"Add Dense({NUM_CLASSES}, softmax)", (*stack, OUTPUT))


def _too_many_parameters(stack: Layers, rows: Sequence[cost.LayerCost], size: int) -> Iterator[Issue]:
    """Finds a network with too many parameters."""
    count = cost.total_cost(rows).parameters
    if count <= MAX_PARAMETERS:
        return
    largest = max(range(len(rows)), key=lambda index: rows[index].parameters)
    what = (
        f"The network has {count:,} parameters; at most {MAX_PARAMETERS:,} are allowed. "
        f"{rows[largest].parameters:,} of them are in this layer."
    )
    fitting = _halve_until_allowed(stack, size)
    fixes = [Fix(_describe_shrinking(stack, fitting), fitting)] if fitting else []
    flat = next((index for index, layer in enumerate(stack) if isinstance(layer, Flatten)), None)
    if flat is not None and len(rows[flat].input_shape) == 3:
        pooled = (*stack[:flat], MaxPooling2D(), *stack[flat:])
        if cost.total_cost(cost.layer_costs(pooled, size)).parameters <= MAX_PARAMETERS:
            fixes.append(Fix("Insert MaxPooling2D before Flatten", pooled))
    yield Issue(largest + 1, what, True, tuple(fixes))


def _halve_until_allowed(stack: Layers, size: int) -> Layers | None:
    """Halves the largest layers, except the last, until the network is small enough. None if it never is."""
    for _ in range(MAX_HALVINGS):
        rows = cost.layer_costs(stack, size)
        if cost.total_cost(rows).parameters <= MAX_PARAMETERS:
            return stack
        shrinkable = [index for index in range(len(stack) - 1) if _width(stack[index]) > 1]
        if not shrinkable:
            return None
        index = max(shrinkable, key=lambda place: _savings(rows, place))
        layer: Any = stack[index]
        name = "units" if isinstance(layer, Dense) else "filters"
        stack = _replace_layer(stack, index, replace(layer, **{name: _width(layer) // 2}))
    return None


def _savings(rows: Sequence[cost.LayerCost], index: int) -> int:
    """Parameters that fewer units save: those of the layer, and of the next layer that has any."""
    after = next((row.parameters for row in rows[index + 1 :] if row.parameters), 0)
    return rows[index].parameters + after


def _width(layer: Layer) -> int:
    return int(getattr(layer, "units", None) or getattr(layer, "filters", None) or 0)


def _describe_shrinking(before: Layers, after: Layers) -> str:
    """Describes a smaller network: `Layer 2: 1,024 instead of 8,192`."""
    changed = [
        (place, _width(old), _width(new))
        for place, (old, new) in enumerate(zip(before, after, strict=True), 1)
        if old != new
    ]
    return "; ".join(f"Layer {place}: {new:,} instead of {old:,}" for place, old, new in changed[:3])


def _hints(stack: Layers) -> Iterator[Issue]:
    """Finds what can be trained but may learn poorly."""
    yield from _scaling_hints(stack)
    flat = False
    for index, layer in enumerate(stack):
        if isinstance(layer, Flatten) and flat:
            fix = Fix("Remove it", _replace_layer(stack, index))
            yield Issue(index + 1, "Its input is already flat, so it does nothing.", False, (fix,))
        flat = flat or isinstance(layer, Flatten | Dense | GlobalAveragePooling2D)
        if getattr(layer, "activation", None) == "softmax" and index < len(stack) - 1:
            what = "A softmax before the last layer loses information: its values always sum to 1."
            yield Issue(index + 1, what, False, (_relu_fix(stack, index),))
    yield from _missing_activations(stack)


def _scaling_hints(stack: Layers) -> Iterator[Issue]:
    scaled = [index for index, layer in enumerate(stack) if isinstance(layer, Rescaling)]
    first = next((layer for layer in stack if not isinstance(layer, Flatten)), None)
    if stack and not scaled and not isinstance(first, BatchNormalization):
        what = "Its input is pixels from 0 to 255. Networks learn faster from 0 to 1."
        yield Issue(0, what, False, (Fix("Start with Rescaling", (SCALE, *stack)),))
    for index in scaled[1:]:
        what = "The pixels are rescaled twice, which makes them too small to learn from."
        yield Issue(index + 1, what, False, (Fix("Remove it", _replace_layer(stack, index)),))


_LINEAR_LAYERS = (
    Dropout,
    SpatialDropout2D,
    Flatten,
    BatchNormalization,
    AveragePooling2D,
    GlobalAveragePooling2D,
)


def _missing_activations(stack: Layers) -> Iterator[Issue]:
    """Finds layers with weights that are followed by another one without an activation in between."""
    for index, layer in enumerate(stack):
        if not isinstance(layer, Dense | Conv2D) or layer.activation is not None:
            continue
        after = next((each for each in stack[index + 1 :] if not isinstance(each, _LINEAR_LAYERS)), None)
        if isinstance(after, Dense | Conv2D | DepthwiseConv2D):
            what = "Without an activation between them, this and the next layer with weights act as a single layer."
            yield Issue(index + 1, what, False, (_relu_fix(stack, index),))


def _relu_fix(stack: Layers, index: int) -> Fix:
    layer: Any = stack[index]
    return Fix("Give it the activation relu", _replace_layer(stack, index, replace(layer, activation="relu")))
