"""What the trainings of a recipe show, as a table and as JSON: numbers by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mnist_core.recipes.recipes import RECIPES
from mnist_core.reproduction.comparison import Reproduction, reproductions
from mnist_core.reproduction.results import KERAS, OURS, TRAINERS, Training
from mnist_core.reproduction.table import COLUMNS, table_row, to_json


def trainings(recipe: str, **scores: Sequence[float]) -> list[Training]:
    """Scores in percent by trainer. The validation accuracy is the score, the test accuracy half a point less."""
    return [
        Training(
            recipe,
            trainer,
            1000 * TRAINERS.index(trainer) + seed,
            2,
            "full",
            9.0,
            score / 100 - 0.005,
            (0.5, score / 100),
        )
        for trainer in TRAINERS
        for seed, score in enumerate(scores.get(trainer, ()))
    ]


def compare(recipe: str, **scores: Sequence[float]) -> Reproduction:
    (found,) = reproductions([RECIPES[recipe]], [*trainings(recipe, **scores), *trainings("fast", digitlab=[10])])
    return found


def test_a_published_validation_accuracy_is_compared_with_that_of_the_last_epoch() -> None:
    found = compare("lesson08-uncentered-cnn", digitlab=[97.4, 97.6, 97.8], keras=[97.5, 97.7, 97.9])
    assert table_row(found) == {
        "recipe": "lesson08-uncentered-cnn",
        "measured on": "validation",
        "published": "98.14",
        "Digit Lab": "97.60 ± 0.50 (3)",  # 4.303 · 0.2 / √3
        "plain Keras": "97.70 ± 0.50 (3)",
        "differ": "no, p = 0.57",  # t = 0.1 / (0.2 √(2/3)) = 0.612 with 4 degrees of freedom
        "one training": "96.71 to 98.69",  # 4.303 · 0.2 · √(4/3)
        "published is": "within",
    }


def test_a_published_test_accuracy_is_compared_with_that_on_the_test_images() -> None:
    found = compare("fleming-cnn", digitlab=[99.3, 99.4, 99.5], keras=[98.9, 98.95, 99.0])
    row = table_row(found)
    assert (row["measured on"], row["Digit Lab"], row["plain Keras"]) == (
        "test",
        "98.90 ± 0.25 (3)",
        "98.45 ± 0.12 (3)",
    )
    assert row["differ"] == "yes, p = 0.0065"  # t = 0.45 / √((0.1² + 0.05²) / 3) = 6.97 with 2.94 degrees of freedom
    assert found.published_position == "above" and found.differ is True


@pytest.mark.parametrize(
    ("scores", "cells"),
    [
        ({}, ["-", "-", "-", "-", "-"]),
        ({OURS: [97]}, ["97.00 (1)", "-", "-", "-", "-"]),
        ({OURS: [96, 97], KERAS: [97]}, ["96.50 ± 6.35 (2)", "97.00 (1)", "-", "-", "-"]),
        ({OURS: [97], KERAS: [97, 97]}, ["97.00 (1)", "97.00 ± 0.00 (2)", "-", "97.00 to 97.00", "below"]),
    ],
)
def test_what_is_not_known_yet_is_left_open(scores: dict[str, list[float]], cells: list[str]) -> None:
    row = table_row(compare("singh-mlp", **scores))
    assert [row[name] for name in COLUMNS[3:]] == cells


def test_the_interval_of_one_training_stays_within_0_and_100() -> None:
    assert compare("singh-mlp", keras=[85, 97]).prediction_interval == (0, 1)


def test_json() -> None:
    found = to_json(compare("brownlee-cnn", digitlab=[99.0, 99.5], keras=[99.0, 99.5]))
    assert found["recipe"] == "brownlee-cnn" and found["published_accuracy"] == 0.987
    assert found["digitlab"] == found["keras"]
    assert found["keras"] == {
        "mean": pytest.approx(0.9875),
        "half_width": pytest.approx(0.03177, abs=1e-5),
        "trainings": 2,
    }
    assert found["p_value"] == pytest.approx(1) and found["differ"] is False
    assert found["one_training"] == (pytest.approx(0.9325, abs=1e-4), 1.0) and found["published_is"] == "within"
