"""Keras's JSON: what is written Keras builds, what Keras writes is read, and what it should not be is refused."""

from __future__ import annotations

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
    Conv2D,
    Dense,
    Flatten,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES
from tests.networks.test_architecture import EXAMPLES


def configuration(model: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in layer.get_config().items() if name != "name"} for layer in model.layers]


@pytest.mark.parametrize("layers", EXAMPLES)
def test_keras_builds_what_is_written(keras: Any, layers: tuple[Layer, ...]) -> None:
    network = Architecture(layers)
    model = keras.models.model_from_json(keras_json.to_keras_json(layers))
    assert model.input_shape == (None, 28, 28, 1)
    assert [tuple(layer.output.shape[1:]) for layer in model.layers] == [row.output_shape for row in network.summary()]
    assert model.count_params() == network.parameters
    assert configuration(model) == configuration(build_model(network))


@pytest.mark.parametrize("name", RECIPES)
def test_what_keras_writes_of_a_recipe_is_read_as_its_layers(keras: Any, name: str) -> None:
    network = RECIPES[name].settings.architecture
    found = keras_json_parser.parse_keras_json(build_model(network).to_json())
    assert found.layers == network.layers and found.input_size == network.input_size


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("layers", EXAMPLES)
def test_there_and_back(layers: tuple[Layer, ...]) -> None:
    assert keras_json_parser.parse_keras_json(keras_json.to_keras_json(layers)).layers == layers
    assert keras_json_parser.parse_keras_json(build_model(Architecture(layers)).to_json()).layers == layers


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_initialiser(keras: Any, activation: str | None, initializer: str) -> None:
    layers = (Flatten(), Dense(10, activation, kernel_initializer=initializer), Dense(10, "softmax"))
    assert keras_json_parser.parse_keras_json(build_model(Architecture(layers)).to_json()).layers == layers


def test_a_model_as_students_write_it(keras: Any) -> None:
    """Flat or without a channel, activations as layers of their own, tuples for numbers."""
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


def test_keras_2_is_read() -> None:
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
    found = keras_json_parser.parse_keras_json(text).layers
    assert found[:2] == (Conv2D(4, 3, activation="relu"), LeakyReLU(0.25)) and len(found) == 4


def sequential(*items: Any) -> str:
    return json.dumps({"class_name": "Sequential", "config": {"name": "x", "layers": list(items)}})


def layer(name: Any, **config: Any) -> dict[str, Any]:
    return {"class_name": name, "config": config}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("x" * 1_000_001, "1,000,001 characters"),
        ("[]", "expected a Sequential model"),
        ("null", "expected a Sequential model"),
        ('{"class_name": "Sequential"}', "expected a Sequential model"),
        (json.dumps({"class_name": "Functional", "config": {}}), "functional model"),
        (sequential("Dense"), "expected a Sequential model"),
        (sequential(layer("Lambda", function=["4wEA", None, None])), r'Layer 1 is "Lambda", which Digit Lab does not'),
        (sequential({**layer("Dense", units=3), "registered_name": "mine>Dense"}), 'is "Dense", which'),
        (sequential(layer({"a": 1})), "which Digit Lab does not have"),
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
        (sequential(layer("Activation", activation="tanh")), "right after a layer with weights"),
        (sequential(layer("InputLayer", batch_shape=[None, 32, 32, 3])), r"\[null, 32, 32, 3\]; expected images"),
        (sequential(*[layer("Flatten")] * (MAX_LAYERS + 1)), "101 layers; at most 100"),
    ],
)
def test_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words):
        keras_json_parser.parse_keras_json(text)


def test_a_network_that_cannot_work_is_read_and_not_written() -> None:
    layers = (Rescaling(1 / 255), Dense(10, "softmax"))
    text = sequential(layer("Rescaling", scale=1 / 255, offset=0.0), layer("Dense", units=10, activation="softmax"))
    assert keras_json_parser.parse_keras_json(text).layers == layers, "the builder offers a fix"
    with pytest.raises(ArchitectureError, match="Flatten"):
        keras_json.to_keras_json(layers)
