"""What repeated trainings say about a published result: our mean, plain Keras's, and whether luck explains the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mnist_core.evaluation.repeats import Sample, describe_sample, welch_p_value
from mnist_core.evaluation.significance import SIGNIFICANCE_LEVEL
from mnist_core.recipes.recipe import Recipe
from mnist_core.reproduction.results import TRAINERS, Training


@dataclass(frozen=True)
class Reproduction:
    """A published recipe and its trainings.

    Attributes:
        recipe: that was trained.
        ours: the accuracies of Digit Lab's trainings; None without any.
        keras: those of the plain Keras script.
    """

    recipe: Recipe
    ours: Sample | None
    keras: Sample | None

    @property
    def published(self) -> float | None:
        """The published accuracy, 0..1; None if the source prints none."""
        published = self.recipe.published
        return published.accuracy if published else None

    @property
    def measured_on(self) -> str:
        """The images that all three accuracies are of: `test` or `validation`."""
        return measured_on(self.recipe)

    @property
    def p_value(self) -> float | None:
        """Of Welch's test of ours against plain Keras; None if one has fewer than two trainings, or neither spreads."""
        return welch_p_value(self.ours, self.keras) if self.ours and self.keras else None

    @property
    def differ(self) -> bool | None:
        """Whether ours and plain Keras differ by more than chance; None if that cannot be said."""
        return None if self.p_value is None else self.p_value < SIGNIFICANCE_LEVEL

    @property
    def prediction_interval(self) -> tuple[float, float] | None:
        """Where a single training of plain Keras lies in 95% of all cases, 0..1; None before there are two."""
        if self.keras is None or self.keras.next_half_width is None:
            return None
        mean, half_width = self.keras.mean, self.keras.next_half_width
        return max(0.0, mean - half_width), min(1.0, mean + half_width)

    @property
    def published_position(self) -> str:
        """Where the published result is: `within`, `above` or `below` the prediction interval; empty if unknown."""
        if self.published is None or self.prediction_interval is None:
            return ""
        low, high = self.prediction_interval
        return "below" if self.published < low else "above" if self.published > high else "within"


def reproductions(recipes: Iterable[Recipe], trainings: Sequence[Training]) -> list[Reproduction]:
    """Compares the trainings of each recipe, all of which have the same epochs and data."""
    return [Reproduction(recipe, *(_sample(recipe, trainer, trainings) for trainer in TRAINERS)) for recipe in recipes]


def _sample(recipe: Recipe, trainer: str, trainings: Iterable[Training]) -> Sample | None:
    wanted = (recipe.name, trainer)
    scores = [score(recipe, each) for each in trainings if (each.recipe, each.trainer) == wanted]
    return describe_sample(scores) if scores else None


def score(recipe: Recipe, training: Training) -> float:
    """The accuracy of a training that the published one is compared with, 0..1."""
    return training.test_accuracy if measured_on(recipe) == "test" else training.val_accuracy[-1]


def measured_on(recipe: Recipe) -> str:
    """The images that the published accuracy of a recipe is of: `test` or `validation`."""
    return recipe.published.measured_on if recipe.published else "test"
