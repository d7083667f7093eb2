"""Networks as data: a list of layers from which come shapes and parameter counts (without TensorFlow), the Keras model,
and Keras source code.

Every layer is named, and its fields are named and default, as the Keras class of the same name. A model's input is
always an image with pixels 0..255; a network that wants 0..1 begins with `Rescaling`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.errors import ArchitectureError
from mnist_core.fields import Choice, Integer, Number, allowed, changed, complaints, misnamed

Shape = tuple[int, ...]  # of one example, without the batch: (rows, columns, channels) or (units,)

MAX_PARAMETERS = 20_000_000  # about ten times the largest recipe: more would take a small server's memory
MAX_LAYERS = 100

ACTIVATIONS = (None, "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax")
INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "random_normal", "zeros")
NETWORK = "layers"
"""The override that is a whole network, as architecture.to_json writes it: somebody's own."""
"""The key of a network among the overrides of a recipe."""


@dataclass(frozen=True)
class Layer:
    """One layer. Subclasses say which shape they make of which, and how many parameters that takes."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape it makes of `shape`. Raises ValueError, saying why, where it cannot take it."""
        return shape

    def parameters(self, shape: Shape) -> int:
        """How many weights, trainable or not, it holds for an input of `shape`."""
        return 0


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"needs an image of rows × columns × channels, but gets {describe(shape)}")
    rows, columns, channels = shape
    return rows, columns, channels


def _slide(size: int, window: int, strides: int, padding: str) -> int:
    """Positions of a window along one axis, as Keras counts them."""
    if padding == "same":
        return math.ceil(size / strides)
    if window > size:
        raise ValueError(f"its window of {window} is larger than its input of {size}")
    return (size - window) // strides + 1


@dataclass(frozen=True)
class Rescaling(Layer):
    """Multiplies each pixel: 1/255 brings 0..255 to 0..1."""

    scale: float = allowed(Number(0, 1, above=True))


@dataclass(frozen=True)
class Conv2D(Layer):
    filters: int = allowed(Integer(1, 1024))
    kernel_size: int = allowed(Integer(1, 28))
    strides: int = allowed(Integer(1, 8), 1)
    padding: str = allowed(Choice(("valid", "same")), "valid")
    activation: str | None = allowed(Choice(ACTIVATIONS), None)
    use_bias: bool = allowed(Choice((True, False)), True)
    kernel_initializer: str = allowed(Choice(INITIALIZERS), "glorot_uniform")

    def output_shape(self, shape: Shape) -> Shape:
        rows, columns, _ = _image(shape)
        return (*(_slide(size, self.kernel_size, self.strides, self.padding) for size in (rows, columns)), self.filters)

    def parameters(self, shape: Shape) -> int:
        return (self.kernel_size**2 * shape[-1] + self.use_bias) * self.filters


@dataclass(frozen=True)
class DepthwiseConv2D(Layer):
    """One small filter for each channel, none across channels."""

    kernel_size: int = allowed(Integer(1, 28))
    strides: int = allowed(Integer(1, 8), 1)
    padding: str = allowed(Choice(("valid", "same")), "valid")
    activation: str | None = allowed(Choice(ACTIVATIONS), None)
    use_bias: bool = allowed(Choice((True, False)), True)

    def output_shape(self, shape: Shape) -> Shape:
        rows, columns, channels = _image(shape)
        return (*(_slide(size, self.kernel_size, self.strides, self.padding) for size in (rows, columns)), channels)

    def parameters(self, shape: Shape) -> int:
        return (self.kernel_size**2 + self.use_bias) * shape[-1]


@dataclass(frozen=True)
class _Pooling2D(Layer):
    pool_size: int = allowed(Integer(1, 28), 2)
    strides: int | None = allowed(Choice((None, *range(1, 9))), None)  # None: as pool_size
    padding: str = allowed(Choice(("valid", "same")), "valid")

    def output_shape(self, shape: Shape) -> Shape:
        rows, columns, channels = _image(shape)
        strides = self.strides or self.pool_size
        return (*(_slide(size, self.pool_size, strides, self.padding) for size in (rows, columns)), channels)


