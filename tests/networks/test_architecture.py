"""Shapes, counts and source code against Keras's own; what is refused, where and in which words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_core.errors import ArchitectureError
from mnist_core.networks import architecture
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


def assert_as_keras_builds_it(found: Architecture) -> None:
    model = build_model(found)
    assert model.input_shape == (None, *found.input_shape)
    assert [row.layer for row in found.summary()] == [type(layer).__name__ for layer in model.layers]
    assert [row.output_shape for row in found.summary()] == [shape_of(layer) for layer in model.layers]
    assert [row.parameters for row in found.summary()] == [layer.count_params() for layer in model.layers]
    assert found.parameters == model.count_params()


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("size", [28, 56])
@pytest.mark.parametrize("layers", EXAMPLES)
def test_shapes_and_counts_are_keras_own(layers: tuple[Layer, ...], size: int) -> None:
    assert_as_keras_builds_it(Architecture(layers, size))


def test_every_layer_is_in_the_examples() -> None:
    assert {type(layer) for layers in EXAMPLES for layer in layers} == set(LAYERS.values())


def plain(kind: type[Layer]) -> Layer:
    """The layer with nothing but its required settings."""
    required = {"scale": 0.5, "filters": 2, "kernel_size": 3, "units": 4, "rate": 0.5, "pool_size": 2}
    missing = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    return kind(**{name: required[name] for name in missing})


@pytest.mark.parametrize("kind", LAYERS.values())
def test_defaults_are_keras_own(keras: Any, kind: type[Layer]) -> None:
    layer = plain(kind)
    required = {name: value for name, value in architecture.layers_to_json([layer])[0].items() if name != "layer"}
    ours = getattr(keras.layers, kind.__name__)(**dataclasses.asdict(layer), name="x").get_config()
    assert ours == getattr(keras.layers, kind.__name__)(**required, name="x").get_config()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_keras_knows_every_activation(keras: Any, activation: str | None) -> None:
    assert callable(keras.activations.get(activation))


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_keras_knows_every_initializer(keras: Any, initializer: str) -> None:
    assert callable(keras.initializers.get(initializer))


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
def test_what_is_accepted_keras_builds_and_what_does_not_fit_keras_refuses(layers: list[Layer], size: int) -> None:
    try:
        found = Architecture((*layers, Flatten(), Dense(10, "softmax")), size)
    except ArchitectureError as error:
        assert_keras_refuses(layers, error.position, size)
    else:
        assert_as_keras_builds_it(found)


def assert_keras_refuses(layers: Sequence[Layer], position: int, size: int) -> None:
    """Up to the position Keras builds it; the layer there it does not, but for Dense, which it lets act on channels."""
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
            r"Layer 2 \(MaxPooling2D\) its window of 8 is larger than its input of 7",
        ),
        ((Conv2D(2, 20), Conv2D(2, 10), *END), 2, r"Layer 2 \(Conv2D\).* window of 10 .* input of 9"),
        ((Dense(10, "softmax"),), 1, r"Layer 1 \(Dense\) needs a flat list .* gets 28 × 28 × 1: put Flatten before it"),
        ((Flatten(), Conv2D(2, 3), *END), 2, r"Layer 2 \(Conv2D\) needs an image .* gets 784 values"),
        ((Flatten(), MaxPooling2D(), *END), 2, r"Layer 2 \(MaxPooling2D\) needs an image"),
        ((Flatten(), SpatialDropout2D(0.5), *END), 2, r"Layer 2 \(SpatialDropout2D\) needs an image"),
        ((GlobalMaxPooling2D(), GlobalMaxPooling2D(), *END), 2, r"Layer 2 .* gets 1 values"),
        ((Flatten(), Dense(9, "softmax")), 2, r"Layer 2 \(Dense\) ends in 9 values; expected 10 or more outputs"),
        ((Conv2D(10, 28, activation="softmax"),), 1, r"Layer 1 \(Conv2D\) ends in 1 × 1 × 10"),
        ((Flatten(), Dense(10, "relu")), 2, r"Layer 2 \(Dense\) does not output probabilities: .*softmax"),
        ((*END, Dropout(0.5)), 3, r"Layer 3 \(Dropout\) does not output probabilities"),
        ((Rescaling(0), *END), 1, r"Layer 1 \(Rescaling\): scale is 0, expected a number above 0"),
        ((Rescaling(float("nan")), *END), 1, r"scale is nan"),
        ((Rescaling("1"), *END), 1, r"scale is '1'"),
        ((Conv2D(0, 3), *END), 1, r"filters is 0, expected a whole number from 1 to 1,024"),
        ((Conv2D(True, 3), *END), 1, r"filters is True"),
        ((Conv2D(8, 3.0), *END), 1, r"kernel_size is 3.0"),
        ((Conv2D(8, 3, padding="full"), *END), 1, r"padding is 'full', expected one of valid, same"),
        ((Conv2D(8, 3, activation="rleu"), *END), 1, r"activation is 'rleu', expected one of none, relu"),
        ((Conv2D(8, 3, use_bias=1), *END), 1, r"use_bias is 1"),
        ((MaxPooling2D(2, 0), *END), 1, r"strides is 0"),
        ((Flatten(), Dropout(1.0), Dense(10, "softmax")), 2, r"Layer 2 \(Dropout\): rate is 1.0"),
        ((), 0, r"1 to 100 layers; this one has 0"),
        ((ReLU(),) * (MAX_LAYERS - 1) + END, 0, r"1 to 100 layers; this one has 101"),
        ((Flatten(), Dense(8192), Dense(8192), *END), 0, rf"parameters; at most {MAX_PARAMETERS:,} are allowed"),
    ],
)
def test_refused_with_position_and_reason(layers: tuple[Layer, ...], position: int, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words) as refusal:
        Architecture(layers)
    assert refusal.value.position == position


@pytest.mark.parametrize("size", [0, 27, 40, 57, 28.0, "28"])
def test_refuses_other_input_sizes(size: Any) -> None:
    with pytest.raises(ArchitectureError, match="input_size"):
        Architecture(END, size)


@pytest.mark.parametrize("layers", EXAMPLES)
def test_json_there_and_back(layers: tuple[Layer, ...]) -> None:
    assert layers_from_json(json.loads(json.dumps(layers_to_json(layers)))) == layers


def test_json_leaves_defaults_out() -> None:
    assert layers_to_json([Conv2D(32, 3), MaxPooling2D()]) == [
        {"layer": "Conv2D", "filters": 32, "kernel_size": 3},
        {"layer": "MaxPooling2D"},
    ]


@pytest.mark.parametrize(
    ("items", "position", "words"),
    [
        (None, 0, "Expected a list of layers, got NoneType"),
        ({"layer": "Flatten"}, 0, "Expected a list of layers, got dict"),
        ("Flatten", 0, "got str"),
        ([{"layer": "Flatten"}, {"layer": "Dence"}], 2, "Layer 2: 'Dence' is not a layer. Known: Rescaling, Conv2D"),
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
def test_json_refused_with_position_and_reason(items: object, position: int, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words) as refusal:
        layers_from_json(items)
    assert refusal.value.position == position


@pytest.mark.parametrize("value", ["3", 3.5, None, [3], {}, True, 10**400])
def test_json_with_values_of_a_wrong_kind_is_refused_by_the_architecture(value: object) -> None:
    layers = layers_from_json([{"layer": "Conv2D", "filters": value, "kernel_size": 3}, *layers_to_json(END)])
    with pytest.raises(ArchitectureError, match="filters is") as refusal:
        Architecture(layers)
    assert refusal.value.position == 1


def configuration(model: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in layer.get_config().items() if name != "name"} for layer in model.layers]


@pytest.mark.parametrize("layers", EXAMPLES)
def test_source_builds_the_same_model(keras: Any, layers: tuple[Layer, ...]) -> None:
    found = Architecture(layers)
    names: dict[str, Any] = {"keras": keras, "layers": keras.layers}
    exec(keras_source(found), names)
    assert configuration(names["model"]) == configuration(build_model(found))
    assert names["model"].count_params() == found.parameters


def test_source_reads_as_people_write_it() -> None:
    assert keras_source(Architecture((Rescaling(1 / 255), Conv2D(32, 3, activation="relu"), *END))) == (
        "model = keras.Sequential([\n"
        "    keras.Input((28, 28, 1)),\n"
        "    layers.Rescaling(scale=1 / 255),\n"
        "    layers.Conv2D(filters=32, kernel_size=3, activation='relu'),\n"
        "    layers.Flatten(),\n"
        "    layers.Dense(units=10, activation='softmax'),\n"
        "])\n"
    )


def test_dropout_is_set_put_in_and_taken_out() -> None:
    without, dense = (Conv2D(4, 3), Flatten(), Dense(8), Dense(10, "softmax")), Dense(10, "softmax")
    once = (*without[:3], Dropout(0.3), dense)
    assert with_dropout(without, 0.3) == once, "before the last Dense"
    assert with_dropout(once, 0.5) == (*without[:3], Dropout(0.5), dense)
    assert with_dropout((Dropout(0.1), *once), 0.5) == (Dropout(0.5), *without[:3], Dropout(0.5), dense)
    assert with_dropout((Dropout(0.1), *once), 0) == without
    assert with_dropout((Conv2D(12, 3), GlobalMaxPooling2D(), Softmax()), 0.2)[2] == Dropout(0.2)
    assert [dropout_rate(layers) for layers in (without, once, (Dropout(0.1), *once))] == [0, 0.3, 0.1]
    Architecture(with_dropout(without, 0.3))
