"""What a trial is worth."""

from __future__ import annotations

from dataclasses import replace

from mnist_core.sweeps.objective import best_trial, trial_value
from tests.sweeps.fakes import RATES, TINY, make_plan_of_tiny

REPORTS = [
    {"epoch": 1, "val_accuracy": 0.7, "val_loss": 0.3},
    {"epoch": 1, "loss": 0.1},
    {"epoch": 2, "val_accuracy": 0.9, "val_loss": 0.2},
    {"epoch": 3, "val_accuracy": 0.8, "val_loss": 0.4},
    {"epoch": 3, "estimated_val_accuracy": 0.99, "estimated_val_loss": 0.01},
]


def test_a_trial_is_worth_what_the_model_that_it_kept_is_worth() -> None:
    plan = make_plan_of_tiny(RATES)
    assert trial_value(REPORTS, plan, TINY) == 0.8, "the last epoch's"
    assert trial_value(REPORTS, plan, replace(TINY, patience=1)) == 0.9, "early stopping restores the lowest loss"
    assert trial_value(REPORTS, replace(plan, measure="loss"), TINY) == 0.4


def test_a_trial_without_a_finite_validation_result_has_no_value() -> None:
    plan = make_plan_of_tiny(RATES)
    for report in (
        {"epoch": 1, "val_accuracy": float("nan")},
        {"epoch": 1, "loss": 0.1},
        {"val_accuracy": 0.5},
        {"epoch": 1, "estimated_val_accuracy": 0.5, "estimated_val_loss": 0.5},
    ):
        assert trial_value([report], plan, TINY) is None


def test_the_best_trial_has_finished_and_is_the_first_of_equals() -> None:
    rows = [
        {"trial": 0, "state": "finished", "value": 0.5},
        {"trial": 1, "state": "pruned", "value": 0.9},
        {"trial": 2, "state": "finished", "value": 0.8},
        {"trial": 3, "state": "finished", "value": 0.8},
        {"trial": 4, "state": "finished", "value": None},
    ]
    plan = make_plan_of_tiny(RATES)
    assert best_trial(rows, plan) is rows[2]
    assert best_trial(rows, replace(plan, measure="loss")) is rows[0]
    assert best_trial(rows[1:2], plan) is None
