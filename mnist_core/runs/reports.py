"""Prepares the reports of a run for charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.fields import is_number

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
MAX_VALUE = 1e300
"""Larger values count as infinite and are left out: a chart's axis cannot hold them."""

Report = Mapping[str, Any]
"""One line of metrics.jsonl."""

_NUMBERS = ("step", "elapsed", *METRICS)


def chart_rows(rows: Sequence[Mapping[str, Any]], steps_per_epoch: float) -> list[dict[str, float]]:
    """Keeps the numbers of each report that can be drawn.

    Args:
        rows: reports, as in metrics.jsonl. A report without a step is left out, and so is whatever is no finite number.
        steps_per_epoch: batches in an epoch.

    Returns:
        For each report: `step`, `epoch` (a fraction), and those of `elapsed` and METRICS that it has.
    """
    numbers = ({name: row[name] for name in _NUMBERS if name in row and _can_be_drawn(row[name])} for row in rows)
    return [{**row, "epoch": row["step"] / (steps_per_epoch or 1.0)} for row in numbers if "step" in row]


def kept_report(rows: Sequence[Report], patience: int) -> Report | None:
    """The report with the validation results of the model that the training kept; None before the first validation.

    That is the model of the last epoch, or, with patience, the model with the lowest validation loss.
    """
    validated = [row for row in rows if _can_be_drawn(row.get("val_accuracy")) and _can_be_drawn(row.get("val_loss"))]
    if not validated:
        return None
    return min(validated, key=lambda row: row["val_loss"]) if patience else validated[-1]


def _can_be_drawn(value: object) -> bool:
    return is_number(value) and -MAX_VALUE < value < MAX_VALUE
