"""Occlusion, compared with a model whose probabilities are a known function of the pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.explain.occlusion import occluded_images, occlusion_maps, upsample_occlusion
from mnist_core.models import convert
from mnist_core.models.classifier import Classifier
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import Dense, Flatten


@pytest.fixture(scope="module", params=[28, 56])
def linear(request: Any, keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Path]:
    """softmax(image × weights), and its weights, (size, size, outputs)."""
    size = request.param
    architecture = Architecture((Flatten(), Dense(12, "softmax")), size)
    model = build_model(architecture)
    weights = np.random.default_rng(0).normal(0, 1e-4, (size * size, 12)).astype(np.float32)
    model.set_weights([weights, np.zeros(12, np.float32)])
    path = tmp_path_factory.mktemp("linear") / "model.tflite"
    path.write_bytes(convert.convert(model, architecture))
    return weights.reshape(size, size, 12), path


def test_drops_match_those_worked_out_by_hand(linear: tuple[np.ndarray, Path], sample: Any) -> None:
    weights, path = linear
    margin = (len(weights) - 28) // 2
    digit = np.pad(sample.x_test[3], margin).astype(np.float64)
    step = len(weights) // 14

    def probabilities(image: np.ndarray) -> np.ndarray:
        powers = np.exp(np.tensordot(image, weights.astype(np.float64), 2))
        return np.asarray(powers / powers.sum())

    found = occlusion_maps(Classifier(path), np.pad(sample.x_test[3], margin))
    assert found.shape == (12, 13, 13) and found.dtype == np.float32 and np.abs(found).max() > 1e-4
    for row, column in ((0, 0), (5, 6), (12, 12), (7, 3)):
        covered = digit.copy()
        covered[step * row : step * row + 2 * step, step * column : step * column + 2 * step] = 0
        assert found[:, row, column] == pytest.approx(probabilities(digit) - probabilities(covered), abs=1e-5)


def test_each_image_has_one_erased_patch() -> None:
    images = occluded_images(np.full((28, 28), 200, np.uint8))
    assert images.shape == (169, 28, 28) and set(np.unique(images)) == {0, 200}
    assert ((images == 0).sum(axis=(1, 2)) == 16).all()
    assert len({image.tobytes() for image in images}) == 169
    assert (images == 0).any(axis=0).all()


def test_a_small_digit_in_a_large_input_is_occluded_itself(linear: tuple[np.ndarray, Path], sample: Any) -> None:
    """The patches are of the digit then, and not of the black around it."""
    found = occlusion_maps(Classifier(linear[1]), sample.x_test[3])[4]
    ink = np.array(
        [[sample.x_test[3][2 * r : 2 * r + 4, 2 * c : 2 * c + 4].any() for c in range(13)] for r in range(13)]
    )
    assert np.abs(found[~ink]).max() < 1e-6 < np.abs(found[ink]).max()


def test_upsampling_covers_every_pixel_and_keeps_a_constant() -> None:
    np.testing.assert_allclose(upsample_occlusion(np.full((13, 13), 0.25, np.float32)), 0.25)
    single = np.zeros((13, 13), np.float32)
    single[0, 0] = 1
    pixels = upsample_occlusion(single)
    assert pixels[0, 0] == 1 and pixels[3, 3] == 0.25 and pixels[4, 4] == 0
