"""Overrides: settings that differ from a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.fields import Choice, Integer, Number, rule_of
from mnist_core.networks.architecture import LAYERS_KEY, MAX_LAYERS, layers_from_json, layers_to_json
from mnist_core.networks.bulk_edits import MIXED, with_dropout, with_initializer, with_normalization_momentum
from mnist_core.networks.layers import INITIALIZERS, Layer
from mnist_core.recipes.settings import Settings

_LAYER_RULES: dict[str, tuple[Number | Choice, Callable[[tuple[Layer, ...], Any], tuple[Layer, ...]]]] = {
    "dropout": (Number(0, 0.95), with_dropout),
    "kernel_initializer": (Choice((*INITIALIZERS, MIXED)), with_initializer),
    "batch_normalization_momentum": (Number(0, 1), with_normalization_momentum),
}
"""Settings that change all layers of a kind: their rule and the function that applies them."""
LAYER_SETTINGS = tuple(_LAYER_RULES)
"""Names of the settings that change layers. They do not apply to a network that was built layer by layer."""


def setting_rules() -> dict[str, Integer | Number | Choice]:
    """Returns the rule of every setting that can be overridden: the scalars of Settings and LAYER_SETTINGS."""
    rules = {described.name: rule for described in fields(Settings) if (rule := rule_of(described)) is not None}
    return {**rules, **{name: rule for name, (rule, _) in _LAYER_RULES.items()}}


def apply_overrides(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Returns settings with overrides applied.

    Args:
        settings: of the recipe.
        overrides: values by setting. LAYERS_KEY replaces all layers; LAYER_SETTINGS change every layer of a kind.

    Raises:
        SettingError: a setting is unknown or a value is out of range.
        ArchitectureError: the resulting network cannot be built.
    """
    rules = setting_rules()
    for name, value in overrides.items():
        if name == LAYERS_KEY:
            continue  # checked by layers_from_json
        if name not in rules:
            raise SettingError(f"There is no setting {name!r}. Known: {', '.join(rules)}.")
        if not rules[name].accepts(value):
            raise SettingError(f"{name} is {value!r}, expected {rules[name]}.")
    plain = {name: value for name, value in overrides.items() if name not in _LAYER_RULES}
    return replace(settings, **{**plain, "layers": _overridden_layers(settings, overrides)})


def _overridden_layers(settings: Settings, overrides: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Returns the layers of settings with overrides applied."""
    layers = layers_from_json(overrides[LAYERS_KEY]) if LAYERS_KEY in overrides else settings.layers
    for name, (_, change) in _LAYER_RULES.items():
        if name in overrides:
            layers = change(layers, overrides[name])
    return layers


def is_valid_override(name: str, value: object) -> bool:
    """True if a setting may have this value; other settings may still conflict with it."""
    if name == LAYERS_KEY:
        try:
            return 1 <= len(layers_from_json(value)) <= MAX_LAYERS
        except ArchitectureError:
            return False
    rules = setting_rules()
    return name in rules and rules[name].accepts(value)


def overrides_for(settings: Settings, base: Settings) -> dict[str, Any]:
    """Returns the overrides that turn `base` into `settings`.

    Contains all layers only if LAYER_SETTINGS cannot express the difference.
    """
    changed = {
        name: getattr(settings, name) for name in setting_rules() if getattr(settings, name) != getattr(base, name)
    }
    if _overridden_layers(base, changed) == settings.layers:
        return changed
    scalars = {name: value for name, value in changed.items() if name not in _LAYER_RULES}
    return {LAYERS_KEY: layers_to_json(settings.layers), **scalars}


def add_overrides(overrides: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """Adds settings of the form `KEY=VALUE` to those of other options.

    Raises:
        SettingError: as in `parse_override`, or a setting is given twice.
    """
    merged = dict(overrides)
    for text in texts:
        name, value = parse_override(text)
        if name in merged:
            raise SettingError(f"{name} is given twice: {merged[name]} and {value}. Give it once.")
        merged[name] = value
    return merged


def parse_override(text: str) -> tuple[str, Any]:
    """Parses `KEY=VALUE` from a command line.

    Raises:
        SettingError: the text has another form, the setting is unknown, or the value is out of range.
    """
    name, equals, value = text.partition("=")
    rules = setting_rules()
    if not equals or name not in rules:
        raise SettingError(f"Expected KEY=VALUE with one of {', '.join(rules)}; got {text!r}.")
    rule = rules[name]
    candidates: list[Any] = [value, {"true": True, "false": False}.get(value.lower())]
    for kind in (int, float):
        try:
            candidates.append(kind(value))
        except ValueError:
            continue
    for candidate in candidates:
        if candidate is not None and rule.accepts(candidate):
            return name, candidate
    raise SettingError(f"{name} is {value!r}, expected {rule}.")
