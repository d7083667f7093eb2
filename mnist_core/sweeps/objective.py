"""The objective of a sweep: the value of each epoch and of each trial, and which trial is the best.

Every value comes from the validation images in metrics.jsonl, never from the test set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.fields import COUNT, LOSS, accepted
from mnist_core.recipes.settings import Settings
from mnist_core.runs.reports import kept_report
from mnist_core.sweeps.plan import SweepPlan


def epoch_value(report: Mapping[str, Any], plan: SweepPlan) -> float | None:
    """The plan's measure in one report; None if the report has no validation result or the value is out of range."""
    value: float | None = accepted(LOSS, report.get(f"val_{plan.measure}"))
    return value if COUNT.accepts(report.get("epoch")) else None


def trial_value(reports: Sequence[Mapping[str, Any]], plan: SweepPlan, settings: Settings) -> float | None:
    """The plan's measure for the model that the training kept; None before the first validation."""
    kept = kept_report(reports, settings.patience)
    return None if kept is None else epoch_value(kept, plan)


def best_trial(trials: Sequence[dict[str, Any]], plan: SweepPlan) -> dict[str, Any] | None:
    """The best of the finished trials, the first of equals; None if no trial has finished.

    Args:
        trials: rows of trials.json.
        plan: whose measure decides.
    """
    finished = [row for row in trials if row.get("state") == "finished" and row.get("value") is not None]
    return min(finished, key=lambda row: plan.cost(row["value"]), default=None)


def best_unless_retrained(
    trials: Sequence[dict[str, Any]], plan: SweepPlan, retrained: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The best trial if no retrained model stands for it: not yet, or an extension has found a better one since.

    Args:
        trials: rows of trials.json.
        plan: whose measure decides.
        retrained: content of winner.json.
    """
    best = best_trial(trials, plan)
    is_retrained = best is not None and retrained.get("run") and retrained["trial"] == best["trial"]
    return None if is_retrained else best
