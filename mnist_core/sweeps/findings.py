"""What the charts of a sweep show, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.fields import Integer, Number
from mnist_core.recipes.overrides import setting_rules
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.search_space import Dimension, Range, rounded_text
from mnist_core.wording import plural

Trial = Mapping[str, Any]
"""One line of trials.json."""

EDGE = 0.05
"""Share of a range that counts as its end."""
MOSTLY_INTERACTION = 0.5
"""Below this sum of the importances, combinations of settings explain more than the settings by themselves."""


def best_so_far(points: Sequence[Mapping[str, Any]]) -> str:
    """`The best value came with trial 7; the 13 that ended since have not beaten it.`

    Args:
        points: as returned by `charts.sweep.best_so_far` for one sweep.
    """
    reached = [point["best"] for point in points]
    if not reached or reached[-1] is None:
        return "No trial has finished yet."
    first, last = reached.index(reached[-1]) + 1, len(reached)
    if first == last:
        return f"The latest of {last} trials is the best: a longer search may find better ones." if last > 1 else ""
    since = "the one that ended since has" if last - first == 1 else f"the {last - first} that ended since have"
    return f"The best value came with trial {points[first - 1]['trial']}; {since} not beaten it."


def trial_curves(trials: Sequence[Trial]) -> str:
    """`8 of 20 trials were pruned: stopped early to save time.`"""
    ended = [trial for trial in trials if trial.get("state") in ("finished", "pruned")]
    pruned = sum(trial["state"] == "pruned" for trial in ended)
    if not ended:
        return ""
    if not pruned:
        return "No trial was pruned."
    were = "was" if pruned == 1 else "were"
    return f"{pruned} of {plural(len(ended), 'trial')} {were} pruned: stopped early to save time."


def best_settings(trials: Sequence[dict[str, Any]], plan: SweepPlan) -> str:
    """`The best 5 trials have learning rate 0.003 to 0.02, batch size 32 or 128.`"""
    finished = [trial for trial in trials if trial.get("state") == "finished" and trial.get("value") is not None]
    if len(finished) < 4:
        return ""
    ranked = sorted(finished, key=lambda trial: plan.cost(trial["value"]))
    best = ranked[: max(2, len(ranked) // 4)]
    parts = []
    for dimension in plan.space:
        values = sorted({trial["settings"][dimension.name] for trial in best}, key=_sort_key)
        texts = list(dict.fromkeys(map(rounded_text, values)))
        ranged = isinstance(dimension, Range) and len(texts) > 1
        parts.append(f"{_title(dimension)} {f'{texts[0]} to {texts[-1]}' if ranged else ' or '.join(texts)}")
    return f"The best {len(best)} trials have {', '.join(parts)}."


def setting(trials: Sequence[dict[str, Any]], plan: SweepPlan, dimension: Dimension) -> str:
    """`The best trial has learning rate 0.1, an end of its range: better values may be beyond it.`"""
    best = best_trial(trials, plan)
    if best is None:
        return ""
    value = best["settings"][dimension.name]
    sentence = f"The best trial has {_title(dimension)} {rounded_text(value)}"
    if isinstance(dimension, Range):
        low, high, rule = dimension.low, dimension.high, setting_rules()[dimension.name]
        at_low = value <= low * (high / low) ** EDGE if dimension.log else value <= low + EDGE * (high - low)
        at_high = value >= high / (high / low) ** EDGE if dimension.log else value >= high - EDGE * (high - low)
        can_be_wider = isinstance(rule, Integer | Number) and (low > rule.low if at_low else high < rule.high)
        if (at_low or at_high) and can_be_wider:
            return f"{sentence}, an end of its range: better values may be beyond it."
    return f"{sentence}."


def two_settings(trials: Sequence[dict[str, Any]], plan: SweepPlan, across: Dimension, up: Dimension) -> str:
    """`The best trial has learning rate 0.01 and batch size 128.`"""
    best = best_trial(trials, plan)
    if best is None:
        return "No trial has finished." if trials else ""
    settings = best["settings"]
    return (
        f"The best trial has {_title(across)} {rounded_text(settings[across.name])} and "
        f"{_title(up)} {rounded_text(settings[up.name])}."
    )


def two_sweeps(bests: Mapping[str, Mapping[str, Any] | None], plan: SweepPlan) -> str:
    """`This sweep found the better trial: 95.10%; the other 94.00%.`

    Args:
        bests: name of a sweep -> its best trial; two, with the same measure.
        plan: of one of them.
    """
    values = {name: best["value"] for name, best in bests.items() if best is not None}
    if len(values) < 2:
        return ""
    ranked = sorted(values, key=lambda name: plan.cost(values[name]))
    first, last = (format(values[name], plan.value_format) for name in ranked)
    if first == last:
        return f"The best trials of both are equally good: {first}."
    return f"{ranked[0].capitalize()} found the better trial: {first}; {ranked[1]} {last}."


def repeated_test(before: int) -> str:
    """`1 other model was tested before the sweep was extended: this is not its first look at the test images.`

    Args:
        before: how many models of the sweep were tested before, at least 1.
    """
    models = f"{plural(before, 'other model')} {'was' if before == 1 else 'were'}"
    return f"{models} tested before the sweep was extended: this is not its first look at the test images."


def importance(rows: Sequence[Mapping[str, Any]]) -> str:
    """`Learning rate matters most: it explains 72% of the differences by itself.`

    Args:
        rows: as returned by `sweeps.importance`, the most important first.
    """
    if not rows:
        return ""
    together = sum(row["share"] for row in rows)
    if together < MOSTLY_INTERACTION:
        return f"The settings explain only {together:.0%} of the differences by themselves; their combination matters."
    first = rows[0]
    name, share = str(first["setting"]).replace("_", " "), f"{first['share']:.0%}"
    if len(rows) > 1 and rows[1]["high"] >= first["low"]:
        second = str(rows[1]["setting"]).replace("_", " ")
        return f"{name.capitalize()} and {second} matter most; which of the two matters more is uncertain."
    return f"{name.capitalize()} matters most: it explains {share} of the differences by itself."


def _title(dimension: Dimension) -> str:
    return dimension.name.replace("_", " ")


def _sort_key(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, int | float)
    return not number, value if number else str(value)
