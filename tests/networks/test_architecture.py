"""Shapes, parameter counts and generated source agree with Keras; networks that cannot be built are rejected."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_core.errors import ArchitectureError
from mnist_core.networks.architecture import MAX_LAYERS, MAX_PARAMETERS, Architecture, layers_from_json, layers_to_json
from mnist_core.networks.bulk_edits import dropout_rate, with_dropout
from mnist_core.networks.keras_model import build_model, keras_source
from mnist_core.networks.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    LAYERS,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
    SpatialDropout2D,
)

END = (Flatten(), Dense(10, "softmax"))
EXAMPLES: tuple[tuple[Layer, ...], ...] = (
    (Rescaling(1 / 255), *END),
    (Conv2D(3, 3), *END),
    (Conv2D(3, 5, 2, "same", "relu", False, "he_normal"), *END),
    (Conv2D(2, 4, 3), Conv2D(2, 3, 8, "same"), *END),
    (Conv2D(2, 28), *END),
    (DepthwiseConv2D(3), *END),
    (Conv2D(4, 1), DepthwiseConv2D(6, 5, "valid", "gelu", False), *END),
    (DepthwiseConv2D(4, 3, "same"), *END),
    (MaxPooling2D(), *END),
    (MaxPooling2D(3), MaxPooling2D(3, 1), *END),
    (MaxPooling2D(5, 2, "same"), *END),
    (MaxPooling2D(28), *END),
    (AveragePooling2D(2), AveragePooling2D(3, 8), *END),
    (AveragePooling2D(27, padding="same"), *END),
    (Conv2D(12, 3), GlobalAveragePooling2D(), Softmax()),
    (Conv2D(12, 3), GlobalMaxPooling2D(), Dense(11, "softmax", False, "zeros")),
    (BatchNormalization(), Conv2D(4, 3), BatchNormalization(0.9, 0.01), Flatten(), BatchNormalization(), *END),
    (Conv2D(4, 3), ReLU(), LeakyReLU(), LeakyReLU(0.1), Softmax(), *END),
    (Conv2D(4, 3), SpatialDropout2D(0.2), Dropout(0.5), *END),
    (Flatten(), Dense(7, "tanh"), Dropout(0.1), Dense(100, "softmax", kernel_initializer="random_normal")),
    (Flatten(), Dense(10), Softmax()),
    (Flatten(), Flatten(), Dense(10), Dropout(0.5), Softmax()),
)


def shape_of(keras_layer: Any) -> tuple[int, ...]:
    return tuple(keras_layer.output.shape)[1:]


def assert_summary_matches_keras(network: Architecture) -> None:
    model, rows = build_model(network), network.summary()
    assert model.input_shape == (None, *network.input_shape)
    assert [row.layer for row in rows] == [type(layer).__name__ for layer in model.layers]
    assert [row.output_shape for row in rows] == [shape_of(layer) for layer in model.layers]
    assert [row.parameters for row in rows] == [layer.count_params() for layer in model.layers]
    assert network.parameters == model.count_params()


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("size", [28, 56])
def test_shapes_and_parameter_counts_match_keras(size: int) -> None:
    for layers in EXAMPLES:
        assert_summary_matches_keras(Architecture(layers, size))


def test_the_examples_contain_every_kind_of_layer() -> None:
    assert {type(layer) for layers in EXAMPLES for layer in layers} == set(LAYERS.values())


def with_required_settings(kind: type[Layer]) -> Layer:
    """A layer with defaults for all settings that have one."""
    required = {"scale": 0.5, "filters": 2, "kernel_size": 3, "units": 4, "rate": 0.5, "pool_size": 2}
    missing = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    return kind(**{name: required[name] for name in missing})


def test_defaults_are_those_of_keras(keras: Any) -> None:
    for name, kind in LAYERS.items():
        layer = with_required_settings(kind)
        required = {key: value for key, value in layers_to_json([layer])[0].items() if key != "layer"}
        ours = getattr(keras.layers, name)(**dataclasses.asdict(layer), name="x").get_config()
        assert ours == getattr(keras.layers, name)(**required, name="x").get_config(), name


def test_keras_has_every_activation_and_initializer(keras: Any) -> None:
    assert all(callable(keras.activations.get(activation)) for activation in ACTIVATIONS)
    assert all(callable(keras.initializers.get(initializer)) for initializer in INITIALIZERS)


small = st.integers(1, 9)
padding = st.sampled_from(["valid", "same"])
LAYER = st.one_of(
    st.builds(Conv2D, st.integers(1, 4), small, st.integers(1, 8), padding),
    st.builds(DepthwiseConv2D, small, st.integers(1, 8), padding),
    st.builds(MaxPooling2D, small, st.none() | st.integers(1, 8), padding),
    st.builds(AveragePooling2D, small, st.none() | st.integers(1, 8), padding),
    st.builds(Dense, st.integers(1, 20)),
    st.sampled_from([Flatten(), BatchNormalization(), ReLU(), Dropout(0.5), SpatialDropout2D(0.5)]),
    st.sampled_from([GlobalAveragePooling2D(), GlobalMaxPooling2D(), LeakyReLU(), Softmax(), Rescaling(0.5)]),
)


@pytest.mark.filterwarnings("ignore:You are using a softmax")  # Keras, of a softmax over one channel
@pytest.mark.usefixtures("keras")
@settings(max_examples=60)
@given(st.lists(LAYER, min_size=1, max_size=6), st.sampled_from([28, 56]))
def test_keras_builds_what_is_accepted_and_rejects_what_is_rejected(layers: list[Layer], size: int) -> None:
    try:
        network = Architecture((*layers, Flatten(), Dense(10, "softmax")), size)
    except ArchitectureError as error:
        assert_keras_rejects(layers, error.position, size)
    else:
        assert_summary_matches_keras(network)


def assert_keras_rejects(layers: Sequence[Layer], position: int, size: int) -> None:
    """Keras builds the layers before this position and rejects the one there. It accepts Dense on images; we do not."""
    import keras

    before, offending = layers[: position - 1], layers[position - 1]
    stack = [getattr(keras.layers, type(layer).__name__)(**dataclasses.asdict(layer)) for layer in before]
    model = keras.Sequential([keras.Input((size, size, 1)), *stack])
    if isinstance(offending, Dense):
        assert not stack or len(shape_of(model.layers[-1])) == 3
        return
    with pytest.raises(ValueError, match=r".+"):
        model.add(getattr(keras.layers, type(offending).__name__)(**dataclasses.asdict(offending)))


@pytest.mark.parametrize(
    ("layers", "position", "words"),
    [
        (
            (MaxPooling2D(4), MaxPooling2D(8), *END),
            2,
            r"Layer 2 \(MaxPooling2D\) has a window of 8, larger than its input of 7\.",
        ),
        (
            (Conv2D(2, 20), Conv2D(2, 10), *END),
            2,
            r"Layer 2 \(Conv2D\).* 10, larger than its input of 9\.",
        ),
        ((Dense(10, "softmax"),), 1, r"Layer 1 \(Dense\).* 28 × 28 × 1.*Flatten"),
        ((Flatten(), Conv2D(2, 3), *END), 2, r"Layer 2 \(Conv2D\).* 784 values"),
        ((Flatten(), MaxPooling2D(), *END), 2, r"Layer 2 \(MaxPooling2D\).* 784 values"),
        ((Flatten(), SpatialDropout2D(0.5), *END), 2, r"Layer 2 \(SpatialDropout2D\).* 784 values"),
        ((GlobalMaxPooling2D(), GlobalMaxPooling2D(), *END), 2, r"Layer 2 .* 1 values"),
        ((Flatten(), Dense(9, "softmax")), 2, r"Layer 2 \(Dense\).* 9 values.* 10 "),
        ((Conv2D(10, 28, activation="softmax"),), 1, r"Layer 1 \(Conv2D\).* 1 × 1 × 10"),
        ((Flatten(), Dense(10, "relu")), 2, r"Layer 2 \(Dense\) does not .*softmax"),
        ((*END, Dropout(0.5)), 3, r"Layer 3 \(Dropout\) does not .*softmax"),
        ((Rescaling(0), *END), 1, r"Layer 1 \(Rescaling\): scale is 0, .* above 0"),
        ((Rescaling(float("nan")), *END), 1, r"scale is nan"),
        ((Rescaling("1"), *END), 1, r"scale is '1'"),
        ((Conv2D(0, 3), *END), 1, r"filters is 0, .* 1 to 1,024"),
        ((Conv2D(True, 3), *END), 1, r"filters is True"),
        ((Conv2D(8, 3.0), *END), 1, r"kernel_size is 3.0"),
        ((Conv2D(8, 3, padding="full"), *END), 1, r"padding is 'full', .*valid, same"),
        ((Conv2D(8, 3, activation="rleu"), *END), 1, r"activation is 'rleu', .*none, relu"),
        ((Conv2D(8, 3, use_bias=1), *END), 1, r"use_bias is 1"),
        ((MaxPooling2D(2, 0), *END), 1, r"strides is 0"),
        ((Flatten(), Dropout(1.0), Dense(10, "softmax")), 2, r"Layer 2 \(Dropout\): rate is 1.0"),
        ((), 0, r"1 to 100 layers.* 0\."),
        ((ReLU(),) * (MAX_LAYERS - 1) + END, 0, r"1 to 100 layers.* 101\."),
        ((Flatten(), Dense(8192), Dense(8192), *END), 0, rf"73,\d\d\d,\d\d\d parameters.* {MAX_PARAMETERS:,} "),
    ],
)
def test_the_error_names_the_layer_and_the_value(layers: tuple[Layer, ...], position: int, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words) as error:
        Architecture(layers)
    assert error.value.position == position


@pytest.mark.parametrize("size", [0, 27, 40, 57, 28.0, "28"])
def test_other_input_sizes_are_rejected(size: Any) -> None:
    with pytest.raises(ArchitectureError, match=f"input_size is {size!r}"):
        Architecture(END, size)


def test_layers_survive_a_round_trip_through_json() -> None:
    for layers in EXAMPLES:
        assert layers_from_json(json.loads(json.dumps(layers_to_json(layers)))) == layers


def test_json_contains_no_defaults() -> None:
    assert layers_to_json([Conv2D(32, 3), MaxPooling2D()]) == [
        {"layer": "Conv2D", "filters": 32, "kernel_size": 3},
        {"layer": "MaxPooling2D"},
    ]


@pytest.mark.parametrize(
    ("items", "position", "words"),
    [
        (None, 0, "list of layers.*NoneType"),
        ({"layer": "Flatten"}, 0, "list of layers.*dict"),
        ("Flatten", 0, "list of layers.*str"),
        ([{"layer": "Flatten"}, {"layer": "Dence"}], 2, "Layer 2: 'Dence' .*Rescaling, Conv2D"),
        ([{"layer": "Layer"}], 1, "Layer 1: 'Layer' is not a layer"),
        ([{"layer": ["Dense"]}], 1, r"Layer 1: \['Dense'\] is not a layer"),
        ([{"layer": {}}], 1, "is not a layer"),
        ([{"units": 10}], 1, "Layer 1: None is not a layer"),
        (["Flatten"], 1, "Layer 1: 'Flatten' is not a layer"),
        ([None], 1, "Layer 1: None is not a layer"),
        ([{"layer": "Flatten"}, {"layer": "Dense"}], 2, r"Layer 2 \(Dense\): units is missing"),
        (
            [{"layer": "Dense", "units": 10, "size": 3}],
            1,
            r"Layer 1 \(Dense\): 'size' is not one of its settings \(units",
        ),
        ([{"layer": "Flatten", "units": 10}], 1, r"\(it has none\)"),
    ],
)
def test_the_error_names_the_part_of_the_json(items: object, position: int, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words) as error:
        layers_from_json(items)
    assert error.value.position == position


@pytest.mark.parametrize("value", ["3", 3.5, None, [3], {}, True, 10**400])
def test_the_architecture_rejects_values_of_a_wrong_type(value: object) -> None:
    layers = layers_from_json([{"layer": "Conv2D", "filters": value, "kernel_size": 3}, *layers_to_json(END)])
    with pytest.raises(ArchitectureError, match="filters is") as error:
        Architecture(layers)
    assert error.value.position == 1


def layer_configs(model: Any) -> list[dict[str, Any]]:
    """Keras's settings of each layer, without its name, which depends on the models built before."""
    return [{name: value for name, value in layer.get_config().items() if name != "name"} for layer in model.layers]


