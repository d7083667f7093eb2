"""What commands print on stdout: JSON, tables, and the result of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mnist_core.runs.imports import read_import
from mnist_core.runs.run import Run


def print_json(value: Any) -> None:
    """Prints an object on one line and a list with one value per line."""
    click.echo(json.dumps(value, indent=1 if isinstance(value, list) else None))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Prints rows as aligned text below a line with the names of the columns."""
    lines = [list(columns), *([cell_text(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def cell_text(value: Any) -> str:
    """A value as a cell of a table: `-` for None, `0.9876`, `0.00035`, `1,024`, `28 × 28 × 1`."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.4f}"
    if isinstance(value, tuple):
        return " × ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def run_result(run: Run) -> dict[str, Any]:
    """State and result of a run, as `train --json` and `runs --json` print it. Figures are None without a model."""
    status, card, mark = run.status(), run.card(), read_import(run.path)
    return {
        "run": run.id,
        "state": status.state,
        "test_accuracy": card.get("test_accuracy"),
        "test_loss": card.get("test_loss"),
        "train_seconds": status.train_seconds,
        "images_per_second": status.images_per_second,
        "message": status.message,
        "imported": mark is not None,
    }
