"""All recipes by name: the published ones and our own."""

from __future__ import annotations

from mnist_core.errors import SettingError
from mnist_core.recipes.own import OWN
from mnist_core.recipes.published import PUBLISHED
from mnist_core.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OWN[:1], *PUBLISHED, *OWN[1:])}
"""Recipes by name, in the order in which they are listed: the default first, then the published ones."""
DEFAULT_RECIPE = "fast"
"""The recipe that the Train page starts with, and the command line without `--recipe`."""


def find_recipe(name: str) -> Recipe:
    """Returns the recipe with this name.

    Raises:
        SettingError: there is none.
    """
    if name not in RECIPES:
        raise SettingError(f"There is no recipe {name!r}. Known: {', '.join(RECIPES)}.")
    return RECIPES[name]
