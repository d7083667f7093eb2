"""The recipe type, and short names for the layers that many recipes have."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_core.networks.layers import BatchNormalization, Conv2D, Dense, Layer, ReLU, Rescaling
from mnist_core.recipes.settings import Settings


@dataclass(frozen=True)
class PublishedResult:
    """The result that a tutorial published.

    Attributes:
        text: the result as published.
        accuracy: 0..1, or None if none was published.
        measured_on: `test` or `validation`.
        tolerance: how far below it a reproduction may be, 0..1.
    """

    text: str
    accuracy: float | None
    measured_on: str
    tolerance: float = 0.003


@dataclass(frozen=True)
class Recipe:
    """A named set of settings.

    Attributes:
        name: key in RECIPES.
        title: short description.
        source: who published it.
        settings: everything it is trained with, except the data and the seed.
        published: None for our own recipes.
        note: what to know about it, or empty.
        test_accuracy: 0..1, measured with these settings on the full MNIST, a mean if there are several trainings; None
            if unknown.
        epoch_seconds: roughly how long an epoch on the full MNIST takes on two cores.
    """

    name: str
    title: str
    source: str
    settings: Settings
    published: PublishedResult | None = None
    note: str = ""
    test_accuracy: float | None = None
    epoch_seconds: float = 5.0

    @property
    def parameters(self) -> int:
        """The number of weights, trainable or not."""
        return self.settings.architecture.parameters


SCALE_TO_ONE = Rescaling(1 / 255)
"""Maps pixels from 0..255 to 0..1."""
TEN_PROBABILITIES = Dense(10, "softmax")
"""The output layer of most recipes."""


def dense_relu(*units: int) -> tuple[Layer, ...]:
    """Returns one Dense layer with ReLU for each number of units."""
    return tuple(Dense(count, "relu") for count in units)


def conv_relu(filters: int, kernel_size: int, padding: str = "valid") -> Conv2D:
    """Returns a convolution with ReLU."""
    return Conv2D(filters, kernel_size, padding=padding, activation="relu")


def normalized_conv(filters: int, kernel_size: int, strides: int = 1, padding: str = "valid") -> tuple[Layer, ...]:
    """Returns a convolution without bias, because its batch normalization has one, and ReLU."""
    return (Conv2D(filters, kernel_size, strides, padding, use_bias=False), BatchNormalization(), ReLU())
