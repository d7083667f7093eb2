"""Two trainings at once: images per second of each, as a share of one training alone.

    python benchmarks/together.py [--times N] [--recipe NAME]

A training alone has all cores, as the queue assigns them; each of two has half.
"""

from __future__ import annotations

import os
import tempfile
import time

import click
import results

from mnist_core.jobs.worker_process import start_worker
from mnist_core.processes import cpu_count
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run

SECONDS = 12.0  # that are measured
SKIPPED = 5  # reports at the beginning: graphs are built then


def speeds(recipe: str, count: int) -> list[float]:
    """Images per second of each of several trainings at once."""
    runs = [create_run(make_spec(recipe, {"epochs": 50})) for _ in range(count)]
    processes = [start_worker(run, max(1, cpu_count() // count)) for run in runs]
    try:
        while any(len(run.metrics().rows) < SKIPPED for run in runs):
            if any(process.poll() is not None for process in processes):
                raise RuntimeError("; ".join(run.status().message for run in runs))
            time.sleep(0.1)
        before = [_place(run) for run in runs]
        time.sleep(SECONDS)
        after = [_place(run) for run in runs]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(last[0] - first[0]) / (last[1] - first[1]) for first, last in zip(before, after, strict=True)]


def _place(run: Run) -> tuple[float, float]:
    """Images trained, and seconds, at the last report."""
    rows = run.metrics().rows
    return sum(row["images"] for row in rows), rows[-1]["elapsed"]


@click.command()
@click.option("--times", default=3, show_default=True)
@click.option("--recipe", default="fleming-cnn", show_default=True)
def main(times: int, recipe: str) -> None:
    """Prints the smallest share of each time."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITLAB_RUNS"] = folder
        shares = []
        for _ in range(times):
            (alone,), both = speeds(recipe, 1), speeds(recipe, 2)
            shares += [speed / alone for speed in both]
            print(f"  alone {alone:,.0f} images/s, together {both[0]:,.0f} and {both[1]:,.0f}", flush=True)
    results.figure(f"{recipe}: each of two trainings at once", shares, "×", "≥ 0.45", "one alone")


if __name__ == "__main__":
    main()
