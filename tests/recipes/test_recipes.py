"""Every recipe against the table it was copied from, by hand and with Keras; overrides, and what is refused."""

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

# recipe: parameters, side, scaled, optimizer, loss, batch size, epochs, split; as the tutorials have them
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

# the layers in the table's own notation, `s` for padding `same`
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

# published accuracy, measured on, tolerance
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

FAST = RECIPES["fast"].settings


def written(layer: Any) -> str:
    """A layer in the table's notation."""
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


def test_the_published_ones_are_those_of_the_table() -> None:
    assert {name for name, recipe in RECIPES.items() if recipe.published} == set(TABLE) == set(LAYERS) == set(PUBLISHED)


@pytest.mark.parametrize("name", TABLE)
def test_published_recipe_is_as_its_tutorial_has_it(name: str) -> None:
    parameters, side, scaled, optimizer, categorical, batch_size, epochs, split = TABLE[name]
    recipe, how = RECIPES[name], RECIPES[name].settings
    layers = [layer for layer in how.layers if not isinstance(layer, Rescaling)]
    assert " ".join(map(written, layers)) == LAYERS[name]
    assert recipe.parameters == parameters
    assert how.layers[: len(how.layers) - len(layers)] == ((Rescaling(1 / 255),) if scaled else ())
    assert (how.architecture.input_size, how.uncentered) == (side, side == 56)
    assert (how.optimizer, how.learning_rate) == (optimizer, 0.001)
    assert (how.one_hot, how.batch_size, how.epochs, how.split) == (categorical, batch_size, epochs, split)
    assert (how.schedule, how.augmentation) == ("constant", "none")
    assert (how.weight_averaging, how.label_smoothing, how.beta_1, how.beta_2) == (0, 0, 0.9, 0.999)
    kernels = {layer.kernel_initializer for layer in layers if isinstance(layer, (Conv2D, Dense))}
    assert kernels == {"random_normal" if name == "brownlee-mlp" else "glorot_uniform"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figure_and_tolerance(name: str) -> None:
    published = RECIPES[name].published
    assert published is not None
    assert (published.accuracy, published.measured_on, published.tolerance) == PUBLISHED[name]


@pytest.mark.parametrize("name", RECIPES)
def test_keras_counts_the_same_parameters(keras: Any, name: str) -> None:
    model = build_model(RECIPES[name].settings.architecture)
    assert model.count_params() == RECIPES[name].parameters
    if name in TABLE:
        assert model.count_params() == TABLE[name][0]


@pytest.mark.parametrize("name", TABLE)
def test_keras_gets_the_optimizer_and_loss_of_the_table(keras: Any, name: str) -> None:
    model = make_model(RECIPES[name].settings, 0)
    optimizer = getattr(keras.optimizers, TABLE[name][3])()
    varying = ("name", "learning_rate")
    ours, theirs = (
        {key: value for key, value in made.get_config().items() if key not in varying}
        for made in (model.optimizer, optimizer)
    )
    assert type(model.optimizer) is type(optimizer) and ours == theirs
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    loss = keras.losses.CategoricalCrossentropy if TABLE[name][4] else keras.losses.SparseCategoricalCrossentropy
    assert type(model.loss) is loss


def test_ours_are_there_and_canvas_comes_first() -> None:
    assert set(RECIPES) - set(TABLE) == {"canvas", "fast", "best"}
    assert list(RECIPES)[0] == DEFAULT_RECIPE == "canvas"
    assert all(recipe.name == name and recipe.title and recipe.source for name, recipe in RECIPES.items())


def test_fast_has_the_parameters_of_the_recipe_it_races() -> None:
    assert RECIPES["fast"].parameters == 215_194
    assert (FAST.epochs, FAST.batch_size, FAST.schedule, FAST.beta_1, FAST.beta_2) == (1, 256, "one-cycle", 0.7, 0.9)


def test_names_of_splits_and_augmentations_are_those_that_exist() -> None:
    assert set(SPLIT_NAMES) == set(SPLITS)
    assert {recipe.settings.augmentation for recipe in RECIPES.values()} <= set(AUGMENTATIONS)
    assert OPTIMIZERS == {"SGD": 0.01, "RMSprop": 0.001, "Adam": 0.001, "AdamW": 0.001}


def test_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="no recipe 'fasst'. Known: canvas, fleming-cnn"):
        find_recipe("fasst")
    assert find_recipe("fast") is RECIPES["fast"]


