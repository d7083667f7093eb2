"""What is wrong with a network, at which layer, and networks in which it is mended.

for problem in mending.diagnose(layers):
    print(problem.position, problem.what)
    layers = problem.mends[0].layers

Networks in which nothing is an error are those that `architecture.Architecture` takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.fields import Choice, Integer, Number, rule_of, rule_violations
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

END = Dense(NUM_CLASSES, "softmax")
SCALE = Rescaling(1 / 255)
MOST_HALVINGS = 400
ENDS = 45  # layers kept at either end of a network that has too many: room is left to mend it


@dataclass(frozen=True)
class Fix:
    """A way out: what it does, in the words of a button, and the network that comes of it."""

    title: str
    layers: Layers


@dataclass(frozen=True)
class Issue:
    """Something that is wrong.

    Attributes:
        position: of the layer, counted from 1; 0 where it is the network as a whole.
        message: one sentence.
        is_error: whether the network cannot be trained so; else it can, and is likely to disappoint.
        fixes: what can be done, the likeliest first.
    """

    position: int
    message: str
    is_error: bool
    fixes: tuple[Fix, ...]


def diagnose(layers: Sequence[Layer], input_size: int = 28) -> tuple[Issue, ...]:
    """Everything that is wrong, errors first.

    Args:
        layers: the network, whatever state it is in.
        input_size: side of the square image in pixels.
    """
    stack = tuple(layers)
    wrong = [*_values(stack), *_count(stack)]
    if not wrong and stack:
        rows = cost.layer_costs(stack, input_size)
        whole = len(rows) == len(stack)
        wrong = [*(_output(stack, rows) if whole else _misfit(stack, rows, input_size))]
        wrong += _size(stack, rows, input_size) if whole else []
    return (*wrong, *_hints(stack))


def apply_first_fixes(layers: Sequence[Layer], input_size: int = 28) -> Layers:
    """The network with the first mend of each error, one after the other, as far as that leads."""
    stack = tuple(layers)
    for _ in range(2 * MAX_LAYERS):
        found = next((each for each in diagnose(stack, input_size) if each.is_error and each.fixes), None)
        if found is None:
            break
        stack = found.fixes[0].layers
    return stack


def _with(stack: Layers, index: int, *layers: Layer) -> Layers:
    """The layer at `index` replaced by others, or by none."""
    return (*stack[:index], *layers, *stack[index + 1 :])


def _values(stack: Layers) -> Iterator[Issue]:
    """Settings that are out of their range."""
    for index, layer in enumerate(stack):
        for complaint in rule_violations(layer):
            mend = Fix("Take the nearest that is allowed", _with(stack, index, _allowed(layer)))
            yield Issue(index + 1, f"{complaint}.", True, (mend,))
            break


def _allowed(layer: Any) -> Layer:
    """The layer with each setting brought into its range."""
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
    good = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    near = min(max(value, rule.low), rule.high) if good else rule.low
    if isinstance(rule, Integer):
        return int(near)
    return float(rule.high / 255 if rule.above and near == rule.low else near)


def _count(stack: Layers) -> Iterator[Issue]:
    if not stack:
        mend = Fix("Begin with the smallest that can learn", (SCALE, Flatten(), END))
        yield Issue(0, "There is no layer yet.", True, (mend,))
    if len(stack) > MAX_LAYERS:
        what = f"There are {len(stack)} layers, and a network has at most {MAX_LAYERS}."
        mend = Fix(f"Keep the first {ENDS} and the last {ENDS}", (*stack[:ENDS], *stack[-ENDS:]))
        yield Issue(MAX_LAYERS, what, True, (mend,))


def _misfit(stack: Layers, rows: Sequence[cost.LayerCost], size: int) -> Iterator[Issue]:
    """The first layer that cannot take what it gets."""
    index, shape = len(rows), rows[-1].output_shape if rows else (size, size, 1)
    layer: Any = stack[index]
    try:
        layer.output_shape(shape)
    except ValueError as error:
        if isinstance(layer, Dense):
            mends = _flat(stack, index)
        elif len(shape) == 1:
            mends = _unflattened(stack, rows, index)
        else:
            mends = _smaller(stack, index, shape)
        yield Issue(index + 1, f"It {error}.", True, mends)


def _flat(stack: Layers, index: int) -> tuple[Fix, ...]:
    """A dense layer after an image."""
    ways = (Flatten(), GlobalAveragePooling2D())
    return tuple(Fix(f"Insert {type(way).__name__} before it", (*stack[:index], way, *stack[index:])) for way in ways)


def _unflattened(stack: Layers, rows: Sequence[cost.LayerCost], index: int) -> tuple[Fix, ...]:
    """A layer for images after what made a list of one."""
    end = next(place for place, row in enumerate(rows) if len(row.output_shape) == 1)
    name = type(stack[end]).__name__
    moved = (*stack[:end], stack[index], *stack[end:index], *stack[index + 1 :])
    remove = Fix("Remove it", _with(stack, index))
    flattens = isinstance(stack[index], GlobalAveragePooling2D)  # that one would then be in the way
    return (remove,) if flattens else (Fix(f"Move it before {name}", moved), remove)


def _smaller(stack: Layers, index: int, shape: Shape) -> tuple[Fix, ...]:
    """A window that is larger than its input."""
    layer: Any = stack[index]
    window = "kernel_size" if hasattr(layer, "kernel_size") else "pool_size"
    side = min(shape[0], shape[1])
    return (
        Fix(f"A window of {side}", _with(stack, index, replace(layer, **{window: side}))),
        Fix("Padding same", _with(stack, index, replace(layer, padding="same"))),
        Fix("Remove it", _with(stack, index)),
    )


def _output(stack: Layers, rows: Sequence[cost.LayerCost]) -> Iterator[Issue]:
    """An end that does not give a probability for each digit."""
    last, shape = stack[-1], rows[-1].output_shape
    softmax = isinstance(last, Softmax) or getattr(last, "activation", None) == "softmax"
    if len(shape) == 1 and shape[0] >= NUM_CLASSES and softmax:
        return
    what = (
        f"The network ends in {format_shape(shape)}{'' if softmax else ' that are no probabilities'}; expected at its end "
        f"a softmax over {NUM_CLASSES} or more, one for each digit."
    )
    yield Issue(len(stack), what, True, tuple(_ends(stack, shape, softmax)))


def _ends(stack: Layers, shape: Shape, softmax: bool) -> Iterator[Fix]:
    last = stack[-1]
    if len(shape) > 1:
        yield Fix(f"Add Flatten and Dense({NUM_CLASSES}, softmax)", (*stack, Flatten(), END))
        return
    if isinstance(last, Softmax):
        yield Fix(f"Insert Dense({NUM_CLASSES}) before it", (*stack[:-1], Dense(NUM_CLASSES), last))
        return
    if isinstance(last, Dense) and softmax:
        yield Fix(f"Give it {NUM_CLASSES} units", (*stack[:-1], replace(last, units=NUM_CLASSES)))
        return
    if isinstance(last, Dense) and shape[0] in (NUM_CLASSES, NUM_CLASSES + 1):
        yield Fix("Give it the activation softmax", (*stack[:-1], replace(last, activation="softmax")))
    yield Fix(f"Add Dense({NUM_CLASSES}, softmax)", (*stack, END))


def _size(stack: Layers, rows: Sequence[cost.LayerCost], size: int) -> Iterator[Issue]:
    """More parameters than are allowed."""
    count = cost.total_cost(rows).parameters
    if count <= MAX_PARAMETERS:
        return
    largest = max(range(len(rows)), key=lambda index: rows[index].parameters)
    what = (
        f"The network has {count:,} parameters, and at most {MAX_PARAMETERS:,} are allowed; "
        f"{rows[largest].parameters:,} of them are here."
    )
    fitting = _halved(stack, size)
    mends = [Fix(_shrunk(stack, fitting), fitting)] if fitting else []
    flat = next((index for index, layer in enumerate(stack) if isinstance(layer, Flatten)), None)
    if flat is not None and len(rows[flat].input_shape) == 3:
        pooled = (*stack[:flat], MaxPooling2D(), *stack[flat:])
        if cost.total_cost(cost.layer_costs(pooled, size)).parameters <= MAX_PARAMETERS:
            mends.append(Fix("Insert MaxPooling2D before Flatten", pooled))
    yield Issue(largest + 1, what, True, tuple(mends))


def _halved(stack: Layers, size: int) -> Layers | None:
    """The network with its largest layers halved until it is allowed; its last layer is left as it is."""
    for _ in range(MOST_HALVINGS):
        rows = cost.layer_costs(stack, size)
        if cost.total_cost(rows).parameters <= MAX_PARAMETERS:
            return stack
        shrinkable = [index for index in range(len(stack) - 1) if _width(stack[index]) > 1]
        if not shrinkable:
            return None
        index = max(shrinkable, key=lambda place: _weight(rows, place))
        layer: Any = stack[index]
        name = "units" if isinstance(layer, Dense) else "filters"
        stack = _with(stack, index, replace(layer, **{name: _width(layer) // 2}))
    return None


def _weight(rows: Sequence[cost.LayerCost], index: int) -> int:
    """Parameters of a layer and of the next that has any: those that fewer outputs save."""
    after = next((row.parameters for row in rows[index + 1 :] if row.parameters), 0)
    return rows[index].parameters + after


def _width(layer: Layer) -> int:
    return int(getattr(layer, "units", None) or getattr(layer, "filters", None) or 0)


def _shrunk(before: Layers, after: Layers) -> str:
    """`Layer 2: 1,024 in place of 8,192`."""
    changed = [
        (place, _width(old), _width(new))
        for place, (old, new) in enumerate(zip(before, after, strict=True), 1)
        if old != new
    ]
    return "; ".join(f"Layer {place}: {new:,} in place of {old:,}" for place, old, new in changed[:3])


def _hints(stack: Layers) -> Iterator[Issue]:
    """What can be trained and is likely to disappoint."""
    yield from _unscaled(stack)
    flat = False
    for index, layer in enumerate(stack):
        if isinstance(layer, Flatten) and flat:
            mend = Fix("Remove it", _with(stack, index))
            yield Issue(index + 1, "What it gets is flat already: it does nothing.", False, (mend,))
        flat = flat or isinstance(layer, Flatten | Dense | GlobalAveragePooling2D)
        if getattr(layer, "activation", None) == "softmax" and index < len(stack) - 1:
            what = "A softmax before the end leaves little for the layers after it: its numbers add up to 1."
            yield Issue(index + 1, what, False, (_relu(stack, index),))
    yield from _linear(stack)


def _unscaled(stack: Layers) -> Iterator[Issue]:
    scaled = [index for index, layer in enumerate(stack) if isinstance(layer, Rescaling)]
    first = next((layer for layer in stack if not isinstance(layer, Flatten)), None)
    if stack and not scaled and not isinstance(first, BatchNormalization):
        what = "It sees pixels from 0 to 255. Networks learn faster from 0 to 1."
        yield Issue(0, what, False, (Fix("Begin with Rescaling", (SCALE, *stack)),))
    for index in scaled[1:]:
        what = "The pixels were rescaled before: twice makes them too small to learn from."
        yield Issue(index + 1, what, False, (Fix("Remove it", _with(stack, index)),))


_LINEAR = (
    Dropout,
    SpatialDropout2D,
    Flatten,
    BatchNormalization,
    AveragePooling2D,
    GlobalAveragePooling2D,
)


def _linear(stack: Layers) -> Iterator[Issue]:
    """Two layers of weights with nothing but linear ones between them."""
    for index, layer in enumerate(stack):
        if not isinstance(layer, Dense | Conv2D) or layer.activation is not None:
            continue
        after = next((each for each in stack[index + 1 :] if not isinstance(each, _LINEAR)), None)
        if isinstance(after, Dense | Conv2D | DepthwiseConv2D):
            what = "Between it and the next layer of weights there is no activation: both together are as one."
            yield Issue(index + 1, what, False, (_relu(stack, index),))


def _relu(stack: Layers, index: int) -> Fix:
    layer: Any = stack[index]
    return Fix("Give it the activation relu", _with(stack, index, replace(layer, activation="relu")))
