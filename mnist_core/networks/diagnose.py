"""Finds what is wrong with a network.

for issue in diagnose(layers):
    print(issue.position, issue.message, issue.fixes)

A network without errors is one that `Architecture` accepts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mnist_core.constants import NUM_CLASSES
from mnist_core.fields import rule_violations
from mnist_core.networks import cost, fixes
from mnist_core.networks.architecture import MAX_LAYERS, MAX_PARAMETERS
from mnist_core.networks.fixes import Fix
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
    Layers,
    Rescaling,
    SpatialDropout2D,
    format_shape,
    is_softmax,
)

SMALLEST_RANGE = 0.1
"""Inputs that all are smaller are too small to learn from."""


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
    errors = [*_invalid_settings(stack), *_wrong_layer_count(stack)]
    if not errors:  # otherwise costs and shapes mean nothing
        rows = cost.layer_costs(stack, input_size)
        if len(rows) < len(stack):
            errors += _wrong_input(stack, rows, input_size)
        else:
            errors += [*_wrong_output(stack, rows), *_too_many_parameters(stack, rows, input_size)]
    return (*errors, *_hints(stack))


def apply_first_fixes(layers: Sequence[Layer], input_size: int = 28) -> Layers:
    """Applies the first fix of the first error, again and again, until no error with a fix is left."""
    stack = tuple(layers)
    for _ in range(2 * MAX_LAYERS):
        issue = next((each for each in diagnose(stack, input_size) if each.is_error and each.fixes), None)
        if issue is None:
            break
        stack = issue.fixes[0].layers
    return stack


def _invalid_settings(stack: Layers) -> Iterator[Issue]:
    """Finds settings that are out of range: the first of each layer."""
    for index, layer in enumerate(stack):
        violations = rule_violations(layer)
        if violations:
            yield Issue(index + 1, f"{violations[0]}.", True, (fixes.fix_settings(stack, index),))


def _wrong_layer_count(stack: Layers) -> Iterator[Issue]:
    """Finds a network without layers, or with too many."""
    if not stack:
        yield Issue(0, "The network has no layers yet.", True, (fixes.fix_empty_network(),))
    if len(stack) > MAX_LAYERS:
        message = f"The network has {len(stack)} layers; at most {MAX_LAYERS} are allowed."
        yield Issue(MAX_LAYERS, message, True, (fixes.fix_layer_count(stack),))


def _wrong_input(stack: Layers, rows: Sequence[cost.LayerCost], size: int) -> Iterator[Issue]:
    """Finds the first layer that cannot take its input. `rows`: of the layers before it."""
    index, shape = len(rows), rows[-1].output_shape if rows else (size, size, 1)
    layer = stack[index]
    try:
        layer.output_shape(shape)
    except ValueError as error:
        if isinstance(layer, Dense):
            ways = fixes.fixes_for_image_input(stack, index)
        elif len(shape) == 1:
            ways = fixes.fixes_for_flat_input(stack, rows, index)
        else:
            ways = fixes.fixes_for_large_window(stack, index, shape)
        yield Issue(index + 1, f"It {error}.", True, ways)


def _wrong_output(stack: Layers, rows: Sequence[cost.LayerCost]) -> Iterator[Issue]:
    """Finds an output that is not a probability for each digit."""
    shape, softmax = rows[-1].output_shape, is_softmax(stack[-1])
    if len(shape) == 1 and shape[0] >= NUM_CLASSES and softmax:
        return
    message = (
        f"The network ends in {format_shape(shape)}{'' if softmax else ' that are not probabilities'}; expected a "
        f"softmax over {NUM_CLASSES} or more values, one for each digit."
    )
    yield Issue(len(stack), message, True, tuple(fixes.fixes_for_output(stack, shape)))


def _too_many_parameters(stack: Layers, rows: Sequence[cost.LayerCost], size: int) -> Iterator[Issue]:
    """Finds a network with too many parameters."""
    count = cost.total_cost(rows).parameters
    if count <= MAX_PARAMETERS:
        return
    largest = max(range(len(rows)), key=lambda index: rows[index].parameters)
    message = (
        f"The network has {count:,} parameters; at most {MAX_PARAMETERS:,} are allowed. "
        f"{rows[largest].parameters:,} of them are in this layer."
    )
    yield Issue(largest + 1, message, True, tuple(fixes.fixes_for_parameters(stack, size)))


def _hints(stack: Layers) -> Iterator[Issue]:
    """Finds what can be trained but may learn poorly."""
    yield from _scaling_hints(stack)
    flat = False
    for index, layer in enumerate(stack):
        if isinstance(layer, Flatten) and flat:
            message = "Its input is already flat, so it does nothing."
            yield Issue(index + 1, message, False, (fixes.fix_removing(stack, index),))
        flat = flat or isinstance(layer, Flatten | Dense | GlobalAveragePooling2D)
        if getattr(layer, "activation", None) == "softmax" and index < len(stack) - 1:
            message = "A softmax before the last layer loses information: its values always sum to 1."
            yield Issue(index + 1, message, False, (fixes.fix_activation(stack, index),))
    yield from _missing_activations(stack)


def _scaling_hints(stack: Layers) -> Iterator[Issue]:
    """Finds pixels that are not scaled to 0..1, or scaled twice."""
    scaled = [index for index, layer in enumerate(stack) if isinstance(layer, Rescaling)]
    first = next((layer for layer in stack if not isinstance(layer, Flatten)), None)
    if stack and not scaled and not isinstance(first, BatchNormalization):
        message = "Its input is pixels from 0 to 255. Networks learn faster from 0 to 1."
        yield Issue(0, message, False, (fixes.fix_scaling(stack),))
    scales = [layer.scale for layer in stack if isinstance(layer, Rescaling)]
    for count, index in enumerate(scaled[1:], 2):
        if 255 * math.prod(scales[:count]) >= SMALLEST_RANGE:
            continue
        message = "The pixels are rescaled twice, which makes them too small to learn from."
        yield Issue(index + 1, message, False, (fixes.fix_removing(stack, index),))


_LINEAR_LAYERS = (
    Dropout,
    SpatialDropout2D,
    Flatten,
    BatchNormalization,
    AveragePooling2D,
    GlobalAveragePooling2D,
)
"""Layers after which a linear layer is still linear. Not their subclass GlobalMaxPooling2D: a maximum is not linear."""


def _missing_activations(stack: Layers) -> Iterator[Issue]:
    """Finds layers with weights that are followed by another one without an activation in between."""
    for index, layer in enumerate(stack):
        if not isinstance(layer, Dense | Conv2D) or layer.activation is not None:
            continue
        following = next((each for each in stack[index + 1 :] if type(each) not in _LINEAR_LAYERS), None)
        if isinstance(following, Dense | Conv2D | DepthwiseConv2D):
            message = "Without an activation between them, this and the next layer with weights act as a single layer."
            yield Issue(index + 1, message, False, (fixes.fix_activation(stack, index),))
