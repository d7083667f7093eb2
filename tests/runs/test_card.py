"""What of a model card can be used."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_core.runs.card import check_card, trained_on

CARD: dict[str, Any] = {
    "test_accuracy": 0.9,
    "test_loss": 0.3,
    "train_seconds": 3.5,
    "data": {"asked": "full", "name": "sample", "source": "text"},
    "test": {"confusion": [[1] * 10] * 10},
    "taught": {"drawings": 3, "right_before": 1, "right_after": 2, "test_accuracy_before": 0.8},
    "future": [1, 2],
}


def test_a_healthy_card_is_kept_with_keys_of_later_versions() -> None:
    assert check_card(CARD) == CARD and trained_on(CARD) == "sample"


@pytest.mark.parametrize("odd", [None, True, -1, 10**30, 1e308, "0.5", [], [1]])
@pytest.mark.parametrize("name", ["test_accuracy", "train_seconds", "data", "test"])
def test_what_is_no_such_thing_is_left_out(name: str, odd: Any) -> None:
    checked = check_card({**CARD, name: odd})
    assert name not in checked and checked.keys() <= CARD.keys()


@pytest.mark.parametrize("odd", [None, -1, 2.5, "x"])
@pytest.mark.parametrize("name", ["drawings", "right_before", "test_accuracy_before"])
def test_fine_tuning_is_complete_or_left_out(name: str, odd: Any) -> None:
    assert check_card({**CARD, "taught": {**CARD["taught"], name: odd}})["taught"] == {}


@pytest.mark.parametrize(
    "rows", [[], [[1] * 10] * 9, [[1] * 9] * 10, [[-1] * 10] * 10, [["1"] * 10] * 10, [1] * 10, {}]
)
def test_a_matrix_of_another_shape_is_left_out(rows: Any) -> None:
    assert "test" not in check_card({**CARD, "test": {"confusion": rows}})


def test_a_matrix_is_shown_only_with_its_accuracy() -> None:
    assert "test" not in check_card({**CARD, "test_accuracy": 1e308})
