"""x"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Layer,
    ReLU,
    Rescaling,
)
from mnist_core.recipes.settings import Settings


@dataclass(frozen=True)
class PublishedResult:
    """What a tutorial printed.

    Attributes:
        text: the figure as published.
        accuracy: 0..1, None where none was printed.
        measured_on: `test` or `validation`.
        tolerance: how far below it a reproduction may fall, 0..1.
    """

    text: str
    accuracy: float | None
    measured_on: str
    tolerance: float = 0.003


@dataclass(frozen=True)
class Recipe:
    """A system that can be trained with one click. `published` is None for our own."""

    name: str
    title: str
    source: str
    settings: Settings
    published: PublishedResult | None = None
    note: str = ""

    @property
    def parameters(self) -> int:
        """All weights of the network."""
        return self.settings.architecture.parameters


SCALE_TO_ONE = Rescaling(1 / 255)
TEN_PROBABILITIES = Dense(10, "softmax")


def dense_relu(*units: int) -> tuple[Layer, ...]:
    return tuple(Dense(count, "relu") for count in units)


def conv_relu(filters: int, kernel_size: int, padding: str = "valid") -> Conv2D:
    return Conv2D(filters, kernel_size, padding=padding, activation="relu")


def normalized_conv(filters: int, kernel_size: int, strides: int = 1, padding: str = "valid") -> tuple[Layer, ...]:
    """A convolution without bias (the normalisation has one), its batch normalisation, ReLU."""
    return (Conv2D(filters, kernel_size, strides, padding, use_bias=False), BatchNormalization(), ReLU())
