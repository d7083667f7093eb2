"""What the charts of runs show, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]
"""One line of metrics.jsonl."""

CLEAR_CHANGE = {"accuracy": 0.002, "loss": 0.02}
"""Metric -> the change that is more than noise: in accuracy absolute, in loss relative to the better value."""
CLOSE_ACCURACY = 0.005
"""Runs within this distance are about equally accurate."""
WORTH_NAMING = 90
"""Percent of the cost of the most accurate run, up to which a cheaper run is worth naming."""


def learning_curve(reports: Sequence[Report], metric: str, live: bool = False) -> str:
    """`Validation accuracy is still rising: more epochs may help.` Compares validation at the end with the best before.

    Args:
        reports: lines of metrics.jsonl.
        metric: `loss` or `accuracy`.
        live: whether the run still trains, so that more epochs come anyway.
    """
    training = [report[metric] for report in reports if metric in report]
    validated = [report for report in reports if f"val_{metric}" in report]
    values = [float(report[f"val_{metric}"]) for report in validated]
    if len(values) < 2:
        return _first_epoch(training, values, metric)
    higher = metric == "accuracy"
    best = (max if higher else min)(range(len(values)), key=values.__getitem__)
    since = len(values) - 1 - best
    if since and _clearly_better(values[best], values[-1], metric):
        when = f"Validation {metric} was best after epoch {validated[best].get('epoch', best + 1)}"
        before = _training_before(reports, validated[best], metric)
        still_learns = bool(training) and _clearly_better(training[-1], before, metric)
        overfits = since > 1 and still_learns  # a single worse epoch may be chance
        return f"{when} and has been worse since: the network overfits." if overfits else f"{when}."
    if _clearly_better(values[-1], (max if higher else min)(values[:-1]), metric):  # not: better than a bad epoch
        advice = "" if live else ": more epochs may help"
        return f"Validation {metric} is still {'rising' if higher else 'falling'}{advice}."
    if len(values) == 2:
        return f"Validation {metric} is {_format(values[-1], metric)} after {len(values)} epochs."
    return f"Validation {metric} has leveled off at {_format(values[-1], metric)}."


def _first_epoch(training: Sequence[float], values: Sequence[float], metric: str) -> str:
    if values:
        return f"Validation {metric} is {_format(values[0], metric)} after the first epoch."
    if len(training) < 2:
        return ""
    direction = "risen" if training[-1] > training[0] else "fallen"
    first, last = _format(training[0], metric), _format(training[-1], metric)
    return "" if first == last else f"Training {metric} has {direction} from {first} to {last}."


def _training_before(reports: Sequence[Report], last: Report, metric: str) -> float:
    """The training metric of the last report up to this one."""
    before = [float(report[metric]) for report in reports if metric in report and report["step"] <= last["step"]]
    return before[-1] if before else float("nan")


def _clearly_better(value: float, than: float, metric: str) -> bool:
    if metric == "accuracy":
        return value - than > CLEAR_CHANGE[metric]
    return than - value > CLEAR_CHANGE[metric] * abs(value)


def _format(value: float, metric: str) -> str:
    return f"{value:.1%}" if metric.endswith("accuracy") else f"{value:.3f}"


def run_curves(curves: Mapping[str, Sequence[Report]], metric: str) -> str:
    """`canvas has the best validation accuracy, 98.2%; next is fast: 95.2%.`

    Args:
        curves: name of a run -> its reports; those without the metric are left out.
        metric: one of `reports.METRICS`.
    """
    pick = max if metric.endswith("accuracy") else min
    best = {
        name: pick(report[metric] for report in reports if metric in report)
        for name, reports in curves.items()
        if any(metric in report for report in reports)
    }
    title = metric.replace("val_", "validation ") if metric.startswith("val_") else f"training {metric}"
    if not best:
        return f"No run has reported its {title} yet."
    ranked = sorted(best, key=best.__getitem__, reverse=pick is max)
    first, value = ranked[0], _format(best[ranked[0]], metric)
    if len(ranked) == 1:
        return f"The best {title} of {first} is {value}."
    equal = [name for name in ranked if _format(best[name], metric) == value]
    if len(equal) > 1:
        others = equal[1] if len(equal) == 2 else f"{len(equal) - 1} other runs"
        return f"{first} and {others} have the same best {title}, {value}."
    return f"{first} has the best {title}, {value}; next is {ranked[1]}: {_format(best[ranked[1]], metric)}."


def accuracy_against_cost(rows: Sequence[Mapping[str, Any]], cost: str) -> str:
    """`canvas is the most accurate (98.2%). fast is within 0.5 points with 8% of the parameters.`

    Args:
        rows: rows of history.history_row with `name` and `val_accuracy`; those without accuracy or cost are left out.
        cost: `parameters` or `train_seconds`.
    """
    tested = [row for row in rows if row.get("val_accuracy") is not None and row.get(cost)]
    if not tested:
        return ""
    best = max(tested, key=lambda row: (row["val_accuracy"], -row[cost]))
    sentence = f"{best['name']} is the most accurate ({best['val_accuracy']:.1%})."
    close = [row for row in tested if best["val_accuracy"] - row["val_accuracy"] <= CLOSE_ACCURACY]
    cheapest = min(close, key=lambda row: row[cost])
    if cheapest is best:
        return sentence
    share = max(1, round(100 * cheapest[cost] / best[cost]))
    if share > WORTH_NAMING:
        return sentence
    what = "of the parameters" if cost == "parameters" else "of the training time"
    return f"{sentence} {cheapest['name']} is within {100 * CLOSE_ACCURACY:g} points with {share}% {what}."


def learning_rates(first: float, peak: float, last: float, warm_up_epochs: float) -> str:
    """`The learning rate rises to 0.01 in the first 1.5 epochs and ends at 0.0001.`

    Args:
        first, peak, last: learning rates of the first step, at the peak, and of the last step.
        warm_up_epochs: epochs in which the rate rises to its peak.
    """
    if first == peak == last:
        return f"The learning rate stays at {first:.2g}."
    ends = f"ends at {last:.2g}" if last < peak else f"stays at {peak:.2g}"
    if first == peak:
        return f"The learning rate starts at {first:.2g} and {ends}."
    when = f"{warm_up_epochs:.3g}"
    period = "epoch" if when == "1" else f"{when} epochs"
    return f"The learning rate rises to {peak:.2g} in the first {period} and {ends}."


def range_test(suggested: float, lowest: float) -> str:
    """`Loss is lowest at a learning rate of 0.21. A safe choice is lower: 0.021.`"""
    return f"Loss is lowest at a learning rate of {lowest:.2g}. A safe choice is lower: {suggested:.2g}."
