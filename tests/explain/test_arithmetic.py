"""The arithmetic of single units, compared with LiteRT for every kind of layer."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import ModelError
from mnist_core.explain import arithmetic
from mnist_core.models import convert
from mnist_core.models.activations import ActivationModel
from mnist_core.models.weights import layer_weights
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import (
    ACTIVATIONS,
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
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
    SpatialDropout2D,
)
from tests.models.test_activations import randomized_model

_SCALE = Rescaling(1 / 255)
NETWORKS = {
    "windows that do not fit": Architecture(
        (
            _SCALE,
            Conv2D(6, 4, 3, "same", "relu"),
            MaxPooling2D(3, 2, "same"),
            BatchNormalization(),
            LeakyReLU(),
            DepthwiseConv2D(2, 2, "same", "gelu"),
            AveragePooling2D(2, 2, "same"),
            ReLU(),
            SpatialDropout2D(0.2),
            Flatten(),
            Dropout(0.3),
            Dense(10, use_bias=False),
            Softmax(),
        )
    ),
    "large, pooled to one": Architecture(
        (
            _SCALE,
            Conv2D(4, 5, 4, activation="softmax"),
            AveragePooling2D(3),
            GlobalMaxPooling2D(),
            Dense(100, "softmax"),
        ),
        56,
    ),
    "mean of each channel": Architecture(
        (
            _SCALE,
            Conv2D(5, 3, 2, use_bias=False),
            BatchNormalization(),
            GlobalAveragePooling2D(),
            Dense(12, "softmax"),
        )
    ),
    "every activation": Architecture(
        (
            _SCALE,
            Flatten(),
            *(Dense(7, name) for name in ACTIVATIONS),
            Dense(10, "softmax"),
        )
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def trained_network(
    request: Any, keras: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Architecture, Any, Path]:
    architecture, folder = NETWORKS[request.param], tmp_path_factory.mktemp("network")
    model = randomized_model(architecture)
    model.save(folder / "model.keras")
    (folder / "model.tflite").write_bytes(convert.convert(model, architecture))
    return architecture, model, folder


def test_the_networks_contain_every_layer() -> None:
    tried = {type(layer) for architecture in NETWORKS.values() for layer in architecture.layers}
    assert tried == set(LAYERS.values())


def test_weights_read_from_the_file_match_keras(trained_network: tuple[Architecture, Any, Path]) -> None:
    architecture, model, folder = trained_network
    for found, layer in zip(layer_weights(folder / "model.keras", architecture), model.layers, strict=True):
        for weights, expected in zip(found, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, expected)


def test_units_match_litert(trained_network: tuple[Architecture, Any, Path], sample: Any) -> None:
    architecture, _, folder = trained_network
    layers, weights = ActivationModel(folder / "model.tflite"), layer_weights(folder / "model.keras", architecture)
    image, generator = sample.x_test[:1], np.random.default_rng(0)
    for position, found in enumerate(layers.outputs(image).values()):
        layer, before = architecture.layers[position], layers.layer_input(image, position)[0]
        corners = [tuple(0 for _ in found[0].shape), tuple(size - 1 for size in found[0].shape)]
        others = [tuple(int(generator.integers(size)) for size in found[0].shape) for _ in range(25)]
        for place in (*corners, *others):
            unit = arithmetic.compute_unit(layer, weights[position], before, place)
            assert unit.value == pytest.approx(float(found[0][place]), abs=1e-4), (layer, place)


def test_contributions_add_up_to_the_weighted_sum(trained_network: tuple[Architecture, Any, Path], sample: Any) -> None:
    architecture, _, folder = trained_network
    layers, weights = ActivationModel(folder / "model.tflite"), layer_weights(folder / "model.keras", architecture)
    position = next((n for n, layer in enumerate(architecture.layers) if isinstance(layer, Conv2D | Dense)), 0)
    before = layers.layer_input(sample.x_test[:1], position)[0]
    place = (2, 3, 1) if before.ndim == 3 else (1,)
    unit = arithmetic.compute_unit(architecture.layers[position], weights[position], before, place)
    if unit.patch is not None and unit.kernel is not None:
        total = float((unit.patch.astype(np.float64) * unit.kernel).sum())
    else:
        total = sum(value * weight for value, weight in unit.terms)
    assert total == pytest.approx(unit.steps[0][1], abs=1e-4)


def test_units_match_values_worked_out_by_hand() -> None:
    before = np.array([[[1], [2]], [[3], [-4]]], np.float32)
    pooled = arithmetic.compute_unit(MaxPooling2D(2), (), before, (0, 0, 0))
    assert pooled.value == 3 and pooled.box == (0, 0, 2, 2)
    kernel, bias = np.array([[[[2.0]], [[1.0]]], [[[0.5]], [[1.0]]]], np.float32), np.array([1.0], np.float32)
    unit = arithmetic.compute_unit(Conv2D(1, 2, activation="relu"), (kernel, bias), before, (0, 0, 0))
    assert [value for _, value in unit.steps] == [1.5, 1.0, 2.5, 2.5]  # 2 + 2 + 1.5 - 4
    logits = np.log(np.array([1, 2, 5], np.float32))
    assert arithmetic.compute_unit(Softmax(), (), logits, (2,)).value == pytest.approx(5 / 8, abs=1e-6)
    dense = Dense(3, "softmax", use_bias=False)
    unit = arithmetic.compute_unit(dense, (np.diag(logits),), np.ones(3, np.float32), (1,))
    expected = [np.log(2), 2 / 5, 8 / 5, 2 / 8]  # its number, the power less the largest, all powers, the share
    assert [value for _, value in unit.steps] == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ModelError, match=r"\(3,\)"):
        arithmetic.compute_unit(Softmax(), (), logits, (3,))


def test_files_without_the_weights_of_the_network_are_refused(
    trained_network: tuple[Architecture, Any, Path], tmp_path: Path
) -> None:
    import h5py

    architecture, _, folder = trained_network
    path = tmp_path / "model.keras"
    with pytest.raises(ModelError, match="cannot be read"):
        layer_weights(path, architecture)
    whole = (folder / "model.keras").read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"PK" * 100):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="cannot be read"):
            layer_weights(path, architecture)
    with pytest.raises(ModelError, match="another network"):
        layer_weights(folder / "model.keras", Architecture((Flatten(), Dense(10), Dense(11, "softmax"))))
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(28 * 28 * 40))
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (784, 10), "f4", external=[(str(secret), 0, 784 * 40)])
        group["1"] = h5py.ExternalLink(str(secret), "/")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    with pytest.raises(ModelError, match="cannot be read"):
        layer_weights(path, Architecture((Flatten(), Dense(10, "softmax"))))


@pytest.mark.parametrize(("layer", "value"), [(ReLU(), -3.0), (Conv2D(1, 1, activation="relu"), -0.0)])
def test_a_rectified_value_is_zero_without_a_sign(layer: Any, value: float) -> None:
    inputs = np.full((1, 1, 1), value, np.float32)
    weights = (np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32)) if isinstance(layer, Conv2D) else ()
    assert str(arithmetic.compute_unit(layer, weights, inputs, (0, 0, 0)).value) == "0.0"


def test_no_number_on_the_page_is_a_negative_zero() -> None:
    from pages.ui.explain.arithmetic import array_in_words, computation_in_one_line

    assert array_in_words(np.array([[-0.001, -0.0], [0.004, -1.0]], np.float32)) == "0.00 0.00 / 0.00 -1.00"
    unit = arithmetic.UnitArithmetic("rectifier", (("input", -0.0), ("output", -0.0)))
    assert computation_in_one_line(unit) == "output = 0"


def test_a_patch_that_reaches_beyond_the_input_is_described_by_what_it_sees() -> None:
    from pages.ui.explain.arithmetic import patch_area

    assert patch_area((0, 2, 3, 5), (9, 5, 4), "zeros") == "Rows 0 to 2 and columns 2 to 4 of the previous layer"
    assert patch_area((-1, 7, 2, 10), (9, 9, 4), "zeros") == (
        "Rows 0 to 1 and columns 7 to 8 of the previous layer, and the zeros around it"
    )
