"""Overrides change only the settings that they name, are recovered from settings, and reject bad values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.networks.architecture import Architecture, layers_to_json
from mnist_core.networks.layers import Dense, Dropout, Flatten, Rescaling
from mnist_core.recipes.overrides import apply_overrides, overrides_for, parse_override, setting_rules
from mnist_core.recipes.recipes import RECIPES, find_recipe

FAST = RECIPES["fast"].settings
SMALL = (Rescaling(1 / 255), Flatten(), Dense(16, "relu"), Dense(10, "softmax"))


def test_overrides_contain_the_layers_only_if_more_than_dropout_differs() -> None:
    base = RECIPES["zepeda-cnn"].settings
    own = apply_overrides(base, {"layers": layers_to_json(SMALL), "epochs": 3})
    assert overrides_for(own, base) == {"layers": layers_to_json(SMALL), "epochs": 3}
    assert overrides_for(apply_overrides(base, {"dropout": 0.4}), base) == {"dropout": 0.4}
    with pytest.raises(ArchitectureError, match="Lambda"):
        apply_overrides(base, {"layers": [{"layer": "Lambda"}]})


def test_dropout_applies_to_a_custom_network() -> None:
    settings = apply_overrides(FAST, {"layers": layers_to_json(SMALL), "dropout": 0.5})
    assert settings.layers == (*SMALL[:3], Dropout(0.5), SMALL[3])


def test_an_override_changes_only_its_setting() -> None:
    changed = apply_overrides(FAST, {"epochs": 3, "optimizer": "SGD", "learning_rate": 1})
    assert changed == replace(FAST, epochs=3, optimizer="SGD", learning_rate=1)
    assert apply_overrides(FAST, {}) == FAST
    assert FAST.epochs == 1


def test_whole_numbers_are_floats_where_a_setting_is_a_number() -> None:
    changed = apply_overrides(FAST, {"learning_rate": 1, "time_budget": 60, "epochs": 3})
    assert repr((changed.learning_rate, changed.time_budget, changed.epochs)) == "(1.0, 60.0, 3)"


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
