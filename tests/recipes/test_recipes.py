"""Every published recipe matches its tutorial; overrides change what they name and reject bad values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mnist_core.data.augmentation import AUGMENTATIONS
from mnist_core.data.splits import SPLITS
from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling
from mnist_core.recipes.overrides import apply_overrides, overrides_for, parse_override, setting_rules
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


def test_our_own_recipes_exist_and_canvas_comes_first() -> None:
    assert set(RECIPES) - set(TABLE) == {"canvas", "fast", "best"}
    assert list(RECIPES)[0] == DEFAULT_RECIPE == "canvas"
    assert all(recipe.name == name and recipe.title and recipe.source for name, recipe in RECIPES.items())


def test_the_fast_recipe_is_one_short_epoch() -> None:
    assert RECIPES["fast"].parameters == 215_194
    assert (FAST.epochs, FAST.batch_size, FAST.schedule, FAST.beta_1, FAST.beta_2) == (1, 256, "one-cycle", 0.7, 0.9)


def test_names_of_splits_augmentations_and_optimizers_are_known() -> None:
    assert set(SPLIT_NAMES) == set(SPLITS)
    assert {recipe.settings.augmentation for recipe in RECIPES.values()} <= set(AUGMENTATIONS)
    assert OPTIMIZERS == {"SGD": 0.01, "RMSprop": 0.001, "Adam": 0.001, "AdamW": 0.001}


def test_an_unknown_recipe_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingError, match="'fasst'.* canvas, fleming-cnn"):
        find_recipe("fasst")
    assert find_recipe("fast") is RECIPES["fast"]


def test_an_override_changes_only_its_setting() -> None:
    changed = apply_overrides(FAST, {"epochs": 3, "optimizer": "SGD", "learning_rate": 1})
    assert changed == replace(FAST, epochs=3, optimizer="SGD", learning_rate=1)
    assert apply_overrides(FAST, {}) == FAST
    assert FAST.epochs == 1


def test_overriding_dropout_changes_the_layers() -> None:
    changed = apply_overrides(FAST, {"dropout": 0.4})
    assert changed.dropout == 0.4 and FAST.dropout == 0
    assert [layer for layer in changed.layers if not isinstance(layer, Dropout)] == list(FAST.layers)
    assert apply_overrides(RECIPES["zepeda-cnn"].settings, {"dropout": 0}).dropout == 0


def test_overriding_uncentered_makes_the_input_larger() -> None:
    assert apply_overrides(FAST, {"uncentered": True}).architecture == Architecture(FAST.layers, 56)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"epochs": 3},
        {"dropout": 0.25},
        {"learning_rate": 0.02, "schedule": "cosine", "uncentered": True, "augmentation": "hand"},
    ],
)
def test_overrides_are_recovered_from_the_settings(overrides: dict[str, Any]) -> None:
    assert overrides_for(apply_overrides(FAST, overrides), FAST) == overrides


def test_overrides_with_the_values_of_the_recipe_disappear() -> None:
    assert overrides_for(apply_overrides(FAST, {"epochs": 1, "batch_size": 256}), FAST) == {}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"epochs": 0}, "epochs is 0, .* 1 to 1,000"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"epochs": True}, "epochs is True"),
        ({"epochs": None}, "epochs is None"),
        ({"batch_size": 60_001}, "batch_size is 60001"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1, .* 0 .* 10"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"learning_rate": 10**400}, "learning_rate is 1000"),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1'"),
        ({"optimizer": "adam"}, "optimizer is 'adam', .* SGD, RMSprop, Adam, AdamW"),
        ({"split": "none"}, "split is 'none'"),
        ({"augmentation": "mirror"}, "augmentation is 'mirror'"),
        ({"dropout": 0.99}, "dropout is 0.99, .* 0 to 0.95"),
        ({"beta_1": 1}, "beta_1 is 1"),
        ({"uncentered": 1}, "uncentered is 1"),
        ({"momentum": 1}, "momentum is 1, .* 0 to 0.9999"),
        ({"nesterov": 1}, "nesterov is 1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"gradient_clipping": float("inf")}, "gradient_clipping is inf"),
        ({"loss": "mse"}, "loss is 'mse', .* cross-entropy, focal, squared-error, hinge"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing is 0.1, .*hinge"),
        ({"batch_normalization_momentum": 1.5}, "batch_normalization_momentum is 1.5"),
        ({"layer": ()}, "'layer'.* batch_size, epochs"),
        ({"epoch": 1}, "'epoch'.* batch_size, epochs"),
    ],
)
def test_a_bad_override_is_an_error_with_its_name_and_value(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        apply_overrides(FAST, overrides)


def test_invalid_settings_cannot_be_made() -> None:
    with pytest.raises(SettingError, match="epochs is 0"):
        replace(FAST, epochs=0)
    with pytest.raises(ArchitectureError, match="Flatten"):
        Settings((Dense(10, "softmax"),), 32, 1)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("epochs=3", ("epochs", 3)),
        ("learning_rate=1", ("learning_rate", 1)),
        ("learning_rate=1e-4", ("learning_rate", 1e-4)),
        ("optimizer=SGD", ("optimizer", "SGD")),
        ("uncentered=true", ("uncentered", True)),
        ("uncentered=False", ("uncentered", False)),
        ("one_hot=TRUE", ("one_hot", True)),
        ("dropout=0", ("dropout", 0)),
        ("dropout=0.3", ("dropout", 0.3)),
        ("schedule=one-cycle", ("schedule", "one-cycle")),
        ("schedule=step", ("schedule", "step")),
        ("warm_up=0.1", ("warm_up", 0.1)),
        ("decay_epochs=3", ("decay_epochs", 3)),
        ("nesterov=true", ("nesterov", True)),
        ("gradient_clipping=1", ("gradient_clipping", 1)),
        ("loss=squared-error", ("loss", "squared-error")),
        ("kernel_initializer=he_normal", ("kernel_initializer", "he_normal")),
        ("batch_normalization_momentum=0.9", ("batch_normalization_momentum", 0.9)),
    ],
)
def test_an_override_is_parsed_from_text(text: str, setting: tuple[str, Any]) -> None:
    name, value = parse_override(text)
    assert (name, value, type(value)) == (*setting, type(setting[1]))
    apply_overrides(FAST, {name: value})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs", "KEY=VALUE .* 'epochs'"),
        ("", "KEY=VALUE .* ''"),
        ("=3", "KEY=VALUE .* '=3'"),
        ("epoch=3", "KEY=VALUE .* batch_size, epochs.* 'epoch=3'"),
        ("layers=3", "KEY=VALUE .* 'layers=3'"),
        ("epochs=", "epochs is ''"),
        ("epochs=0", "epochs is '0', .* 1 to 1,000"),
        ("epochs=2.0", "epochs is '2.0'"),
        ("epochs=true", "epochs is 'true'"),
        ("learning_rate=nan", "learning_rate is 'nan'"),
        ("learning_rate=-1", "learning_rate is '-1'"),
        ("learning_rate=fast", "learning_rate is 'fast'"),
        ("learning_rate=" + "9" * 5000, "learning_rate is"),
        ("optimizer=sgd", "optimizer is 'sgd'"),
        ("uncentered=1", "uncentered is '1'"),
    ],
)
def test_bad_text_is_an_error_with_the_setting_and_value(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        parse_override(text)


def test_every_setting_can_be_overridden_with_its_own_value() -> None:
    for recipe in RECIPES.values():
        own = {name: getattr(recipe.settings, name) for name in setting_rules()}
        assert apply_overrides(recipe.settings, {**own, "dropout": recipe.settings.dropout}) is not None
        assert overrides_for(apply_overrides(recipe.settings, own), recipe.settings) == {}


def test_drawings_cannot_be_mixed_with_uncentered_digits() -> None:
    with pytest.raises(SettingError, match="drawings.* none"):
        apply_overrides(find_recipe("canvas").settings, {"uncentered": True})