@dataclass(frozen=True)
class MaxPooling2D(_Pooling2D):
    """The largest value in each window."""


@dataclass(frozen=True)
class AveragePooling2D(_Pooling2D):
    """The mean value in each window."""

    pool_size: int = allowed(Integer(1, 28))  # Keras has no default here


@dataclass(frozen=True)
class GlobalAveragePooling2D(Layer):
    """The mean of each channel."""

    def output_shape(self, shape: Shape) -> Shape:
        return (_image(shape)[2],)


@dataclass(frozen=True)
class GlobalMaxPooling2D(GlobalAveragePooling2D):
    """The maximum of each channel."""


@dataclass(frozen=True)
class BatchNormalization(Layer):
    momentum: float = allowed(Number(0, 1), 0.99)
    epsilon: float = allowed(Number(0, 1, above=True), 0.001)

    def parameters(self, shape: Shape) -> int:
        return 4 * shape[-1]  # gamma and beta are trained, moving mean and variance are counted along


@dataclass(frozen=True)
class ReLU(Layer):
    """Negative values become 0."""


@dataclass(frozen=True)
class LeakyReLU(Layer):
    negative_slope: float = allowed(Number(0, 1), 0.3)


@dataclass(frozen=True)
class Softmax(Layer):
    """Turns the last axis into probabilities."""


@dataclass(frozen=True)
class Dropout(Layer):
    rate: float = allowed(Number(0, 0.95))


@dataclass(frozen=True)
class SpatialDropout2D(Layer):
    """Drops whole channels."""

    rate: float = allowed(Number(0, 0.95))

    def output_shape(self, shape: Shape) -> Shape:
        return _image(shape)


@dataclass(frozen=True)
class Flatten(Layer):
    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Dense(Layer):
    units: int = allowed(Integer(1, 8192))
    activation: str | None = allowed(Choice(ACTIVATIONS), None)
    use_bias: bool = allowed(Choice((True, False)), True)
    kernel_initializer: str = allowed(Choice(INITIALIZERS), "glorot_uniform")

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ValueError(f"needs a flat list of numbers, but gets {describe(shape)}: put Flatten before it")
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        return (shape[0] + self.use_bias) * self.units


LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Rescaling,
        Conv2D,
        DepthwiseConv2D,
        MaxPooling2D,
        AveragePooling2D,
        GlobalAveragePooling2D,
        GlobalMaxPooling2D,
        BatchNormalization,
        ReLU,
        LeakyReLU,
        Softmax,
        Dropout,
        SpatialDropout2D,
        Flatten,
        Dense,
    )
}


@dataclass(frozen=True)
class Row:
    """One line of the summary table."""

    layer: str
    output_shape: Shape
    parameters: int