def test_the_source_builds_the_same_model(keras: Any) -> None:
    for layers in EXAMPLES:
        network = Architecture(layers)
        variables: dict[str, Any] = {"keras": keras, "layers": keras.layers}
        exec(keras_source(network), variables)
        assert layer_configs(variables["model"]) == layer_configs(build_model(network))
        assert variables["model"].count_params() == network.parameters


def test_the_source_has_one_readable_line_per_layer() -> None:
    assert keras_source(Architecture((Rescaling(1 / 255), Conv2D(32, 3, activation="relu"), *END))) == (
        "model = keras.Sequential([\n"
        "    keras.Input((28, 28, 1)),\n"
        "    layers.Rescaling(scale=1 / 255),\n"
        "    layers.Conv2D(filters=32, kernel_size=3, activation='relu'),\n"
        "    layers.Flatten(),\n"
        "    layers.Dense(units=10, activation='softmax'),\n"
        "])\n"
    )


def test_dropout_is_changed_added_and_removed() -> None:
    without, dense = (Conv2D(4, 3), Flatten(), Dense(8), Dense(10, "softmax")), Dense(10, "softmax")
    once = (*without[:3], Dropout(0.3), dense)
    assert with_dropout(without, 0.3) == once, "before the last Dense"
    assert with_dropout(once, 0.5) == (*without[:3], Dropout(0.5), dense)
    assert with_dropout((Dropout(0.1), *once), 0.5) == (Dropout(0.5), *without[:3], Dropout(0.5), dense)
    assert with_dropout((Dropout(0.1), *once), 0) == without
    assert with_dropout((Conv2D(12, 3), GlobalMaxPooling2D(), Softmax()), 0.2)[2] == Dropout(0.2)
    assert [dropout_rate(layers) for layers in (without, once, (Dropout(0.1), *once))] == [0, 0.3, 0.1]
    Architecture(with_dropout(without, 0.3))
