"""x"""

from __future__ import annotations

from mnist_core.errors import SettingError
from mnist_core.recipes.own import OWN
from mnist_core.recipes.published import PUBLISHED
from mnist_core.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OWN[:1], *PUBLISHED, *OWN[1:])}
DEFAULT_RECIPE = "canvas"


def find_recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        SettingError: where there is none, listing those there are.
    """
    if name not in RECIPES:
        raise SettingError(f"There is no recipe {name!r}. Known: {', '.join(RECIPES)}.")
    return RECIPES[name]
