"""The engine under Node predicts what Keras and LiteRT predict."""

import zlib

import numpy as np
import pytest

from mnist_core.browser.weights_file import browser_model
from mnist_core.errors import ModelError
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
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


def predictions(node, tmp_path, model: bytes, images) -> np.ndarray:
    (tmp_path / "model.bin").write_bytes(model)
    (tmp_path / "images").write_bytes(images.tobytes())
    done = node("run_engine.mjs", tmp_path / "model.bin", tmp_path / "images", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    return np.fromfile(tmp_path / "out", "<f4").reshape(len(images), -1)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_computes_what_keras_computes(node, keras, tmp_path, name):
    architecture, generator = NETWORKS[name], np.random.default_rng(0)
    model = build_model(architecture)
    for layer in model.layers:
        layer.set_weights(
            [generator.uniform(0.1, 0.9, weight.shape) - 0.3 * (weight.ndim > 1) for weight in layer.get_weights()]
        )
    weights = [tuple(np.asarray(weight) for weight in layer.get_weights()) for layer in model.layers]
    # Keras counts a random generator's state among the weights of a dropout.
    weights = [arrays if row.parameters else () for arrays, row in zip(weights, architecture.summary(), strict=True)]
    size = architecture.input_size
    images = generator.integers(0, 256, (3, size, size)).astype(np.uint8)
    expected = model.predict(images[..., None].astype(np.float32), verbose=0)
    found = predictions(node, tmp_path, browser_model(architecture, weights, "float32"), images)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "difference"), [("float32", 1e-5), ("float16", 1e-3), ("int8", 0.02)])
def test_the_shipped_model_predicts_what_litert_predicts(node, sample, shipped, tmp_path, precision, difference):
    images = sample.x_test[:40]
    expected = Classifier(DEFAULT_MODEL).probabilities(images)
    found = predictions(node, tmp_path, browser_model(*shipped, precision), images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(found, expected, atol=difference)


def changed_header(content: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in content
    body = content[16:].replace(old, new)
    return content[:12] + zlib.crc32(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:10], "cut short"),
        (lambda content: content[:-100], "cut short"),
        (lambda content: content[:400] + b"\xff" + content[401:], "damaged"),
        (lambda content: b"PNG!" + content[4:], "not a model"),
        (lambda content: content[:4] + b"\x09" + content[5:], "format 9"),
        (lambda content: changed_header(content, b'"layer":"Dense"', b'"layer":"Dance"'), "layer Dance"),
        (lambda content: changed_header(content, b'"elu"', b'"elk"'), "activation elk"),
    ],
)
def test_a_damaged_model_is_refused(node, tmp_path, damage, message):
    architecture = Architecture((RESCALING, Flatten(), Dense(3, activation="elu"), Dense(10, activation="softmax")))
    weights = [(), (), (np.ones((784, 3), "f4"), np.ones(3, "f4")), (np.ones((3, 10), "f4"), np.ones(10, "f4"))]
    (tmp_path / "model.bin").write_bytes(damage(browser_model(architecture, weights)))
    (tmp_path / "images").write_bytes(bytes(784))
    done = node("run_engine.mjs", tmp_path / "model.bin", tmp_path / "images", tmp_path / "out")
    assert done.returncode == 1 and "ModelError" in done.stderr and message in done.stderr


def test_weights_that_are_not_finite_are_not_written():
    architecture = Architecture((RESCALING, Flatten(), Dense(10, activation="softmax")))
    for value in (np.nan, np.inf, 1e6):
        weights = [(), (), (np.full((784, 10), value, "f4"), np.zeros(10, "f4"))]
        with pytest.raises(ModelError):
            browser_model(architecture, weights, "float16")
