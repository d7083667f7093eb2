"""How long a history of many runs takes to list, with its index and without, and ten runs to be compared.

    python benchmarks/history.py --runs 500 --reports 5000

The runs are made in a temporary folder. `cold`: every directory is read, and the index written; `warm`: the index is
read, and only the directories' times and sizes are looked at.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mnist_core import figures, history, index, reports
from mnist_core.recipes import RECIPES
from mnist_core.runs import Run, create, list_runs, make_spec

COMPARED = 10
REPEATS = 5


def report(step: int, steps: int) -> dict[str, Any]:
    """One line of metrics.jsonl, of the size that a worker writes."""
    loss = 2.3 * 0.999**step + 0.01 * (step % 7)
    row = {"step": step, "epoch": step // 100, "loss": loss, "accuracy": 1 - loss / 3, "elapsed": step / 40}
    return row | ({"val_loss": loss, "val_accuracy": 1 - loss / 3} if step % 100 == 0 or step == steps else {})


def make_runs(root: Path, count: int, steps: int) -> None:
    """So many finished runs. Their reports are one file with many names: only ten are read."""
    first = root.parent / "metrics.jsonl"
    first.write_text("".join(json.dumps(report(step, steps)) + "\n" for step in range(1, steps + 1)), encoding="utf-8")
    names = list(RECIPES)
    for number in range(count):
        run = create(make_spec(names[number % len(names)], {"epochs": 1 + number % 50}, seed=number), root)
        os.link(first, run.path / "metrics.jsonl")
        ended = replace(run.status(), state="finished", step=steps, steps=steps, epoch=50, epochs=50)
        run.write_status(replace(ended, train_seconds=60.0, images_per_second=2000.0))
        card = {"test_accuracy": 0.9 + number % 97 / 1000, "test_loss": 0.1, "data": {"name": "full"},
                "test": {"confusion": [[980] * 10] * 10}}  # fmt: skip
        run.write_card(card)
        history.relabel(run, name=f"run {number}", note="made to be measured")


def prepare(runs: list[Run]) -> dict[str, Any]:
    """What the comparison draws: the curves of each, as an Altair chart, and the settings side by side."""
    curves = {run.id: reports.comparable(run.metrics().rows, 100) for run in runs}
    history.settings_table([run.spec() for run in runs])
    chart: dict[str, Any] = figures.overlay(curves, "loss", "step", smoothing=0.5).to_dict()
    return chart


def seconds(action: Callable[[], Any]) -> float:
    """The best of REPEATS."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken)


@click.command()
@click.option("--runs", "count", default=500, show_default=True)
@click.option("--reports", "steps", default=5000, show_default=True, help="Of each run.")
def main(count: int, steps: int) -> None:
    """Lists the history cold and warm, and compares ten runs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        make_runs(root, count, steps)

        def cold() -> None:
            (root / index.FILE).unlink(missing_ok=True)
            history.everything(root)

        without, with_index = seconds(cold), seconds(lambda: history.everything(root))
        prepare(list_runs(root)[:1])  # Altair is imported once
        compared = seconds(lambda: prepare(list_runs(root)[:COMPARED]))
        click.echo(f"history of {count} runs: cold {without:.3f} s, warm {with_index:.3f} s")
        click.echo(f"comparison of {COMPARED} runs of {steps:,} reports: {compared:.3f} s")
        click.echo(f"ratio cold/warm: {without / with_index:.1f}")


if __name__ == "__main__":
    main()
