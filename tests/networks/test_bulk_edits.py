"""Edits of all layers of a kind change these layers and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_core.errors import SettingError
from mnist_core.networks.bulk_edits import MIXED, with_initializer, with_normalization_momentum
from mnist_core.networks.layers import INITIALIZERS, BatchNormalization, Conv2D, Dense, Dropout, Flatten
from mnist_core.recipes.overrides import apply_overrides, overrides_for
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.training.model import make_model

LAYERS = (
    Conv2D(3, 5, use_bias=False),
    BatchNormalization(epsilon=0.01),
    Dropout(0.1),
    Flatten(),
    Dense(8, "relu", kernel_initializer="he_normal"),
    Dense(10, "softmax"),
)
SETTINGS = Settings(LAYERS, 32, 1)


def test_the_initializer_of_all_layers_is_changed() -> None:
    changed = with_initializer(LAYERS, "he_uniform")
    assert changed == (
        Conv2D(3, 5, use_bias=False, kernel_initializer="he_uniform"),
        *LAYERS[1:4],
        Dense(8, "relu", kernel_initializer="he_uniform"),
        Dense(10, "softmax", kernel_initializer="he_uniform"),
    )
    assert with_initializer(LAYERS, MIXED) == LAYERS


def test_the_momentum_of_all_batch_normalizations_is_changed() -> None:
    changed = with_normalization_momentum(LAYERS, 0.8)
    assert changed[1] == BatchNormalization(0.8, 0.01) and changed[0:1] + changed[2:] == LAYERS[0:1] + LAYERS[2:]
    assert with_normalization_momentum(LAYERS[2:], 0.8) == LAYERS[2:]


def test_settings_report_what_their_layers_share() -> None:
    assert (SETTINGS.kernel_initializer, SETTINGS.batch_normalization_momentum) == (MIXED, 0.99)
    changed = apply_overrides(
        SETTINGS, {"kernel_initializer": "zeros", "batch_normalization_momentum": 0.5, "dropout": 0.3}
    )
    assert (changed.kernel_initializer, changed.batch_normalization_momentum, changed.dropout) == ("zeros", 0.5, 0.3)
    assert RECIPES["brownlee-mlp"].settings.kernel_initializer == "random_normal"


@pytest.mark.parametrize(
    "overrides",
    [
        {"kernel_initializer": "he_normal"},
        {"batch_normalization_momentum": 0.9},
        {"kernel_initializer": "glorot_normal", "dropout": 0.45},
    ],
)
def test_overrides_are_recovered_from_the_settings(overrides: dict[str, Any]) -> None:
    base = RECIPES["canvas"].settings
    assert overrides_for(apply_overrides(base, overrides), base) == overrides


def test_mixed_initializers_are_left_alone() -> None:
    assert apply_overrides(SETTINGS, {"kernel_initializer": MIXED}) == SETTINGS


def test_an_unknown_initializer_is_rejected() -> None:
    with pytest.raises(SettingError, match="kernel_initializer is 'he', .*glorot_uniform"):
        apply_overrides(SETTINGS, {"kernel_initializer": "he"})


@pytest.mark.usefixtures("keras")
def test_initial_weights_have_the_deviation_that_the_papers_give() -> None:
    """For the kernel of a Dense layer with 1,352 inputs and 400 units."""
    layers = (Conv2D(2, 3), Flatten(), Dense(400, "relu"), Dense(10, "softmax"))
    inputs, units = 26 * 26 * 2, 400
    deviations = {
        "glorot_uniform": np.sqrt(2 / (inputs + units)),
        "glorot_normal": np.sqrt(2 / (inputs + units)),
        "he_uniform": np.sqrt(2 / inputs),
        "he_normal": np.sqrt(2 / inputs),
        "random_normal": 0.05,
        "zeros": 0.0,
    }
    assert set(deviations) == set(INITIALIZERS)
    for name, deviation in deviations.items():
        model = make_model(Settings(with_initializer(layers, name), 32, 1), 0)
        weights = model.layers[2].get_weights()[0]
        assert weights.shape == (inputs, units)
        assert weights.std() == pytest.approx(deviation, rel=0.01), name
