"""Attribution by gradients, compared with a linear model worked out by hand and with finite differences."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import ModelError
from mnist_core.explain import attribution
from mnist_core.explain.attribution import Completeness, Explainer
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)

SCALE = Rescaling(1 / 255)
LINEAR = Architecture((SCALE, Flatten(), Dense(10, "softmax")))
CURVED = Architecture((SCALE, Conv2D(4, 5, activation="tanh"), Flatten(), Dropout(0.5), Dense(10, "softmax")))
BENT = Architecture(
    (
        SCALE,
        Conv2D(6, 3, use_bias=False),
        BatchNormalization(),
        ReLU(),
        MaxPooling2D(),
        Conv2D(8, 3, activation="relu"),
        Flatten(),
        Dense(11, "softmax"),
    ),
)


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    """A blurred bar, (28, 28) uint8."""
    image = np.zeros((28, 28), np.uint8)
    image[5:24, 12:15] = 255
    image[5:24, 15] = 90
    return image


def random_model(architecture: Architecture, seed: int = 0) -> Any:
    """A model with weights that are neither zero nor tiny, biases and moving statistics too."""
    model, random = build_model(architecture), np.random.default_rng(seed)
    positive = {variable.path for variable in model.weights if "variance" in variable.path or "gamma" in variable.path}
    for variable in model.weights:
        values = random.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(values) + 0.5 if variable.path in positive else values)
    return model


def logit(model: Any, image: np.ndarray, digit: int) -> float:
    """The logit of a digit minus that of the last class, in float64, from the probabilities."""
    size = model.input_shape[1]
    shown = np.log(np.asarray(model(image.reshape(1, size, size, 1).astype(np.float32)), np.float64)[0])
    return float(shown[digit] - shown[-1])


def test_a_linear_model_is_explained_by_its_weights(keras: Any, digit: np.ndarray) -> None:
    model = random_model(LINEAR)
    kernel, bias = (np.asarray(each, np.float64) for each in model.layers[-1].get_weights())
    expected = kernel[:, 4].reshape(28, 28)  # a pixel from black to white goes from 0 to 1
    explainer = Explainer(model)
    assert explainer.gradient(digit, [4])[0] == pytest.approx(expected, abs=1e-5)
    assert explainer.smooth_grad(digit, [4])[0] == pytest.approx(expected, abs=1e-5)
    maps, (complete,) = explainer.integrated_gradients(digit, [4])
    assert maps[0] == pytest.approx(expected * digit / 255, abs=1e-5)
    assert explainer.logits(digit[None])[0] == pytest.approx(digit.ravel() / 255 @ kernel + bias, abs=1e-3)
    assert complete.logit_difference == pytest.approx(float((expected * digit / 255).sum()), abs=1e-3)
    assert complete.within_tolerance and complete.steps == attribution.STEPS


def test_gradients_match_finite_differences(keras: Any, digit: np.ndarray) -> None:
    model = random_model(CURVED)
    slopes = Explainer(model).gradient(digit, [3, 9])
    for row, column in ((6, 13), (12, 12), (20, 15), (2, 2), (14, 17)):
        up, down = (digit.astype(np.float64) for _ in range(2))
        up[row, column] += 2
        down[row, column] -= 2
        found = (logit(model, up, 3) - logit(model, down, 3)) / 4 * 255  # of logit 3 less logit 9
        assert slopes[0, row, column] - slopes[1, row, column] == pytest.approx(found, rel=0.02, abs=0.01)


@pytest.mark.parametrize("architecture", [CURVED, BENT], ids=["tanh", "relu"])
def test_attributions_are_complete(keras: Any, digit: np.ndarray, architecture: Architecture) -> None:
    model, black = random_model(architecture, 1), np.zeros((28, 28))
    maps, complete = Explainer(model).integrated_gradients(digit, range(10))
    outputs = architecture.summary()[-1].output_shape[0]
    _, (last,) = Explainer(model).integrated_gradients(digit, [outputs - 1])
    for number, each in enumerate(complete):
        assert each.within_tolerance and abs(maps[number].sum() - each.logit_difference) <= 0.0101 * abs(
            each.logit_difference
        )
        real = logit(model, digit, number) - logit(model, black, number)
        assert each.logit_difference - last.logit_difference == pytest.approx(real, abs=5e-3)
    assert not maps[:, digit == 0].any()


def test_steps_are_halved_until_attributions_are_complete(keras: Any, digit: np.ndarray) -> None:
    explainer = Explainer(random_model(BENT, 3))
    _, complete = explainer.integrated_gradients(digit, range(10), steps=1)
    assert all(each.within_tolerance for each in complete) and any(each.steps > 1 for each in complete)


def test_completeness_tolerates_one_percent() -> None:
    assert Completeness(1.0, 1.005, 50).within_tolerance and not Completeness(1.0, 1.02, 50).within_tolerance
    assert Completeness(0.0, 0.0, 50).within_tolerance and not Completeness(0.1, 0.0, 50).within_tolerance


def test_grad_cam_of_a_global_mean_matches_its_weights(keras: Any, digit: np.ndarray) -> None:
    """With mean pooling and one dense layer, the slope of a channel's mean is its weight (Selvaraju et al., 2017)."""
    layers = (SCALE, Conv2D(5, 1, activation="relu"), GlobalAveragePooling2D(), Dense(10), Softmax())
    model = random_model(Architecture(layers))
    weights = np.asarray(model.layers[3].get_weights()[0]) / 28**2  # (5, 10)
    channels = np.asarray(model.layers[1](model.layers[0](digit[None, ..., None].astype(np.float32))))[0]
    expected = np.maximum(channels @ weights, 0).transpose(2, 0, 1)
    assert expected.any()
    assert Explainer(model).grad_cam(digit, range(10), 1) == pytest.approx(expected, abs=1e-7)


