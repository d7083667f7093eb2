"""The outputs of every layer match Keras, for every recipe."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import ModelError
from mnist_core.files.write import write_json
from mnist_core.models import convert, select_graph
from mnist_core.models.activations import ActivationModel, NoActivationsError
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES
from mnist_core.training import fine_tune
from mnist_core.training.reconvert import reconvert, reconvert_in_process
from tests.support import Trained

UNUSUAL = {
    "dropout first, depthwise, separate softmax": (
        Dropout(0.5),
        Rescaling(1 / 255),
        Conv2D(4, 3),
        BatchNormalization(),
        LeakyReLU(),
        DepthwiseConv2D(3, 2, "same"),
        BatchNormalization(),
        ReLU(),
        GlobalAveragePooling2D(),
        Dense(12),
        BatchNormalization(),
        Dense(10),
        Softmax(),
    ),
    "no dense layer": (
        Rescaling(1 / 255),
        Conv2D(10, 5, 3),
        MaxPooling2D(3),
        Dropout(0.2),
        GlobalAveragePooling2D(),
        Softmax(),
    ),
    "only a dense layer": (Flatten(), Dropout(0.1), Dense(10, "softmax")),
}
NETWORKS = {
    **{name: recipe.settings.architecture for name, recipe in RECIPES.items()},
    **{name: Architecture(layers) for name, layers in UNUSUAL.items()},
}


def randomized_model(architecture: Architecture) -> Any:
    """Builds a Keras model with random biases and batch normalizations, as if it were trained."""
    model, generator = build_model(architecture), np.random.default_rng(1)
    for layer in model.layers:
        weights = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            low = (0.3, -1, -1, 0.3)
            layer.set_weights([generator.uniform(a, 1.5, w.shape) for a, w in zip(low, weights, strict=True)])
        elif len(weights) == 2:
            layer.set_weights([weights[0], generator.normal(0, 0.1, weights[1].shape)])
    return model


def keras_outputs(model: Any, images: np.ndarray) -> list[np.ndarray]:
    """Computes the output of every layer with Keras."""
    values, outputs = images[..., None].astype(np.float32), []
    for layer in model.layers:
        values = layer(values, training=False)
        outputs.append(np.asarray(values))
    return outputs


@pytest.fixture(scope="module", params=NETWORKS)
def converted(request: Any, keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Architecture, Any, Path]:
    architecture = NETWORKS[request.param]
    model = randomized_model(architecture)
    path = tmp_path_factory.mktemp("converted") / "model.tflite"
    path.write_bytes(convert.convert(model, architecture))
    return architecture, model, path


def digits(sample: Any, size: int, count: int = 3) -> np.ndarray:
    """The first test digits, centered in images of this size."""
    margin = (size - 28) // 2
    return np.pad(sample.x_test[:count], ((0, 0), (margin, margin), (margin, margin)))


def test_outputs_of_every_layer_match_keras(converted: tuple[Architecture, Any, Path], sample: Any) -> None:
    architecture, model, path = converted
    images = digits(sample, architecture.input_size)
    activations = ActivationModel(path)
    outputs = activations.outputs(images)
    assert [name.partition("_")[2] for name in outputs] == [type(layer).__name__ for layer in architecture.layers]
    for (name, values), expected in zip(outputs.items(), keras_outputs(model, images), strict=True):
        assert values.dtype == np.float32
        scale = max(1.0, float(np.abs(expected).max()))  # thousands for a network on raw pixels
        np.testing.assert_allclose(values / scale, expected / scale, atol=1e-4, err_msg=name)
    np.testing.assert_array_equal(activations.layer_input(images, 0)[..., 0], images)


def test_the_last_dense_layer_matches_keras(converted: tuple[Architecture, Any, Path], sample: Any) -> None:
    architecture, model, path = converted
    images = digits(sample, architecture.input_size, 70)  # more than one batch
    kinds = [type(layer).__name__ for layer in architecture.layers]
    last = max([place for place, kind in enumerate(kinds) if kind == "Dense"], default=len(kinds) - 1)
    expected = keras_outputs(model, images)[last - 1].reshape(70, -1)
    activations = ActivationModel(path, 2)
    features = activations.penultimate(images)
    assert activations.compared_layer == ("the last dense layer" if "Dense" in kinds else "the last layer")
    assert features.dtype == np.float32
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(features / scale, expected / scale, atol=1e-4)
    logits = activations.logits(images[:5]).astype(np.float64)
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, Classifier(path).probabilities(images[:5]), atol=1e-4)


def test_a_network_without_dense_layers_is_compared_by_its_last_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    activations = ActivationModel(DEFAULT_MODEL)
    assert activations.compared_layer == "the last dense layer"
    activations.names = (*activations.names[:-1], f"{len(activations.names):03}_Softmax")
    assert activations.compared_layer == "the last layer"
    monkeypatch.setattr("mnist_core.models.activations.MAX_FEATURES", 9)
    with pytest.raises(ModelError, match="the last layer has 768 inputs.* at most 9"):
        activations.features(np.zeros((1, 28, 28), np.uint8))


def test_probabilities_are_bit_for_bit_those_of_a_plain_conversion(
    converted: tuple[Architecture, Any, Path], sample: Any, tmp_path: Path
) -> None:
    import tensorflow as tf

    architecture, model, path = converted
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    images = digits(sample, architecture.input_size, 70)
    np.testing.assert_array_equal(Classifier(path).probabilities(images), Classifier(plain).probabilities(images))
    assert path.stat().st_size < plain.stat().st_size + 25_000, "weights are stored only once"


def test_a_batch_normalization_that_cannot_be_undone_is_not_folded(keras: Any, sample: Any, tmp_path: Path) -> None:
    """A channel that is multiplied by 0 cannot be recovered by a division."""
    architecture = Architecture((Conv2D(3, 3), BatchNormalization(), ReLU(), Flatten(), Dense(10, "softmax")))
    model = randomized_model(architecture)
    gamma, *rest = model.layers[1].get_weights()
    gamma[1] = 0
    model.layers[1].set_weights([gamma, *rest])
    path = tmp_path / "model.tflite"
    path.write_bytes(convert.convert(model, architecture))
    images = sample.x_test[:2]
    outputs = ActivationModel(path).outputs(images)
    for values, expected in zip(outputs.values(), keras_outputs(model, images), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-3)


def test_one_graph_of_a_file_is_selected() -> None:
    from ai_edge_litert.interpreter import Interpreter

    content = DEFAULT_MODEL.read_bytes()
    layers_only = select_graph.layers_graph(content)
    assert layers_only is not None
    for part, signature in ((select_graph.default_graph(content), "serving_default"), (layers_only, "layers")):
        assert list(Interpreter(model_content=part).get_signature_list()) == [signature]
    assert list(Interpreter(model_content=content).get_signature_list()) == ["serving_default", "layers"]
    for broken in (b"", b"T", content[:1000], bytes(5000), b"\xff" * 5000):
        assert select_graph.default_graph(broken) == broken and select_graph.layers_graph(broken) is None
        assert select_graph.penultimate_graph(broken) is None


def test_wrong_images_and_missing_files_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"\(N, 28, 28\) uint8.*\(1, 27, 28\)"):
        ActivationModel(DEFAULT_MODEL).outputs(np.zeros((1, 27, 28), np.uint8))
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "model.tflite"))):
        ActivationModel(tmp_path / "model.tflite")


def test_a_model_without_layer_outputs_is_converted_again(
    trained: Trained, runs_root: Path, tmp_path: Path, keras: Any, sample: Any
) -> None:
    import tensorflow as tf

    run = runs_root / trained.run.id
    shutil.copytree(trained.run.path, run)
    model = fine_tune.load_keras_model(fine_tune.base_spec(run.name).settings.architecture, run / "model.keras")
    (run / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    before = Classifier(run / "model.tflite").probabilities(sample.x_test[:50])
    with pytest.raises(NoActivationsError, match="model.tflite"):
        ActivationModel(run / "model.tflite")
    reconvert_in_process(run.name)
    assert ActivationModel(run / "model.tflite").names[0] == "001_Rescaling"
    np.testing.assert_array_equal(Classifier(run / "model.tflite").probabilities(sample.x_test[:50]), before)


def test_weights_of_another_network_are_not_converted(trained: Trained, runs_root: Path, keras: Any) -> None:
    run = runs_root / trained.run.id
    shutil.copytree(trained.run.path, run)
    before = (run / "model.tflite").read_bytes()
    shutil.copy(DEFAULT_MODEL.with_name("model.keras"), run / "model.keras")
    with pytest.raises(ModelError, match="model.keras cannot be used"):
        reconvert(run.name)
    card = trained.run.card()
    write_json(run / "card.json", {**card, "settings": {}})
    with pytest.raises(ModelError, match=f"card of {run.name} cannot be read"):
        reconvert(run.name)
    assert (run / "model.tflite").read_bytes() == before
