"""The trainings that a reproduction with several seeds needs, in their order, and how long they will take."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mnist_core.data.mnist import FULL_SIZES, Mnist
from mnist_core.errors import SettingError
from mnist_core.fields import Integer
from mnist_core.recipes.recipe import Recipe
from mnist_core.reproduction.results import KERAS, OURS, Key, Training
from mnist_core.runs.spec import RunSpec, make_spec

SEEDS = Integer(1, 100)
"""How many seeds may be asked for."""
KERAS_FIRST_SEED = 1_000
"""Added to the seeds of plain Keras. The script draws the same initial weights, order and dropout from a seed as a run
does: with the same seed, both would be the same training up to rounding, and no independent samples."""
KERAS_TIME_RATIO = 1.3
"""Time of a plain Keras training relative to ours, until one has been measured."""
START_SECONDS = 8.0
"""Seconds until a training begins, until one has been measured."""


@dataclass(frozen=True)
class Planned:
    """A training to do: of a recipe, by one of TRAINERS. The spec says the seed."""

    recipe: Recipe
    trainer: str
    spec: RunSpec

    def key(self, mnist: Mnist) -> Key:
        """The key of the `Training` that it becomes on these images."""
        return self.recipe.name, self.trainer, self.spec.seed, self.spec.settings.epochs, data_name(mnist)


def data_name(mnist: Mnist) -> str:
    """What a results file calls a data set: `full`, `sample`, or where other images come from."""
    return mnist.source if mnist.name == "custom" else mnist.name


def plan_trainings(
    recipes: Iterable[Recipe], overrides: Mapping[str, Any], data: str, first_seed: int, seeds: int
) -> list[Planned]:
    """All trainings, recipe by recipe, ours and plain Keras in turn, so that both samples grow together.

    Args:
        recipes: to reproduce.
        overrides: of their settings.
        data: `full`, `sample` or a path.
        first_seed: ours are this and the following ones.
        seeds: how many.

    Raises:
        SettingError: a number is out of range.
    """
    if not SEEDS.accepts(seeds):
        raise SettingError(f"seeds is {seeds}, expected {SEEDS}.")
    return [
        Planned(recipe, trainer, make_spec(recipe.name, overrides, data, first_seed + index + offset))
        for recipe in recipes
        for index in range(seeds)
        for trainer, offset in ((OURS, 0), (KERAS, KERAS_FIRST_SEED))
    ]


def seconds_left(missing: Iterable[Planned], finished: Collection[Training], mnist: Mnist) -> float:
    """Estimates the seconds of the missing trainings from finished ones that differ only in the seed.

    Args:
        missing: to do.
        finished: trainings, in this or an earlier process.
        mnist: the images.
    """
    return sum(_seconds(planned, finished, mnist) for planned in missing)


def _seconds(planned: Planned, finished: Collection[Training], mnist: Mnist) -> float:
    recipe, trainer, _, epochs, data = planned.key(mnist)
    same = [
        each.seconds
        for each in finished
        if (each.recipe, each.trainer, each.epochs, each.data) == (recipe, trainer, epochs, data)
    ]
    if same:
        return statistics.fmean(same)
    guess = planned.recipe.epoch_seconds * epochs * len(mnist.y_train) / FULL_SIZES[0]
    return START_SECONDS + guess * (KERAS_TIME_RATIO if trainer == KERAS else 1)
