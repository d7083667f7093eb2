"""Prepares the reports of a run for charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.fields import AMOUNT, COUNT, LOSS, SHARE, Rule, Text, is_number

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
MAX_KEY = 40
"""Longest name of a probe or of a setting."""
MAX_VALUE = 1e300
"""Larger values count as infinite and are left out: a chart's axis cannot hold them."""

Report = Mapping[str, Any]
"""One line of metrics.jsonl."""

ESTIMATED = {"val_loss": "estimated_val_loss", "val_accuracy": "estimated_val_accuracy"}
"""Validation result -> its estimate on a few of the images, which reports within an epoch can have. It is drawn, and
nothing is chosen or ranked by it."""

_NUMBERS = ("step", "elapsed", *METRICS, *ESTIMATED.values())
REPORT_RULES: dict[str, Rule] = {
    "step": COUNT,
    "epoch": COUNT,
    "loss": LOSS,
    "accuracy": SHARE,
    "learning_rate": AMOUNT,
    "images": COUNT,
    "seconds": AMOUNT,
    "val_loss": LOSS,
    "val_accuracy": SHARE,
    "val_seconds": AMOUNT,
    "estimated_val_loss": LOSS,
    "estimated_val_accuracy": SHARE,
    "estimate_seconds": AMOUNT,
    "images_per_second": AMOUNT,
    "elapsed": AMOUNT,
    "wall": Text(1_000),
}
"""What a report can say -> what it may be. `probes` and `changed` come on top."""
MAX_ENTRIES = 20
"""Probes of a report, and settings that were changed."""


def check_report(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns what is usable of a report that anybody may have written; None if it has no step.

    Args:
        row: a line of metrics.jsonl.

    Returns:
        Those keys of REPORT_RULES whose value keeps its rule; `probes`, name -> ten shares; and `changed`, setting ->
        number. Validation results without their epoch are left out.
    """
    report = {name: row[name] for name, rule in REPORT_RULES.items() if name in row and rule.accepts(row[name])}
    if "step" not in report:
        return None
    if "epoch" not in report:
        report = {name: value for name, value in report.items() if not name.startswith("val_")}
    probes, changed = _entries(row, "probes", _is_distribution), _entries(row, "changed", AMOUNT.accepts)
    return {**report, **({"probes": probes} if probes else {}), **({"changed": changed} if changed else {})}


def _entries(row: Mapping[str, Any], name: str, is_usable: Callable[[Any], bool]) -> dict[str, Any]:
    value = row.get(name)
    if not isinstance(value, dict) or len(value) > MAX_ENTRIES:
        return {}
    return {key: each for key, each in value.items() if len(key) <= MAX_KEY and is_usable(each)}


def _is_distribution(value: Any) -> bool:
    return isinstance(value, list) and len(value) == NUM_CLASSES and all(map(SHARE.accepts, value))


def chart_rows(rows: Sequence[Mapping[str, Any]], steps_per_epoch: float) -> list[dict[str, float]]:
    """Keeps the numbers of each report that can be drawn.

    Args:
        rows: reports, as in metrics.jsonl. A report without a step is left out, and so is whatever is no finite number.
        steps_per_epoch: batches in an epoch.

    Returns:
        For each report: `step`, `epoch` (a fraction), and those of `elapsed`, METRICS and their estimates that it has.
    """
    numbers = ({name: row[name] for name in _NUMBERS if name in row and _can_be_drawn(row[name])} for row in rows)
    return [{**row, "epoch": row["step"] / (steps_per_epoch or 1.0)} for row in numbers if "step" in row]


def kept_report(rows: Sequence[Report], patience: int) -> Report | None:
    """The report about the model that a training keeps at the end of an epoch; None before the first validation.

    That is the model of the last epoch, or, with patience, the model with the lowest validation loss.
    """
    validated = [row for row in rows if _can_be_drawn(row.get("val_accuracy")) and _can_be_drawn(row.get("val_loss"))]
    if not validated:
        return None
    return min(validated, key=lambda row: row["val_loss"]) if patience else validated[-1]


def _can_be_drawn(value: object) -> bool:
    return is_number(value) and -MAX_VALUE < value < MAX_VALUE
