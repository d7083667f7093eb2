"""What runs reported, made ready to be laid over one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy")
MOST = 1e300  # what is larger is infinite, or as good as
_NUMBERS = ("step", "elapsed", *MEASURES)


def comparable(rows: Sequence[Mapping[str, Any]], steps_per_epoch: float) -> list[dict[str, float]]:
    """Reports with what can be drawn of them.

    Args:
        rows: as they stand in metrics.jsonl. What is no finite number is left out, and a report without a step.
        steps_per_epoch: batches in an epoch.

    Returns:
        For each: `step`, `epoch` (a fraction), and of `elapsed` and MEASURES those that it has.
    """
    numbers = ({name: row[name] for name in _NUMBERS if name in row and _is_number(row[name])} for row in rows)
    return [{**row, "epoch": row["step"] / (steps_per_epoch or 1.0)} for row in numbers if "step" in row]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST < value < MOST