@dataclass(frozen=True)
class Architecture:
    """A network that is known to work: making one checks it.

    Attributes:
        layers: first to last.
        input_size: side of the square input image in pixels: 28, or 56 for the uncentered digits.

    Raises:
        ArchitectureError: where it cannot work, with the position of the layer and why.
    """

    layers: tuple[Layer, ...]
    input_size: int = allowed(Choice((28, 56)), 28)

    def __post_init__(self) -> None:
        for complaint in complaints(self):
            raise ArchitectureError(f"The network cannot be built: {complaint}.")
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ArchitectureError(f"A network has 1 to {MAX_LAYERS} layers; this one has {len(self.layers)}.")
        total = sum(row.parameters for row in self.summary())
        if total > MAX_PARAMETERS:
            raise ArchitectureError(f"The network has {total:,} parameters; at most {MAX_PARAMETERS:,} are allowed.")
        self._check_output()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return (self.input_size, self.input_size, 1)

    @property
    def parameters(self) -> int:
        """All weights, trainable or not, as Keras's `count_params` counts them."""
        return sum(row.parameters for row in self.summary())

    def summary(self) -> tuple[Row, ...]:
        """Name, output shape and parameter count of each layer."""
        shape: Shape = self.input_shape
        rows = []
        for position, layer in enumerate(self.layers, start=1):
            name = type(layer).__name__
            for complaint in complaints(layer):
                raise ArchitectureError(f"Layer {position} ({name}): {complaint}.", position)
            try:
                output_shape = layer.output_shape(shape)
            except ValueError as error:
                raise ArchitectureError(f"Layer {position} ({name}) {error}.", position) from None
            rows.append(Row(name, output_shape, layer.parameters(shape)))
            shape = output_shape
        return tuple(rows)

    def _check_output(self) -> None:
        position, last, shape = len(self.layers), self.layers[-1], self.summary()[-1].output_shape
        where = f"Layer {position} ({type(last).__name__})"
        if len(shape) != 1 or shape[0] < NUM_CLASSES:
            raise ArchitectureError(
                f"{where} ends in {describe(shape)}; expected at the end a layer with {NUM_CLASSES} or more outputs, "
                f"one for each digit: add Dense({NUM_CLASSES}, softmax).",
                position,
            )
        if not isinstance(last, Softmax) and getattr(last, "activation", None) != "softmax":
            raise ArchitectureError(
                f"{where} does not end in probabilities: give the last layer the activation softmax, or add Softmax.",
                position,
            )


def describe(shape: Shape) -> str:
    """A shape for people: `26 × 26 × 32`."""
    return " × ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} values"


def to_json(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Layers as JSON objects: `{"layer": "Conv2D", "filters": 32, "kernel_size": 3}`; defaults are left out."""
    return [{"layer": type(layer).__name__, **changed(layer)} for layer in layers]


def from_json(items: object) -> tuple[Layer, ...]:
    """The layers that `to_json` wrote.

    Raises:
        ArchitectureError: for an unknown layer or setting, with the layer's position.
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
    for complaint in misnamed(kind, values):
        raise ArchitectureError(f"Layer {position} ({kind.__name__}): {complaint}.", position)
    return kind(**values)


def with_dropout(layers: Sequence[Layer], rate: float) -> tuple[Layer, ...]:
    """The same network with every dropout at `rate`; one before the last Dense where it had none; none at all for 0."""
    if rate == 0:
        return tuple(layer for layer in layers if not isinstance(layer, Dropout))
    if any(isinstance(layer, Dropout) for layer in layers):
        return tuple(replace(layer, rate=rate) if isinstance(layer, Dropout) else layer for layer in layers)
    dense = [index for index, layer in enumerate(layers) if isinstance(layer, Dense)]
    place = dense[-1] if dense else len(layers) - 1
    return (*layers[:place], Dropout(rate), *layers[place:])


def dropout_of(layers: Sequence[Layer]) -> float:
    """The rate of the first dropout, 0 where there is none."""
    return next((layer.rate for layer in layers if isinstance(layer, Dropout)), 0.0)


def build(architecture: Architecture) -> Any:
    """The Keras model, not compiled. Input (N, size, size, 1) of 0..255, output (N, units) probabilities."""
    import keras

    stack = [getattr(keras.layers, type(layer).__name__)(**asdict(layer)) for layer in architecture.layers]
    return keras.Sequential([keras.Input(architecture.input_shape), *stack])


def to_source(architecture: Architecture) -> str:
    """Python source that builds the same model; it needs `import keras` and `from keras import layers`."""
    lines = [f"keras.Input({architecture.input_shape}),"]
    lines += [f"layers.{type(layer).__name__}({_arguments(layer)})," for layer in architecture.layers]
    return "model = keras.Sequential([\n" + "".join(f"    {line}\n" for line in lines) + "])\n"


def _arguments(layer: Layer) -> str:
    return ", ".join(f"{name}={_literal(value)}" for name, value in changed(layer).items())


def _literal(value: object) -> str:
    return "1 / 255" if value == 1 / 255 else repr(value)