def test_grad_cam_includes_normalization_and_activation(keras: Any, digit: np.ndarray) -> None:
    explainer = Explainer(random_model(BENT))
    assert explainer.grad_cam(digit, [2], 1) == pytest.approx(explainer.grad_cam(digit, [2], 3))
    assert attribution.block_end(BENT.layers, 1) == 3 and attribution.block_end(BENT.layers, 5) == 5
    assert explainer.grad_cam(digit, range(10), 5).shape == (10, 28, 28)


def test_convolutions_can_be_chosen_for_grad_cam() -> None:
    assert attribution.conv_layers(BENT) == {1: "layer 2: Conv2D, 26 × 26 × 6", 5: "layer 6: Conv2D, 11 × 11 × 8"}
    assert attribution.default_grad_cam_layer(BENT) == 5 and attribution.default_grad_cam_layer(LINEAR) is None
    narrow = Architecture((SCALE, Conv2D(4, 3), Conv2D(4, 26), Flatten(), Dense(10, "softmax")))
    assert attribution.default_grad_cam_layer(narrow) == 1


def test_digits_are_centered_in_a_larger_input(keras: Any, digit: np.ndarray) -> None:
    architecture = Architecture((SCALE, Flatten(), Dense(100, "softmax")), input_size=56)
    model = random_model(architecture)
    kernel = model.layers[-1].get_weights()[0][:, 4].reshape(56, 56)
    explainer = Explainer(model)
    assert explainer.gradient(digit, [4])[0] == pytest.approx(kernel[14:42, 14:42], abs=1e-5)
    assert explainer.integrated_gradients(digit, [4])[1][0].within_tolerance
    assert explainer.logits(np.pad(digit, 14)[None]) == pytest.approx(explainer.logits(digit[None]))
    assert explainer.gradient(digit, [99]).shape == (1, 28, 28)


def test_logits_are_computed_before_any_activation(keras: Any, digit: np.ndarray) -> None:
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "sigmoid")])
    shown = np.asarray(model(digit[None, ..., None].astype(np.float32) / 1000), np.float64)[0]
    model.layers[-1].kernel.assign(model.layers[-1].kernel / 1000)
    assert Explainer(model).logits(digit[None])[0] == pytest.approx(np.log(shown / (1 - shown)), abs=1e-4)


def test_unknown_outputs_layers_and_shapes_are_refused(keras: Any, digit: np.ndarray) -> None:
    explainer = Explainer(random_model(LINEAR))
    for asked in (lambda: explainer.gradient(digit, [10]), lambda: explainer.integrated_gradients(digit, [-1])):
        with pytest.raises(ModelError, match="from 0 to 9"):
            asked()
    with pytest.raises(ModelError, match="needs a convolution"):
        explainer.grad_cam(digit, [1], 1)
    with pytest.raises(ModelError, match=r"got \(5, 5\) uint8"):
        explainer.gradient(digit[:5, :5], [1])


def test_attributions_of_the_shipped_model_are_complete(keras: Any, sample: Any, tmp_path: Path) -> None:
    from mnist_core.explain.gradient_server import load_trained_model

    folder = shutil.copytree(DEFAULT_MODEL.parent, tmp_path / "model")
    index = int((sample.y_test == 7).argmax())
    maps, (complete,) = Explainer(load_trained_model(folder)).integrated_gradients(sample.x_test[index], [7])
    assert complete.within_tolerance and complete.logit_difference > 5 and maps.max() > 0.1
