"""The layers that a network can have. Names, fields and defaults are those of the Keras classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnist_core.fields import Choice, Integer, Number, allowed

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (rows, columns, channels) or (units,)."""

ACTIVATIONS = (None, "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax")
"""Activations of a layer, as Keras names them; None is linear."""
INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "random_normal", "zeros")
"""Initializers of a kernel, as Keras names them."""


def format_shape(shape: Shape) -> str:
    """Formats a shape for display: `26 × 26 × 32`."""
    return " × ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} values"


@dataclass(frozen=True)
class Layer:
    """A layer. Subclasses compute the shapes of its output and of its weights."""

    def output_shape(self, shape: Shape) -> Shape:
        """Returns the output shape for an input shape. Raises ValueError if the layer cannot take that input."""
        return shape

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        """Returns the shapes of the weights, trainable or not, in Keras's order for an input shape."""
        return ()

    def parameters(self, shape: Shape) -> int:
        """Counts the weights, trainable or not, for an input shape."""
        return sum(map(math.prod, self.weight_shapes(shape)))


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"needs an image of rows × columns × channels, but gets {format_shape(shape)}")
    rows, columns, channels = shape
    return rows, columns, channels


def _with_bias(use_bias: bool, kernel: Shape, outputs: int) -> tuple[Shape, ...]:
    return (kernel, (outputs,)) if use_bias else (kernel,)


def _slide(size: int, window: int, strides: int, padding: str) -> int:
    """Counts the positions of a sliding window along one axis, as Keras does."""
    if padding == "same":
        return math.ceil(size / strides)
    if window > size:
        raise ValueError(f"has a window of {window}, larger than its input of {size}")
    return (size - window) // strides + 1


@dataclass(frozen=True)
class Rescaling(Layer):
    """Multiplies each value by a constant: 1/255 maps 0..255 to 0..1."""

    scale: float = allowed(Number(0, 1, above=True))


@dataclass(frozen=True)
class Conv2D(Layer):
    """Slides filters over the image; each filter produces one channel."""

    filters: int = allowed(Integer(1, 1024))
    kernel_size: int = allowed(Integer(1, 28))
    strides: int = allowed(Integer(1, 8), 1)
    padding: str = allowed(Choice(("valid", "same")), "valid")
    activation: str | None = allowed(Choice(ACTIVATIONS), None)
    use_bias: bool = allowed(Choice((True, False)), True)
    kernel_initializer: str = allowed(Choice(INITIALIZERS), "glorot_uniform")

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        rows, columns, _ = _image(shape)
        return (*(_slide(size, self.kernel_size, self.strides, self.padding) for size in (rows, columns)), self.filters)

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        """See Layer.weight_shapes: kernel, and perhaps bias."""
        return _with_bias(self.use_bias, (self.kernel_size, self.kernel_size, shape[-1], self.filters), self.filters)


@dataclass(frozen=True)
class DepthwiseConv2D(Layer):
    """Slides one filter over each channel separately."""

    kernel_size: int = allowed(Integer(1, 28))
    strides: int = allowed(Integer(1, 8), 1)
    padding: str = allowed(Choice(("valid", "same")), "valid")
    activation: str | None = allowed(Choice(ACTIVATIONS), None)
    use_bias: bool = allowed(Choice((True, False)), True)

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        rows, columns, channels = _image(shape)
        return (*(_slide(size, self.kernel_size, self.strides, self.padding) for size in (rows, columns)), channels)

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        """See Layer.weight_shapes: kernel, and perhaps bias."""
        return _with_bias(self.use_bias, (self.kernel_size, self.kernel_size, shape[-1], 1), shape[-1])


@dataclass(frozen=True)
class _Pooling2D(Layer):
    """Slides a window over each channel."""

    pool_size: int = allowed(Integer(1, 28), 2)
    strides: int | None = allowed(Choice((None, *range(1, 9))), None)  # None: pool_size
    padding: str = allowed(Choice(("valid", "same")), "valid")

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        rows, columns, channels = _image(shape)
        strides = self.strides or self.pool_size
        return (*(_slide(size, self.pool_size, strides, self.padding) for size in (rows, columns)), channels)


@dataclass(frozen=True)
class MaxPooling2D(_Pooling2D):
    """Takes the maximum in each window."""


@dataclass(frozen=True)
class AveragePooling2D(_Pooling2D):
    """Takes the mean in each window."""

    pool_size: int = allowed(Integer(1, 28))  # required, as in Keras


@dataclass(frozen=True)
class GlobalAveragePooling2D(Layer):
    """Takes the mean of each channel."""

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        return (_image(shape)[2],)


@dataclass(frozen=True)
class GlobalMaxPooling2D(GlobalAveragePooling2D):
    """Takes the maximum of each channel."""


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Normalizes each channel over the batch, then scales and shifts it."""

    momentum: float = allowed(Number(0, 1), 0.99)
    epsilon: float = allowed(Number(0, 1, above=True), 0.001)

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        """See Layer.weight_shapes: gamma, beta, and the moving mean and variance, which are not trained."""
        return ((shape[-1],),) * 4


@dataclass(frozen=True)
class ReLU(Layer):
    """Sets negative values to 0."""


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """Multiplies negative values by a small slope."""

    negative_slope: float = allowed(Number(0, 1), 0.3)


@dataclass(frozen=True)
class Softmax(Layer):
    """Turns the values along the last axis into probabilities."""


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets a random share of the values to 0 during training."""

    rate: float = allowed(Number(0, 0.95))


@dataclass(frozen=True)
class SpatialDropout2D(Layer):
    """Sets whole channels to 0 during training."""

    rate: float = allowed(Number(0, 0.95))

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        return _image(shape)


@dataclass(frozen=True)
class Flatten(Layer):
    """Flattens an image into a list of values."""

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        return (math.prod(shape),)


@dataclass(frozen=True)
class Dense(Layer):
    """Connects every unit to every input."""

    units: int = allowed(Integer(1, 8192))
    activation: str | None = allowed(Choice(ACTIVATIONS), None)
    use_bias: bool = allowed(Choice((True, False)), True)
    kernel_initializer: str = allowed(Choice(INITIALIZERS), "glorot_uniform")

    def output_shape(self, shape: Shape) -> Shape:
        """See Layer.output_shape."""
        if len(shape) != 1:
            raise ValueError(f"needs a flat list of numbers, but gets {format_shape(shape)}: put Flatten before it")
        return (self.units,)

    def weight_shapes(self, shape: Shape) -> tuple[Shape, ...]:
        """See Layer.weight_shapes: kernel, and perhaps bias."""
        return _with_bias(self.use_bias, (shape[0], self.units), self.units)


Layers = tuple[Layer, ...]
"""A network, from input to output."""

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
"""Every kind of layer by its name, which is the name of its Keras class."""


def biased_output(layers: Layers) -> int | None:
    """Returns the index of the Dense whose bias is added to the logits last: -1, or -2 before a Softmax layer.

    Args:
        layers: of a network that ends in a softmax.

    Returns:
        The index; None if there is no such bias.
    """
    index, activation = (-2, None) if isinstance(layers[-1], Softmax) else (-1, "softmax")
    last = layers[index]
    return index if isinstance(last, Dense) and last.use_bias and last.activation == activation else None


def is_softmax(layer: Layer) -> bool:
    """True if the layer outputs probabilities: Softmax, or any layer with that activation."""
    return isinstance(layer, Softmax) or getattr(layer, "activation", None) == "softmax"
