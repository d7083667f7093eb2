"""What a run trains: recipe, overrides, data and seed, stored in spec.json."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from mnist_core.errors import DigitLabError, RunError, SettingError
from mnist_core.fields import MEASURED, TIMESTAMP, Integer, Rule, Text, shorten
from mnist_core.networks import architecture
from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import find_recipe
from mnist_core.recipes.settings import Settings

SCHEMA = 1
"""Version of spec.json that this code reads and writes."""
OWN = "own"
"""Stands for the recipe's name in run ids and tables when the user built the network."""
MAX_SEED = 2**31 - 1
_TEXT = Text(1_000)


@dataclass(frozen=True)
class RunSpec:
    """What to train. All settings are written out, so a run stays readable when its recipe changes.

    Attributes:
        recipe: name of the recipe, a key of RECIPES.
        settings: everything that decides how the model is trained.
        data: `full`, `sample` or a path, as `load_mnist` takes it.
        seed: 0..2**31-1; seeds the initial weights, the order of the images, dropout and augmentation.
        overrides: settings that differ from the recipe.
        created: seconds since the epoch.
        base: the model to fine-tune on the kept drawings; empty for new weights.
    """

    recipe: str
    settings: Settings
    data: str = "full"
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    base: str = ""

    @property
    def kind(self) -> str:
        """The recipe's name, or OWN when the user built the network. Part of the run id."""
        return OWN if LAYERS_KEY in self.overrides else self.recipe

    def to_json(self) -> dict[str, Any]:
        """The content of spec.json."""
        settings = {setting.name: getattr(self.settings, setting.name) for setting in fields(self.settings)}
        settings["layers"] = architecture.layers_to_json(self.settings.layers)
        return {
            "schema": SCHEMA,
            "recipe": self.recipe,
            "overrides": dict(self.overrides),
            "data": self.data,
            "split": self.settings.split,
            "seed": self.seed,
            "created": self.created,
            "base": self.base,
            "settings": settings,
        }

    @classmethod
    def from_json(cls, value: Any) -> RunSpec:
        """Reads what `to_json` wrote.

        Raises:
            RunError: the value is something else, or has another schema. The message completes "FILE cannot be read:".
        """
        if not isinstance(value, dict) or not isinstance(value.get("settings"), dict):
            raise RunError("it is not a JSON object with 'settings'")
        if (schema := value.get("schema")) != SCHEMA:
            raise RunError(f"its schema is {shorten(repr(schema))}; this version of Digit Lab reads {SCHEMA}")
        try:
            settings = dict(value["settings"])
            settings["layers"] = architecture.layers_from_json(settings.get("layers"))
            return cls(
                recipe=_checked("recipe", value["recipe"], _TEXT),
                settings=Settings(**settings),
                data=_checked("data", value["data"], _TEXT),
                seed=check_seed(value["seed"]),
                overrides=_check_overrides(value.get("overrides", {})),
                created=float(_checked("created", value["created"], TIMESTAMP)),
                base=_checked("base", value.get("base", ""), _TEXT),
            )
        except KeyError as error:
            raise RunError(f"it lacks {error}") from None
        except (TypeError, ValueError, OverflowError, DigitLabError) as error:
            raise RunError(shorten(str(error))) from None


def _checked(name: str, value: Any, rule: Rule) -> Any:
    if not rule.accepts(value):
        raise RunError(f"{name} is {shorten(repr(value))}, expected {rule}")
    return value


def _check_overrides(value: Any) -> dict[str, Any]:
    """Checks the kinds of the values; whether they fit the settings is not checked: a recipe may have changed since."""
    overrides = dict(value)
    for name, each in overrides.items():
        if name != LAYERS_KEY and not (each is None or isinstance(each, bool) or MEASURED.accepts(each)):
            _checked(f"the override {shorten(name)}", each, _TEXT)
    return overrides


def make_spec(recipe: str, overrides: Mapping[str, Any] | None = None, data: str = "full", seed: int = 0) -> RunSpec:
    """Builds a RunSpec from a recipe and checks it.

    Args:
        recipe: name of a recipe.
        overrides: settings to change, as `apply_overrides` takes them.
        data: `full`, `sample` or a path.
        seed: 0..2**31-1.

    Raises:
        SettingError: the recipe or a setting is unknown, or a value is out of range.
        ArchitectureError: the network cannot work.
    """
    overrides = dict(overrides or {})
    return RunSpec(recipe, apply_overrides(find_recipe(recipe).settings, overrides), data, check_seed(seed), overrides)


def check_seed(seed: object) -> int:
    """Returns the seed. Raises SettingError unless it is a whole number from 0 to MAX_SEED."""
    rule = Integer(0, MAX_SEED)
    if not rule.accepts(seed):
        raise SettingError(f"seed is {shorten(repr(seed))}, expected {rule}.")
    return cast(int, seed)
