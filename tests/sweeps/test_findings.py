"""What the charts of a sweep say, against trials made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_core.sweeps import findings
from mnist_core.sweeps.plan import SweepPlan, make_plan


@pytest.fixture(scope="module")
def plan() -> SweepPlan:
    return make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128"], data="sample")


def trial(number: int, rate: float, value: float, state: str = "finished", batch_size: int = 32) -> dict[str, Any]:
    settings = {"learning_rate": rate, "batch_size": batch_size}
    return {"trial": number, "state": state, "value": value, "settings": settings}


def test_best_so_far_says_how_long_ago_the_best_came() -> None:
    def said(*best: float | None) -> str:
        return findings.best_so_far([{"best": value, "trial": 9 - index} for index, value in enumerate(best)])

    assert "trial 8; the 3 that ended since have not" in said(0.8, 0.9, 0.9, 0.9, 0.9), "in the order of their ends"
    assert "trial 9; the one that ended since has not" in said(0.9, 0.9)
    assert "latest of 3 trials is the best" in said(0.7, 0.8, 0.9)
    assert said(0.9) == "" and "No trial" in said() and "No trial" in said(None)


def test_trial_curves_count_pruned_trials() -> None:
    trials = [{"state": "finished"}, {"state": "pruned"}, {"state": "running"}]
    assert "1 of 2 trials was pruned" in findings.trial_curves(trials)
    assert "1 of 1 trial was pruned" in findings.trial_curves(trials[1:2])
    assert "No trial was pruned" in findings.trial_curves(trials[:1])
    assert findings.trial_curves(trials[2:]) == ""


def test_best_settings_are_those_of_the_best_quarter(plan: SweepPlan) -> None:
    trials = [trial(number, 10.0**-number, number / 10, batch_size=128 if number > 2 else 32) for number in range(1, 5)]
    trials += [trial(5, 0.1, 0.99, "pruned")]
    said = findings.best_settings(trials, plan)
    assert said == "The best 2 trials have learning rate 0.0001 to 0.001, batch size 128."
    assert findings.best_settings(trials[:3], plan) == ""


def test_settings_near_one_or_near_each_other_are_told_apart_or_said_once() -> None:
    plan = make_plan("fast", ["weight_averaging=0.99,0.999", "dropout=0..0.6"], data="sample")
    settings = [{"weight_averaging": 0.99 if odd else 0.999, "dropout": 0.30001 + odd * 1e-6} for odd in (0, 1)]
    trials = [{"trial": n, "state": "finished", "value": 0.9, "settings": settings[n % 2]} for n in range(8)]
    said = findings.best_settings(trials, plan)
    assert said == "The best 2 trials have weight averaging 0.99 or 0.999, dropout 0.3."


@pytest.mark.parametrize(("rate", "edge"), [(1e-4, True), (1.2e-4, True), (1e-2, False), (0.09, True)])
def test_setting_says_if_the_best_trial_is_at_the_end_of_the_range(plan: SweepPlan, rate: float, edge: bool) -> None:
    said = findings.setting([trial(1, rate, 0.9), trial(2, 0.005, 0.5)], plan, plan.space[0])
    assert f"learning rate {rate:.2g}" in said and ("end of its range" in said) == edge
    assert findings.setting([], plan, plan.space[0]) == ""


def test_setting_does_not_suggest_values_that_do_not_exist() -> None:
    plan = make_plan("fast", ["dropout=0..0.5"], data="sample")
    trials = [{"trial": 1, "state": "finished", "value": 0.9, "settings": {"dropout": 0.0}}]
    assert findings.setting(trials, plan, plan.space[0]) == "The best trial has dropout 0."
    trials[0]["settings"]["dropout"] = 0.5
    assert "end of its range" in findings.setting(trials, plan, plan.space[0])


def test_two_settings_are_those_of_the_best_trial(plan: SweepPlan) -> None:
    trials = [trial(1, 0.01, 0.9, batch_size=128), trial(2, 0.005, 0.5)]
    assert "learning rate 0.01 and batch size 128" in findings.two_settings(trials, plan, *plan.space)
    pruned = [{**row, "state": "pruned"} for row in trials]
    assert findings.two_settings(pruned, plan, *plan.space) == "No trial has finished."


def test_two_sweeps_are_ranked(plan: SweepPlan) -> None:
    better, worse = trial(1, 0.1, 0.951), trial(1, 0.1, 0.94)
    assert findings.two_sweeps({"this sweep": worse, "the other": better}, plan) == (
        "The other found the better trial: 95.10%; this sweep 94.00%."
    )
    assert "equally good" in findings.two_sweeps({"this sweep": better, "the other": better}, plan)
    hardly_better = trial(1, 0.1, 0.951001)
    assert "equally good: 95.10%" in findings.two_sweeps({"this sweep": better, "the other": hardly_better}, plan)
    assert findings.two_sweeps({"this sweep": better, "the other": None}, plan) == ""


def test_a_repeated_test_is_no_first_look() -> None:
    assert "1 other model was tested before" in findings.repeated_test(1)
    assert "2 other models were tested before" in findings.repeated_test(2)


def test_importance_names_one_setting_unless_the_estimates_overlap() -> None:
    rows = [
        {"setting": "learning_rate", "share": 0.72, "low": 0.6, "high": 0.8},
        {"setting": "batch_size", "share": 0.28, "low": 0.2, "high": 0.4},
    ]
    assert "Learning rate matters most: it explains 72%" in findings.importance(rows)
    rows[1]["high"] = 0.65
    assert "Learning rate and batch size matter most" in findings.importance(rows)
    assert findings.importance([]) == ""
    little = [{**row, "share": 0.05, "low": 0.0, "high": 0.1} for row in rows]
    assert "only 10%" in findings.importance(little) and "matters most" not in findings.importance(little)
