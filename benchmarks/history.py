"""Time to list a history of many runs, with its index and without, and to compare ten runs.

    python benchmarks/history.py [--runs N] [--reports N]

Creates the runs in a temporary folder. Without the index every run is read and the index is written; with it, only
times and sizes of the folders are checked. The page's script runs are AppTest's and include its own work; no caches.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import live
import results
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core.charts import runs as run_charts
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs import history, index, reports
from mnist_core.runs.comparison import settings_table
from mnist_core.runs.labels import update_label
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run, list_runs
from pages.ui.shared import state

COMPARED = 10
REPEATS = 5


def report(step: int, steps: int) -> dict[str, Any]:
    """One line of metrics.jsonl, of the size that a worker writes."""
    loss = 2.3 * 0.999**step + 0.01 * (step % 7)
    row = {"step": step, "epoch": step // 100, "loss": loss, "accuracy": 1 - loss / 3, "elapsed": step / 40}
    return row | ({"val_loss": loss, "val_accuracy": 1 - loss / 3} if step % 100 == 0 or step == steps else {})


def make_runs(root: Path, count: int, steps: int) -> None:
    """Creates finished runs. Their reports are hard links to one file: only ten are read."""
    first = root.parent / "metrics.jsonl"
    first.write_text("".join(json.dumps(report(step, steps)) + "\n" for step in range(1, steps + 1)), encoding="utf-8")
    names = list(RECIPES)
    for number in range(count):
        run = create_run(make_spec(names[number % len(names)], {"epochs": 1 + number % 50}, seed=number), root)
        os.link(first, run.path / "metrics.jsonl")
        ended = replace(run.status(), state="finished", step=steps, steps=steps, epoch=50, epochs=50)
        run.write_status(replace(ended, train_seconds=60.0, images_per_second=2000.0))
        card = {
            "test_accuracy": 0.9 + number % 97 / 1000,
            "test_loss": 0.1,
            "data": {"name": "full"},
            "test": {"confusion": [[980] * 10] * 10},
        }
        run.write_card(card)
        update_label(run, name=f"run {number}", note="made to be measured")


def prepare(runs: list[Run]) -> dict[str, Any]:
    """Computes what the comparison shows: curves as Altair charts, and a table of settings."""
    curves = {run.id: reports.chart_rows(run.metrics().rows, 100) for run in runs}
    settings_table([run.spec() for run in runs])
    chart: dict[str, Any] = run_charts.run_curves(curves, "loss", "step", smoothing=0.5).to_dict()
    return chart


def page(compared: list[Run]) -> None:
    """Opens the Runs page as its first visitor; with a link to a comparison, if runs are given.

    Raises:
        RuntimeError: it shows an error, or not what was asked for.
    """
    st.cache_data.clear()
    st.cache_resource.clear()
    app = AppTest.from_file(str(live.ROOT / "app.py"), default_timeout=120)
    app.session_state[state.EXPERT] = True  # which shows the confusion matrices of several runs, too
    app.switch_page("pages/runs.py")
    if compared:
        app.query_params["compare"] = ",".join(run.id for run in compared)
    app.run()
    charts = len(app.get("vega_lite_chart"))
    if app.exception or app.error or not app.dataframe or charts < len(compared):
        raise RuntimeError(f"The page shows {charts} charts: {[error.value for error in (*app.exception, *app.error)]}")


def seconds(action: Callable[[], Any]) -> list[float]:
    """Of each of REPEATS times."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return taken


@click.command()
@click.option("--runs", "count", default=500, show_default=True)
@click.option("--reports", "steps", default=5000, show_default=True, help="Of each run.")
def main(count: int, steps: int) -> None:
    """Lists the history without its index and with it, compares ten runs, and opens the page that does both."""
    logging.disable(logging.WARNING)  # Streamlit's, of being run by AppTest
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        os.environ |= {"DIGITLAB_RUNS": str(root), "DIGITLAB_WARM": "0"}
        make_runs(root, count, steps)

        def cold() -> None:
            (root / index.INDEX_FILE).unlink(missing_ok=True)
            history.history_rows(root)

        without, with_index = seconds(cold), seconds(lambda: history.history_rows(root))
        ratios = [one / other for one, other in zip(without, with_index, strict=True)]
        results.figure(f"{count} runs listed with the index", with_index, "s")
        results.figure("the same", ratios, "×", peer="every directory read")
        ten = list_runs(root)[:COMPARED]
        for run in ten:
            shutil.copy(DEFAULT_MODEL, run.model)  # so that their confusions are shown, too
        prepare(ten[:1])  # Altair is imported once
        many = f"{COMPARED} runs of {steps:,} reports"
        results.figure(f"{many} drawn as charts", seconds(lambda: prepare(ten)), "s")
        page([])
        results.figure(f"Runs page of {count} runs", seconds(lambda: page([])), "s", "≤ 1")
        results.figure(f"Runs page that compares {many}", seconds(lambda: page(ten)), "s", "≤ 1.5")


if __name__ == "__main__":
    main()
