"""Networks that are checked when they are made, and their JSON.

The input of a network is an image with pixels 0..255. A network that expects 0..1 starts with `Rescaling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.errors import ArchitectureError
from mnist_core.fields import Choice, allowed, changed_fields, name_errors, rule_violations
from mnist_core.networks.layers import LAYERS, Layer, Shape, format_shape, is_softmax

MAX_PARAMETERS = 20_000_000
"""About ten times the largest recipe. More would exhaust the memory of a small server."""
MAX_LAYERS = 100
"""The most layers a network may have."""
LAYERS_KEY = "layers"
"""The override that replaces all layers of a recipe, as JSON from layers_to_json."""


@dataclass(frozen=True)
class LayerSummary:
    """One row of Architecture.summary."""

    layer: str
    output_shape: Shape
    parameters: int


@dataclass(frozen=True)
class Architecture:
    """A network that can be trained. The constructor checks it.

    Attributes:
        layers: in order.
        input_size: side of the square input image in pixels: 28, or 56 for uncentered digits.

    Raises:
        ArchitectureError: the network cannot be built; contains the position of the layer and the reason.
    """

    layers: tuple[Layer, ...]
    input_size: int = allowed(Choice((28, 56)), 28)

    def __post_init__(self) -> None:
        for violation in rule_violations(self):
            raise ArchitectureError(f"The network cannot be built: {violation}.")
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ArchitectureError(f"A network has 1 to {MAX_LAYERS} layers; this one has {len(self.layers)}.")
        total = sum(row.parameters for row in self.summary())
        if total > MAX_PARAMETERS:
            raise ArchitectureError(f"The network has {total:,} parameters; at most {MAX_PARAMETERS:,} are allowed.")
        self._check_output()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(rows, columns, 1)."""
        return (self.input_size, self.input_size, 1)

    @property
    def parameters(self) -> int:
        """The number of weights, trainable or not, as Keras's `count_params` counts them."""
        return sum(row.parameters for row in self.summary())

    def summary(self) -> tuple[LayerSummary, ...]:
        """Lists name, output shape and parameter count of each layer."""
        shape: Shape = self.input_shape
        rows = []
        for position, layer in enumerate(self.layers, start=1):
            name = type(layer).__name__
            for violation in rule_violations(layer):
                raise ArchitectureError(f"Layer {position} ({name}): {violation}.", position)
            try:
                output_shape = layer.output_shape(shape)
            except ValueError as error:
                raise ArchitectureError(f"Layer {position} ({name}) {error}.", position) from None
            rows.append(LayerSummary(name, output_shape, layer.parameters(shape)))
            shape = output_shape
        return tuple(rows)

    def _check_output(self) -> None:
        position, last, shape = len(self.layers), self.layers[-1], self.summary()[-1].output_shape
        where = f"Layer {position} ({type(last).__name__})"
        if len(shape) != 1 or shape[0] < NUM_CLASSES:
            raise ArchitectureError(
                f"{where} ends in {format_shape(shape)}; expected {NUM_CLASSES} or more outputs, one for each digit: "
                f"add Dense({NUM_CLASSES}, softmax).",
                position,
            )
        if not is_softmax(last):
            raise ArchitectureError(
                f"{where} does not output probabilities: set its activation to softmax, or add Softmax.",
                position,
            )


def layers_to_json(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Converts layers to JSON objects: `{"layer": "Conv2D", "filters": 32, "kernel_size": 3}`, without defaults."""
    return [{"layer": type(layer).__name__, **changed_fields(layer)} for layer in layers]


def layers_from_json(items: object) -> tuple[Layer, ...]:
    """Parses layers from `layers_to_json`. Values are not checked against their ranges: Architecture does that.

    Raises:
        ArchitectureError: a layer or a setting is unknown, or a required setting is missing.
    """
    if not isinstance(items, list):
        raise ArchitectureError(f"Expected a list of layers, got {type(items).__name__}.")
    return tuple(_layer_from_json(position, item) for position, item in enumerate(items, start=1))


def _layer_from_json(position: int, item: object) -> Layer:
    name = item.get("layer") if isinstance(item, Mapping) else item
    if not isinstance(item, Mapping) or not isinstance(name, str) or name not in LAYERS:
        raise ArchitectureError(f"Layer {position}: {name!r} is not a layer. Known: {', '.join(LAYERS)}.", position)
    kind = LAYERS[name]
    values = {key: value for key, value in item.items() if key != "layer"}
    for violation in name_errors(kind, values):
        raise ArchitectureError(f"Layer {position} ({kind.__name__}): {violation}.", position)
    return kind(**values)
