"""Keras builds our JSON, we parse the JSON of Keras, and anything unsupported is rejected by name."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from mnist_core.errors import ArchitectureError
from mnist_core.networks import keras_json, keras_json_parser
from mnist_core.networks.architecture import MAX_LAYERS, Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES
from tests.networks.test_architecture import EXAMPLES, layer_configs


def test_keras_builds_the_same_network_from_our_json(keras: Any) -> None:
    for layers in EXAMPLES:
        network = Architecture(layers)
        model, rows = keras.models.model_from_json(keras_json.to_keras_json(layers)), network.summary()
        assert model.input_shape == (None, 28, 28, 1)
        assert [tuple(layer.output.shape[1:]) for layer in model.layers] == [row.output_shape for row in rows]
        assert model.count_params() == network.parameters
        assert layer_configs(model) == layer_configs(build_model(network))


@pytest.mark.usefixtures("keras")
def test_the_json_that_keras_writes_for_a_recipe_is_parsed_as_its_network() -> None:
    for recipe in RECIPES.values():
        network = recipe.settings.architecture
        parsed = keras_json_parser.parse_keras_json(build_model(network).to_json())
        assert parsed.layers == network.layers and parsed.input_size == network.input_size


@pytest.mark.usefixtures("keras")
def test_layers_survive_a_round_trip_through_our_json_and_that_of_keras() -> None:
    for layers in EXAMPLES:
        assert keras_json_parser.parse_keras_json(keras_json.to_keras_json(layers)).layers == layers
        assert keras_json_parser.parse_keras_json(build_model(Architecture(layers)).to_json()).layers == layers


@pytest.mark.usefixtures("keras")
def test_every_activation_and_initializer_is_parsed() -> None:
    for activation, initializer in itertools.product(ACTIVATIONS, INITIALIZERS):
        layers = (Flatten(), Dense(10, activation, kernel_initializer=initializer), Dense(10, "softmax"))
        assert keras_json_parser.parse_keras_json(build_model(Architecture(layers)).to_json()).layers == layers


def test_models_are_parsed_as_students_write_them(keras: Any) -> None:
    """With flat input or without a channel, with activations as separate layers, with tuples instead of numbers."""
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(8, (3, 3), (2, 2)),
            keras.layers.Activation("relu"),
            keras.layers.MaxPooling2D((2, 2), strides=(1, 1)),
            keras.layers.ReLU(negative_slope=0.1),
            keras.layers.Flatten(),
            keras.layers.Dense(20),
            keras.layers.Activation("gelu"),
            keras.layers.Dense(10),
            keras.layers.Activation("softmax"),
        ]
    )
    assert keras_json_parser.parse_keras_json(model.to_json()).layers == (
        Conv2D(8, 3, 2),
        ReLU(),
        MaxPooling2D(2, 1),
        LeakyReLU(0.1),
        Flatten(),
        Dense(20, "gelu"),
        Dense(10),
        Softmax(),
    )
    quickstart = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])
    assert keras_json_parser.parse_keras_json(quickstart.to_json()).layers == (Flatten(), Dense(10))
    flat = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")])
    assert keras_json_parser.parse_keras_json(flat.to_json()).layers == (Flatten(), Dense(10, "softmax"))
    large = keras.Sequential([keras.Input((56, 56, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    assert keras_json_parser.parse_keras_json(large.to_json()).input_size == 56


def test_the_json_of_keras_2_is_parsed() -> None:
    first = {
        "filters": 4,
        "kernel_size": [3, 3],
        "activation": "relu",
        "batch_input_shape": [None, 28, 28, 1],
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        "dtype": "float32",
        "trainable": True,
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "name": "conv2d",
    }
    layers = [
        {"class_name": "Conv2D", "config": first},
        {"class_name": "LeakyReLU", "config": {"alpha": 0.25}},
        {"class_name": "BatchNormalization", "config": {"axis": [3], "momentum": 0.9, "epsilon": 0.001}},
        {"class_name": "Flatten", "config": {}},
    ]
    text = json.dumps({"class_name": "Sequential", "config": {"name": "x", "layers": layers}, "keras_version": "2.3"})
    parsed = keras_json_parser.parse_keras_json(text).layers
    assert parsed[:2] == (Conv2D(4, 3, activation="relu"), LeakyReLU(0.25)) and len(parsed) == 4


def test_keras_2_normalizes_the_first_axis_of_a_list_and_no_rows_of_an_image() -> None:
    normalization = layer("BatchNormalization", axis=[1], momentum=0.9)
    parsed = keras_json_parser.parse_keras_json(sequential(layer("Flatten"), normalization)).layers
    assert parsed == (Flatten(), BatchNormalization(momentum=0.9))
    with pytest.raises(ArchitectureError, match="axis"):
        keras_json_parser.parse_keras_json(sequential(layer("Conv2D", filters=4, kernel_size=3), normalization))


def sequential(*items: Any) -> str:
    return json.dumps({"class_name": "Sequential", "config": {"name": "x", "layers": list(items)}})


def layer(name: Any, **config: Any) -> dict[str, Any]:
    return {"class_name": name, "config": config}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "JSON"),
        ("", "JSON"),
        ("[" * 100_000, "JSON"),
        ("x" * 1_000_001, "1,000,001 characters"),
        ("[]", "null.*Sequential model"),
        ("null", "null.*Sequential model"),
        ('{"class_name": "Sequential"}', "Sequential model"),
        (json.dumps({"class_name": "Functional", "config": {}}), "functional model"),
        (sequential("Dense"), "Sequential model"),
        (sequential(layer("Lambda", function=["4wEA", None, None])), r'Layer 1 is "Lambda"'),
        (sequential({**layer("Dense", units=3), "registered_name": "mine>Dense"}), 'Layer 1 is "Dense"'),
        (sequential(layer({"a": 1})), r'Layer 1 is \{"a": 1\}'),
        (
            sequential(layer("Dense", units=3), layer("Conv2D", filters=8, kernel_size=[3, 5])),
            r"Layer 2 \(Conv2D\): kernel_size is \[3, 5\]",
        ),
        (sequential(layer("Conv2D", filters=8, kernel_size=3, dilation_rate=2)), '"dilation_rate" set to 2'),
        (sequential(layer("Conv2D", filters=8, kernel_size=3, groups=2)), '"groups" set to 2'),
        (sequential(layer("Conv2D", filters=8, kernel_size=3, data_format="channels_first")), "channels_first"),
        (sequential(layer("Dense", units=8, kernel_regularizer={"class_name": "L2"})), "kernel_regularizer"),
        (sequential(layer("Dense", units=8, dtype="mixed_float16")), "mixed_float16"),
        (sequential(layer("Dense", units=8, trainable=False)), '"trainable" set to false'),
        (sequential(layer("Dense", units=8, activation="mish")), "activation is 'mish'"),
        (sequential(layer("Dense", units=8, activation={"class_name": "function", "config": "x"})), "activation is"),
        (sequential(layer("Dense", units=8, kernel_initializer={"class_name": "Orthogonal"})), "kernel_initializer is"),
        (sequential(layer("Dense", units=8, bias_initializer="ones")), '"bias_initializer" set to "ones"'),
        (sequential(layer("Dense", units=10**9)), "units is 1000000000"),
        (sequential(layer("Dense")), "units is missing"),
        (sequential(layer("Dense", units=8, colour="red")), '"colour" set to "red"'),
        (sequential(layer("BatchNormalization", axis=1)), '"axis" set to 1'),
        (sequential(layer("Activation", activation="tanh")), r'Layer 1 \(Activation\) is "tanh"'),
        (sequential(layer("InputLayer", batch_shape=[None, 32, 32, 3])), r"\[null, 32, 32, 3\].*28×28×1"),
        (sequential(*[layer("Flatten")] * (MAX_LAYERS + 1)), "101 layers.* 100"),
    ],
)
def test_the_error_names_what_is_unsupported(text: str, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words):
        keras_json_parser.parse_keras_json(text)


def test_a_network_that_cannot_be_trained_is_parsed_but_not_written() -> None:
    layers = (Rescaling(1 / 255), Dense(10, "softmax"))
    text = sequential(layer("Rescaling", scale=1 / 255, offset=0.0), layer("Dense", units=10, activation="softmax"))
    assert keras_json_parser.parse_keras_json(text).layers == layers, "the builder offers fixes"
    with pytest.raises(ArchitectureError, match="Flatten"):
        keras_json.to_keras_json(layers)
