"""Shapes and parameters match Keras, multiply-adds match counts by hand, receptive fields match what pixels change."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks import cost
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
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
    LeakyReLU,
    MaxPooling2D,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.model_card import load_architecture
from tests.networks.test_architecture import EXAMPLES


@pytest.mark.usefixtures("keras")
def test_shapes_and_parameters_of_recipes_match_keras() -> None:
    for recipe in RECIPES.values():
        network = recipe.settings.architecture
        model, rows = build_model(network), cost.layer_costs(network.layers, network.input_size)
        assert [row.output_shape for row in rows] == [tuple(layer.output.shape[1:]) for layer in model.layers]
        assert [row.input_shape for row in rows] == [tuple(layer.input.shape[1:]) for layer in model.layers]
        assert [row.parameters for row in rows] == [layer.count_params() for layer in model.layers]
        assert cost.total_cost(rows).parameters == model.count_params()


def test_multiply_adds_of_a_published_network_match_a_count_by_hand() -> None:
    """fleming-cnn: scaled 784; 26²·32·3²; 11²·64·3²·32; 3²·64·3²·64; 576·64; 64·10."""
    rows = cost.layer_costs(RECIPES["fleming-cnn"].settings.layers)
    assert [row.multiply_adds for row in rows] == [784, 194_688, 0, 2_230_272, 0, 331_776, 0, 36_864, 640]
    assert cost.total_cost(rows).multiply_adds == 2_795_024


@pytest.mark.parametrize(
    ("layers", "input_shape", "expected"),
    [
        ((Conv2D(3, 1), Conv2D(8, 5, 2, "same")), (28, 28, 3), 14 * 14 * 8 * 25 * 3),
        ((Conv2D(6, 1), DepthwiseConv2D(3)), (28, 28, 6), 26 * 26 * 6 * 9),
        ((Conv2D(4, 24), BatchNormalization()), (5, 5, 4), 100),
        ((Conv2D(11, 3), GlobalAveragePooling2D(), Dense(7)), (11,), 77),
        ((MaxPooling2D(),), (28, 28, 1), 0),
        ((Dropout(0.5),), (28, 28, 1), 0),
    ],
)
def test_multiply_adds_of_the_last_layer_match_a_count_by_hand(
    layers: tuple[Layer, ...], input_shape: tuple[int, ...], expected: int
) -> None:
    last = cost.layer_costs(layers)[-1]
    assert (last.input_shape, last.multiply_adds) == (input_shape, expected)


IMAGE_STACKS: tuple[tuple[Layer, ...], ...] = (
    (Conv2D(2, 3),),
    (Conv2D(2, 3), MaxPooling2D(), Conv2D(2, 3)),
    (Conv2D(2, 5, 2), Conv2D(2, 3, 1, "same")),
    (AveragePooling2D(3, 2), DepthwiseConv2D(3), BatchNormalization(), LeakyReLU()),
    (Rescaling(0.5), Conv2D(2, 3), Dropout(0.5), Conv2D(2, 3, 2), MaxPooling2D(3, 1)),
    (MaxPooling2D(3, 2, "same"), Conv2D(3, 3, activation="softmax"), Softmax()),
)


def measured_fields(layers: tuple[Layer, ...], size: int = 28) -> list[tuple[int, int]]:
    """Measures the first and last pixel row that change each unit in the middle column of the output.

    Raises and lowers each pixel of a few images, because a maximum may follow only one of the two.
    """
    import keras

    keras.utils.set_random_seed(3)
    stack = [
        getattr(keras.layers, type(layer).__name__)(**dataclasses.asdict(layer), dtype="float64") for layer in layers
    ]
    model = keras.Sequential([keras.Input((size, size, 1), dtype="float64"), *stack])
    for layer in model.layers:  # no weight is close to 0
        layer.set_weights([np.abs(weight) + 0.1 for weight in layer.get_weights()])
    pixels = np.arange(size * size)
    rows_by_unit: dict[int, list[int]] = {}
    for image in np.random.default_rng(0).uniform(1, 2, (8, size, size, 1)):
        before = np.asarray(model(image[None]))[0]
        column = before.shape[1] // 2
        for value in (0.0, 3.0):
            changed = np.repeat(image[None], size * size, axis=0)
            changed.reshape(size * size, -1)[pixels, pixels] = value
            difference = np.abs(
                np.asarray(model(changed))[:, :, column] - before[:, column]
            )  # (pixels, out rows, channels)
            changes = (difference > 1e-9).any(axis=-1)  # rounding differs from batch to batch
            for pixel, unit in np.argwhere(changes).tolist():
                rows_by_unit.setdefault(unit, []).append(pixel // size)
    return [(min(rows), max(rows)) for _, rows in sorted(rows_by_unit.items())]


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("layers", IMAGE_STACKS)
def test_the_receptive_field_is_the_area_whose_pixels_change_a_unit(layers: tuple[Layer, ...]) -> None:
    last = cost.layer_costs(layers)[-1]
    ranges = measured_fields(layers)
    middle = len(ranges) // 2
    first, end = ranges[middle]
    assert end - first + 1 == last.receptive_field
    assert ranges[middle + 1][0] - first == last.stride


def test_dense_and_global_layers_depend_on_all_units_before_them() -> None:
    rows = cost.layer_costs((Conv2D(4, 3), MaxPooling2D(), Flatten(), Dense(5), Dense(10, "softmax")))
    assert [(row.receptive_field, row.stride) for row in rows] == [(3, 1), (4, 2), (4, 2), (28, 0), (28, 0)]
    pooled = cost.layer_costs((Conv2D(4, 3, 5), GlobalAveragePooling2D()))
    assert pooled[-1].receptive_field == 28, "six windows of 3, five pixels apart: 3 + 5·5"
    assert cost.layer_costs((Conv2D(4, 3, 8), GlobalAveragePooling2D()))[-1].receptive_field == 27, "3 + 3·8"
    assert cost.layer_costs((Flatten(), Softmax()))[-1].receptive_field == 28
    assert cost.layer_costs((Conv2D(4, 3), Softmax()))[-1].receptive_field == 3


def test_no_receptive_field_is_larger_than_the_image() -> None:
    for layers, size in itertools.product(EXAMPLES, (28, 56)):
        assert all(1 <= row.receptive_field <= size for row in cost.layer_costs(layers, size))


def test_costs_end_before_the_first_layer_that_does_not_fit() -> None:
    assert len(cost.layer_costs((Conv2D(2, 3), Dense(10), Flatten()))) == 1
    assert cost.layer_costs((Conv2D(0, 3),)) == ()
    assert cost.layer_costs(()) == ()


def test_the_total_cost_has_the_parameters_that_the_architecture_counts() -> None:
    for layers in EXAMPLES:
        assert cost.total_cost(cost.layer_costs(layers)).parameters == Architecture(layers).parameters


def test_megabytes_match_the_size_of_the_shipped_model() -> None:
    megabytes = cost.megabytes(load_architecture(DEFAULT_MODEL.parent).parameters)
    assert megabytes == pytest.approx(DEFAULT_MODEL.stat().st_size / 1e6, rel=0.03)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (7, "7"),
        (1_500, "1.5 thousand"),
        (2_795_024, "2.8 million"),
        (123_400_000, "123 million"),
        (999_499, "999 thousand"),
        (999_500, "1 million"),
        (10**9, "1 billion"),
    ],
)
def test_large_counts_are_formatted_in_words(count: int, text: str) -> None:
    assert cost.format_count(count) == text
