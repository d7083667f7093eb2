"""x"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.fields import Choice, Integer, Number, rule_of
from mnist_core.networks.architecture import LAYERS_KEY, MAX_LAYERS, layers_from_json, layers_to_json
from mnist_core.networks.bulk_edits import (
    MIXED,
    with_dropout,
    with_initializer,
    with_normalization_momentum,
)
from mnist_core.networks.layers import (
    INITIALIZERS,
    Layer,
)
from mnist_core.recipes.settings import Settings

_VIRTUAL: dict[str, tuple[Number | Choice, Callable[[tuple[Layer, ...], Any], tuple[Layer, ...]]]] = {
    "dropout": (Number(0, 0.95), with_dropout),
    "kernel_initializer": (Choice((*INITIALIZERS, MIXED)), with_initializer),
    "batch_normalization_momentum": (Number(0, 1), with_normalization_momentum),
}
"""Settings that stand for a change of the layers: what they may hold, and the change."""
LAYER_SETTINGS = tuple(_VIRTUAL)
"""Their names: what a network of one's own says layer by layer."""


def setting_rules() -> dict[str, Integer | Number | Choice]:
    """What each setting that can be overridden may hold: every scalar of Settings, and those of the layers."""
    rules = {described.name: rule for described in fields(Settings) if (rule := rule_of(described)) is not None}
    return {**rules, **{name: rule for name, (rule, _) in _VIRTUAL.items()}}


def apply_overrides(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """The settings with some of them changed.

    Args:
        settings: what to begin with.
        overrides: setting -> value; NETWORK replaces all layers; `dropout`, `kernel_initializer` and
            `batch_normalization_momentum` set those of every layer that has one.

    Raises:
        SettingError: for an unknown setting or a value out of range.
        ArchitectureError: where the changed network cannot work.
    """
    rules = setting_rules()
    for name, value in overrides.items():
        if name == LAYERS_KEY:
            continue  # from_json says what is wrong with it
        if name not in rules:
            raise SettingError(f"There is no setting {name!r}. Known: {', '.join(rules)}.")
        if not rules[name].accepts(value):
            raise SettingError(f"{name} is {value!r}, expected {rules[name]}.")
    plain = {name: value for name, value in overrides.items() if name not in _VIRTUAL}
    return replace(settings, **{**plain, "layers": _layers(settings, overrides)})


def _layers(settings: Settings, overrides: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers of the settings with some of them changed."""
    layers = layers_from_json(overrides[LAYERS_KEY]) if LAYERS_KEY in overrides else settings.layers
    for name, (_, change) in _VIRTUAL.items():
        if name in overrides:
            layers = change(layers, overrides[name])
    return layers


def is_valid_override(name: str, value: object) -> bool:
    """Whether a setting may be overridden with this value, as far as can be said of it alone."""
    if name == LAYERS_KEY:
        try:
            return 1 <= len(layers_from_json(value)) <= MAX_LAYERS
        except ArchitectureError:
            return False
    rules = setting_rules()
    return name in rules and rules[name].accepts(value)


def overrides_for(settings: Settings, base: Settings) -> dict[str, Any]:
    """The overrides that make `settings` of `base`: scalars, and the whole network where these do not make it."""
    found = {
        name: getattr(settings, name) for name in setting_rules() if getattr(settings, name) != getattr(base, name)
    }
    if _layers(base, found) == settings.layers:
        return found
    scalars = {name: value for name, value in found.items() if name not in _VIRTUAL}
    return {LAYERS_KEY: layers_to_json(settings.layers), **scalars}


def parse_override(text: str) -> tuple[str, Any]:
    """`KEY=VALUE` of a command line as a setting and its value.

    Raises:
        SettingError: where it is not of that form, or the value is not of the setting's kind.
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
