"""What a run trains: recipe, overrides, data and seed, stored in spec.json."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mnist_core.errors import DigitLabError, RunError, SettingError
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
        if value.get("schema") != SCHEMA:
            raise RunError(f"its schema is {value.get('schema')!r}; this version of Digit Lab reads {SCHEMA}")
        try:
            settings = dict(value["settings"])
            settings["layers"] = architecture.layers_from_json(settings.get("layers"))
            return cls(
                recipe=str(value["recipe"]),
                settings=Settings(**settings),
                data=str(value["data"]),
                seed=check_seed(value["seed"]),
                overrides=dict(value.get("overrides", {})),
                created=float(value["created"]),
                base=str(value.get("base", "")),
            )
        except KeyError as error:
            raise RunError(f"it lacks {error}") from None
        except (TypeError, ValueError, OverflowError, DigitLabError) as error:
            raise RunError(str(error)) from None


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
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise SettingError(f"seed is {seed!r}, expected a whole number from 0 to {MAX_SEED:,}.")
    return seed
