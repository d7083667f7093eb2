"""What all commands share: the group they hang on, what of a run is printed, tables."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from mnist_core.errors import DigitLabError
from mnist_core.runs.run import Run

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON on standard output.")


class _Commands(click.Group):
    """Turns the library's errors into one line on standard error and exit status 2."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DigitLabError as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Digit Lab without the browser: train, look at runs, classify drawings."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


def result_of(run: Run) -> dict[str, Any]:
    status, card = run.status(), run.card()
    return {
        "run": run.id,
        "state": status.state,
        "test_accuracy": card.get("test_accuracy"),
        "test_loss": card.get("test_loss"),
        "train_seconds": status.train_seconds,
        "images_per_second": status.images_per_second,
        "message": status.message,
    }


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Rows as aligned text under a line of names."""
    cells = [[name for name in columns], *([cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, tuple):
        return " × ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
