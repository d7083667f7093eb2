"""Which trainings are planned, and how long they will take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mnist_core.errors import SettingError
from mnist_core.recipes.recipes import RECIPES
from mnist_core.reproduction.plan import plan_trainings, seconds_left
from mnist_core.reproduction.results import KERAS, OURS, Training

MLP, CNN = RECIPES["singh-mlp"], RECIPES["fleming-cnn"]


def test_both_trainers_take_turns_and_no_two_trainings_share_a_seed() -> None:
    planned = plan_trainings([MLP, CNN], {"epochs": 3}, "sample", 7, 2)
    assert [(each.recipe, each.trainer, each.spec.seed) for each in planned] == [
        (recipe, trainer, seed)
        for recipe in (MLP, CNN)
        for trainer, seed in ((OURS, 7), (KERAS, 1007), (OURS, 8), (KERAS, 1008))
    ]
    assert {(each.spec.data, each.spec.settings.epochs) for each in planned} == {("sample", 3)}
    longest = plan_trainings([MLP], {}, "full", 0, 100)
    assert len({each.spec.seed for each in longest}) == len(longest) == 200


@pytest.mark.parametrize("seeds", [0, -1, 101])
def test_impossible_numbers_of_seeds(seeds: int) -> None:
    with pytest.raises(SettingError, match=f"seeds is {seeds}, expected a whole number from 1 to 100"):
        plan_trainings([MLP], {}, "full", 0, seeds)


def test_the_time_left_is_that_of_finished_trainings_or_else_a_guess(sample: Any) -> None:
    planned = plan_trainings([MLP], {}, "sample", 0, 3)

    def finished() -> Iterator[Training]:
        for each, seconds in zip(planned, (20.0, 50.0, 40.0), strict=False):
            yield Training(*each.key(sample), seconds, 0.9, (0.9,))

    assert seconds_left(planned[3:], list(finished()), sample) == 50 + 30 + 50
    guess = seconds_left(planned[:2], [], sample)
    assert 0 < guess < 60
    other_epochs = plan_trainings([MLP], {"epochs": 1}, "sample", 0, 1)
    assert seconds_left(other_epochs, list(finished()), sample) < guess
