"""The engine under Node predicts what Keras and LiteRT predict."""

import numpy as np
import pytest

from mnist_core.browser.weights_file import browser_model
from mnist_core.errors import ModelError
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier, fit_to_input
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
    GlobalMaxPooling2D,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
    SpatialDropout2D,
)

RESCALING = Rescaling(1 / 255)
NETWORKS = {
    "convolutions": Architecture(
        (
            RESCALING,
            BatchNormalization(),
            Conv2D(6, 5, strides=2, padding="same", activation="silu"),
            BatchNormalization(),
            DepthwiseConv2D(3, padding="same", use_bias=False),
            BatchNormalization(),
            LeakyReLU(0.1),
            MaxPooling2D(3, strides=2, padding="same"),
            SpatialDropout2D(0.2),
            Conv2D(7, 2, use_bias=False),
            BatchNormalization(),
            ReLU(),
            AveragePooling2D(3, strides=2, padding="same"),
            Flatten(),
            Dropout(0.5),
            Dense(12, activation="gelu"),
            BatchNormalization(),
            Dense(10),
            Softmax(),
        )
    ),
    "56 pixels": Architecture(
        (RESCALING, Conv2D(5, 4, strides=3), MaxPooling2D(), GlobalMaxPooling2D(), Dense(11, activation="softmax")), 56
    ),
    "mean of channels": Architecture(
        (RESCALING, Conv2D(8, 3, activation="elu"), GlobalAveragePooling2D(), Dense(10, activation="softmax"))
    ),
    **{
        name: Architecture((RESCALING, Flatten(), Dense(9, activation=name), Dense(10, activation="softmax")))
        for name in ("leaky_relu", "tanh", "sigmoid")
    },
}


def predictions(node, tmp_path, model: bytes, images, *options: str) -> np.ndarray:
    (tmp_path / "model.bin").write_bytes(model)
    (tmp_path / "images").write_bytes(images.tobytes())
    done = node("run_engine.mjs", tmp_path / "model.bin", tmp_path / "images", tmp_path / "out", *options)
    assert done.returncode == 0, done.stderr
    return np.fromfile(tmp_path / "out", "<f4").reshape(len(images), -1)


def random_weight(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Kernels keep the size of numbers; what a batch normalization has is positive, as variances are."""
    if len(shape) < 2:
        return generator.uniform(0.5, 1, shape)
    return generator.normal(0, 1.5 / np.sqrt(np.prod(shape[:-1])), shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_computes_what_keras_computes(node, keras, tmp_path, name):
    architecture, generator = NETWORKS[name], np.random.default_rng(0)
    model = build_model(architecture)
    for layer in model.layers:
        layer.set_weights([random_weight(generator, weight.shape) for weight in layer.get_weights()])
    weights = [tuple(np.asarray(weight) for weight in layer.get_weights()) for layer in model.layers]
    # Keras counts a random generator's state among the weights of a dropout.
    weights = [arrays if row.parameters else () for arrays, row in zip(weights, architecture.summary(), strict=True)]
    size = architecture.input_size
    images = generator.integers(0, 256, (3, size, size)).astype(np.uint8)
    expected = model.predict(images[..., None].astype(np.float32), verbose=0)
    assert expected.max() < 0.95  # otherwise softmax would hide what differs
    content = browser_model(architecture, weights, "float32")
    for options in ((), ("plain",)):
        found = predictions(node, tmp_path, content, images, *options)
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.slow
def test_the_shipped_model_in_int8_predicts_what_litert_predicts(node, sample, shipped, tmp_path):
    images = sample.x_test[:40]
    expected = Classifier(DEFAULT_MODEL).probabilities(images)
    found = predictions(node, tmp_path, browser_model(*shipped, "int8"), images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_digit_is_centered_in_a_larger_input(node, tmp_path):
    generator = np.random.default_rng(0)
    architecture = Architecture((RESCALING, Flatten(), Dense(10, activation="softmax")), 56)
    weights = [(), (), (generator.normal(size=(56 * 56, 10)).astype("f4"), np.zeros(10, "f4"))]
    images = generator.integers(0, 256, (2, 28, 28)).astype(np.uint8)
    model = browser_model(architecture, weights)
    small = predictions(node, tmp_path, model, images, "28")
    np.testing.assert_array_equal(small, predictions(node, tmp_path, model, fit_to_input(images, 56)))


def test_weights_that_are_not_finite_are_not_written():
    architecture = Architecture((RESCALING, Flatten(), Dense(10, activation="softmax")))
    for value in (np.nan, np.inf, 1e6, 65_505):
        weights = [(), (), (np.full((784, 10), value, "f4"), np.zeros(10, "f4"))]
        with pytest.raises(ModelError):
            browser_model(architecture, weights, "float16")
