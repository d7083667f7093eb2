"""Layers folded into blocks, by hand and for every recipe."""

from __future__ import annotations

import pytest

from mnist_core.explain.blocks import fold_layers
from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES


def test_normalization_and_activation_are_folded_into_what_they_follow() -> None:
    layers = (
        Rescaling(1 / 255),
        Conv2D(32, 3),
        BatchNormalization(),
        ReLU(),
        MaxPooling2D(),
        ReLU(),
        Dropout(0.2),
        DepthwiseConv2D(3),
        ReLU(),
        Dropout(0.1),
        Conv2D(64, 3, activation="relu"),
        BatchNormalization(),
        Flatten(),
        Dense(10),
        Softmax(),
    )
    blocks = fold_layers(layers)
    assert [block.title for block in blocks] == [
        "Rescale",
        "Conv 32 · BN · ReLU",
        "Max pool · ReLU",
        "Depthwise conv · ReLU",
        "Conv 64 · ReLU · BN",
        "Flatten",
        "Dense 10 · Softmax",
    ]
    assert [list(block.positions) for block in blocks] == [
        [0],
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
        [10, 11],
        [12],
        [13, 14],
    ]


def test_normalization_of_the_pixels_is_a_block_of_its_own() -> None:
    blocks = fold_layers((BatchNormalization(), Flatten(), Dropout(0.1), Dense(10, "softmax")))
    assert [block.title for block in blocks] == ["BN", "Flatten", "Dense 10 · softmax"]
    assert fold_layers(()) == ()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_layer_is_in_one_block(recipe: str) -> None:
    layers = RECIPES[recipe].settings.layers
    positions = [position for block in fold_layers(layers) for position in block.positions]
    assert positions == list(range(len(layers)))
