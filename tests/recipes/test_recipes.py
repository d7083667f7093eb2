"""Every published recipe matches its tutorial; overrides change what they name and reject bad values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mnist_core.data.augmentation import AUGMENTATIONS
from mnist_core.data.splits import SPLITS
from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling
from mnist_core.recipes.recipes import DEFAULT_RECIPE, RECIPES, find_recipe
from mnist_core.recipes.settings import OPTIMIZERS, SPLIT_NAMES, Settings
from mnist_core.training.model import make_model

SCALED, RAW = True, False
CATEGORICAL, SPARSE = True, False

TABLE: dict[str, tuple[Any, ...]] = {
    "fleming-cnn": (93_322, 28, SCALED, "RMSprop", CATEGORICAL, 64, 5, "last-sixth"),
    "zepeda-cnn": (59_933, 28, SCALED, "Adam", CATEGORICAL, 200, 5, "test-as-validation"),
    "lesson08-mlp": (535_818, 28, SCALED, "Adam", SPARSE, 1024, 20, "half-test"),
    "lesson08-cnn": (72_842, 28, SCALED, "Adam", SPARSE, 256, 20, "half-test"),
    "lesson08-uncentered-mlp": (1_740_042, 56, SCALED, "Adam", SPARSE, 1024, 20, "half-test"),
    "lesson08-uncentered-cnn": (164_708, 56, SCALED, "Adam", SPARSE, 256, 20, "half-test"),
    "singh-mlp": (71_626, 28, RAW, "Adam", CATEGORICAL, 32, 10, "last-fifth"),
    "brownlee-mlp": (623_290, 28, SCALED, "Adam", CATEGORICAL, 200, 10, "test-as-validation"),
    "brownlee-cnn": (592_074, 28, SCALED, "Adam", CATEGORICAL, 200, 10, "test-as-validation"),
}
"""Parameters, input size, scaling, optimizer, labels, batch size, epochs and split by recipe, as in the tutorials."""

LAYERS = {
    "fleming-cnn": "C32k3 P2 C64k3 P2 C64k3 F D64 S10",
    "zepeda-cnn": "C30k5 P2 C15k3 P2 drop.2 F D128 D50 S10",
    "lesson08-mlp": "F D512 D256 S10",
    "lesson08-cnn": "C32k3s P2 C64k3 P2 C64k3 P2 F D64 S10",
    "lesson08-uncentered-mlp": "F D512 D256 S10",
    "lesson08-uncentered-cnn": "C32k3 P2 C64k3 P2 C64k3 P2 F D64 S100",
    "singh-mlp": "F D64 D64 D128 D64 S10",
    "brownlee-mlp": "F D784 S10",
    "brownlee-cnn": "C32k5 P2 drop.2 F D128 S10",
}
"""The layers by recipe: C32k3s is a convolution with 32 filters, kernel size 3 and padding `same`."""

PUBLISHED = {
    "fleming-cnn": (0.992, "test", 0.003),
    "zepeda-cnn": (0.9906, "test", 0.003),
    "lesson08-mlp": (0.9826, "validation", 0.003),
    "lesson08-cnn": (0.9918, "validation", 0.003),
    "lesson08-uncentered-mlp": (0.8926, "validation", 0.015),
    "lesson08-uncentered-cnn": (0.9814, "validation", 0.005),
    "singh-mlp": (0.9574, "validation", 0.007),
    "brownlee-mlp": (0.9808, "test", 0.003),
    "brownlee-cnn": (0.987, "test", 0.0),
}
"""Published accuracy, the images that it was measured on, and tolerance by recipe."""

FAST = RECIPES["fast"].settings


def layer_notation(layer: Any) -> str:
    """Writes a layer in the notation of LAYERS."""
    match layer:
        case Conv2D(strides=1, activation="relu"):
            return f"C{layer.filters}k{layer.kernel_size}" + ("s" if layer.padding == "same" else "")
        case MaxPooling2D(strides=None, padding="valid"):
            return f"P{layer.pool_size}"
        case Dropout():
            return f"drop{layer.rate:g}".replace("0.", ".")
        case Flatten():
            return "F"
        case Dense(activation="relu"):
            return f"D{layer.units}"
        case Dense(activation="softmax"):
            return f"S{layer.units}"
    raise ValueError(layer)


def test_the_tables_contain_every_published_recipe() -> None:
    assert {name for name, recipe in RECIPES.items() if recipe.published} == set(TABLE) == set(LAYERS) == set(PUBLISHED)


@pytest.mark.parametrize("name", TABLE)
def test_a_published_recipe_matches_its_tutorial(name: str) -> None:
    parameters, input_size, scaled, optimizer, categorical, batch_size, epochs, split = TABLE[name]
    recipe, settings = RECIPES[name], RECIPES[name].settings
    layers = [layer for layer in settings.layers if not isinstance(layer, Rescaling)]
    assert " ".join(map(layer_notation, layers)) == LAYERS[name]
    assert recipe.parameters == parameters
    assert settings.layers[: len(settings.layers) - len(layers)] == ((Rescaling(1 / 255),) if scaled else ())
    assert (settings.architecture.input_size, settings.uncentered) == (input_size, input_size == 56)
    assert (settings.optimizer, settings.learning_rate) == (optimizer, 0.001)
    assert (settings.one_hot, settings.batch_size) == (categorical, batch_size)
    assert (settings.epochs, settings.split) == (epochs, split)
    assert (settings.schedule, settings.augmentation) == ("constant", "none")
    assert (settings.weight_averaging, settings.label_smoothing) == (0, 0)
    assert (settings.beta_1, settings.beta_2) == (0.9, 0.999)
    kernels = {layer.kernel_initializer for layer in layers if isinstance(layer, (Conv2D, Dense))}
    assert kernels == {"random_normal" if name == "brownlee-mlp" else "glorot_uniform"}


def test_published_accuracies_and_tolerances_match_the_table() -> None:
    for name, expected in PUBLISHED.items():
        published = RECIPES[name].published
        assert published is not None
        assert (published.accuracy, published.measured_on, published.tolerance) == expected, name


@pytest.mark.usefixtures("keras")
def test_keras_counts_the_same_parameters() -> None:
    for name, recipe in RECIPES.items():
        model = build_model(recipe.settings.architecture)
        assert model.count_params() == recipe.parameters
        assert name not in TABLE or model.count_params() == TABLE[name][0]


def test_the_compiled_model_has_the_optimizer_and_loss_of_the_table(keras: Any) -> None:
    varying = ("name", "learning_rate")
    for name, (_, _, _, optimizer_name, categorical, *_) in TABLE.items():
        model = make_model(RECIPES[name].settings, 0)
        default = getattr(keras.optimizers, optimizer_name)()
        ours, theirs = (
            {key: value for key, value in optimizer.get_config().items() if key not in varying}
            for optimizer in (model.optimizer, default)
        )
        assert type(model.optimizer) is type(default) and ours == theirs
        assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
        loss = keras.losses.CategoricalCrossentropy if categorical else keras.losses.SparseCategoricalCrossentropy
        assert type(model.loss) is loss


def test_our_own_recipes_exist_and_the_one_whose_curve_moves_at_once_comes_first() -> None:
    assert set(RECIPES) - set(TABLE) == {"canvas", "fast", "best"}
    assert list(RECIPES)[0] == DEFAULT_RECIPE == "fast"
    assert all(recipe.name == name and recipe.title and recipe.source for name, recipe in RECIPES.items())


def test_the_fast_recipe_is_one_short_epoch() -> None:
    assert RECIPES["fast"].parameters == 107_482
    assert (FAST.epochs, FAST.batch_size, FAST.schedule, FAST.beta_1, FAST.beta_2) == (1, 256, "one-cycle", 0.7, 0.9)


def test_names_of_splits_augmentations_and_optimizers_are_known() -> None:
    assert set(SPLIT_NAMES) == set(SPLITS)
    assert {recipe.settings.augmentation for recipe in RECIPES.values()} <= set(AUGMENTATIONS)
    assert OPTIMIZERS == {"SGD": 0.01, "RMSprop": 0.001, "Adam": 0.001, "AdamW": 0.001}


def test_an_unknown_recipe_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingError, match="'fasst'.* fast, fleming-cnn"):
        find_recipe("fasst")
    assert find_recipe("fast") is RECIPES["fast"]


def test_invalid_settings_cannot_be_made() -> None:
    with pytest.raises(SettingError, match="epochs is 0"):
        replace(FAST, epochs=0)
    with pytest.raises(ArchitectureError, match="Flatten"):
        Settings((Dense(10, "softmax"),), 32, 1)
