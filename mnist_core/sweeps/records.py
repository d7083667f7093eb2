"""What of trials.json and winner.json can be used: anybody may have written them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnist_core.fields import AMOUNT, COUNT, LOSS, MEASURED, SHARE, TIMESTAMP, Choice, Maybe, Rule, Text
from mnist_core.runs.store import is_run_id
from mnist_core.sweeps.search_space import Dimension

_RUN = Text(80)
_SETTING = Text(100)
TRIAL_RULES: dict[str, Rule] = {
    "trial": COUNT,
    "state": Choice(("running", "finished", "pruned", "failed")),
    "value": Maybe(LOSS),
    "run": _RUN,
    "message": Text(10_000),
    "began": TIMESTAMP,
    "ended": TIMESTAMP,
    "seconds": AMOUNT,
}
TRIAL_DEFAULTS = {"state": "running", "value": None, "run": "", "message": "", "began": 0, "ended": 0, "seconds": 0}
"""Of keys that a row lacks."""
BEST_RULES: dict[str, Rule] = {"trial": COUNT, "of": COUNT, "run": _RUN, "mean": LOSS, "spread": Maybe(AMOUNT)}
SCORE_RULES: dict[str, Rule] = {"test_accuracy": Maybe(SHARE), "test_loss": Maybe(LOSS), "tested_before": COUNT}
RETRAINED_RULES: dict[str, Rule] = {"run": _RUN, "seed": COUNT, "value": Maybe(LOSS)}


def check_trials(rows: Any, space: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Returns the usable rows of trials.json, complete with TRIAL_DEFAULTS.

    Args:
        rows: what the file holds.
        space: what the sweep searches. A row without a value of each dimension is left out.
    """
    complete = [{**TRIAL_DEFAULTS, **row} for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [row for row in complete if _is_trial(row, space)]


def _is_trial(row: dict[str, Any], space: Sequence[Dimension]) -> bool:
    has_run, settings = row["run"] == "" or is_run_id(row["run"]), row.get("settings")
    if not isinstance(settings, dict) or not all(each.accepts(settings.get(each.name)) for each in space):
        return False
    return _follows(row, TRIAL_RULES) and has_run and _are_settings(settings) and _has_values(row)


def check_best(best: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of winner.json; empty if something in it is not what it should be."""
    runs = best.get("runs", [])
    present = {name: rule for name, rule in {**BEST_RULES, **SCORE_RULES}.items() if name in best}
    if not best.get("run"):  # the best trial is still being retrained
        present = {"trial": BEST_RULES["trial"], **present}
    else:
        present |= BEST_RULES
    is_valid = (
        _follows(best, present)
        and _are_settings(best.get("settings"))
        and isinstance(runs, list)
        and all(isinstance(run, dict) and _follows(run, RETRAINED_RULES) for run in runs)
        and (not best.get("run") or is_run_id(best["run"]))
    )
    return best if is_valid else {}


def _follows(values: dict[str, Any], rules: dict[str, Rule]) -> bool:
    return all(rule.accepts(values.get(name)) for name, rule in rules.items())


def _are_settings(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_setting(each) for each in value.values())


def _is_setting(value: Any) -> bool:
    return value is None or isinstance(value, bool) or MEASURED.accepts(value) or _SETTING.accepts(value)


def _has_values(row: dict[str, Any]) -> bool:
    """True if `values` holds pairs of an epoch and a value."""
    values = row.get("values")
    return isinstance(values, list) and all(map(_is_pair, values))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and COUNT.accepts(value[0]) and LOSS.accepts(value[1])