def test_override_changes_what_it_names_and_nothing_else() -> None:
    changed = apply_overrides(FAST, {"epochs": 3, "optimizer": "SGD", "learning_rate": 1})
    assert changed == replace(FAST, epochs=3, optimizer="SGD", learning_rate=1)
    assert apply_overrides(FAST, {}) == FAST
    assert FAST.epochs == 1


def test_override_of_dropout_changes_the_layers() -> None:
    changed = apply_overrides(FAST, {"dropout": 0.4})
    assert changed.dropout == 0.4 and FAST.dropout == 0
    assert [layer for layer in changed.layers if not isinstance(layer, Dropout)] == list(FAST.layers)
    assert apply_overrides(RECIPES["zepeda-cnn"].settings, {"dropout": 0}).dropout == 0


def test_override_to_uncentered_takes_larger_images() -> None:
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
def test_differences_are_the_overrides(overrides: dict[str, Any]) -> None:
    assert overrides_for(apply_overrides(FAST, overrides), FAST) == overrides


def test_differences_of_settings_to_their_own_values_are_none() -> None:
    assert overrides_for(apply_overrides(FAST, {"epochs": 1, "batch_size": 256}), FAST) == {}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"epochs": 0}, "epochs is 0, expected a whole number from 1 to 1,000"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"epochs": True}, "epochs is True"),
        ({"epochs": None}, "epochs is None"),
        ({"batch_size": 60_001}, "batch_size is 60001"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1, expected a number above 0 and at most 10"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"learning_rate": 10**400}, "learning_rate is 1000"),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1'"),
        ({"optimizer": "adam"}, "optimizer is 'adam', expected one of SGD, RMSprop, Adam, AdamW"),
        ({"split": "none"}, "split is 'none'"),
        ({"augmentation": "mirror"}, "augmentation is 'mirror'"),
        ({"dropout": 0.99}, "dropout is 0.99, expected a number from 0 to 0.95"),
        ({"beta_1": 1}, "beta_1 is 1"),
        ({"uncentered": 1}, "uncentered is 1"),
        ({"momentum": 1}, "momentum is 1, expected a number from 0 to 0.9999"),
        ({"nesterov": 1}, "nesterov is 1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"gradient_clipping": float("inf")}, "gradient_clipping is inf"),
        ({"loss": "mse"}, "loss is 'mse', expected one of cross-entropy, focal, squared-error, hinge"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing is 0.1, but the loss hinge"),
        ({"batch_normalization_momentum": 1.5}, "batch_normalization_momentum is 1.5"),
        ({"layer": ()}, "no setting 'layer'. Known: batch_size, epochs"),
        ({"epoch": 1}, "no setting 'epoch'"),
    ],
)
def test_override_refuses(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        apply_overrides(FAST, overrides)


def test_settings_check_themselves() -> None:
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
def test_override_as_text(text: str, setting: tuple[str, Any]) -> None:
    name, value = parse_override(text)
    assert (name, value, type(value)) == (*setting, type(setting[1]))
    apply_overrides(FAST, {name: value})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs", "Expected KEY=VALUE .* got 'epochs'"),
        ("", "got ''"),
        ("=3", "Expected KEY=VALUE"),
        ("epoch=3", "Expected KEY=VALUE with one of batch_size, epochs"),
        ("layers=3", "Expected KEY=VALUE"),
        ("epochs=", "epochs is ''"),
        ("epochs=0", "epochs is '0', expected a whole number from 1"),
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
def test_override_as_text_refused(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        parse_override(text)


def test_every_scalar_setting_can_be_overridden_with_the_value_it_has() -> None:
    for recipe in RECIPES.values():
        own = {name: getattr(recipe.settings, name) for name in setting_rules()}
        assert apply_overrides(recipe.settings, {**own, "dropout": recipe.settings.dropout}) is not None
        assert overrides_for(apply_overrides(recipe.settings, own), recipe.settings) == {}


def test_drawings_do_not_mix_with_uncentered_digits() -> None:
    with pytest.raises(SettingError, match="set drawings to none"):
        apply_overrides(find_recipe("canvas").settings, {"uncentered": True})
