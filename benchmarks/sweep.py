"""Sweeps: what TPE with pruning saves over random search, the overhead of a trial, and the time of each preset.

    python benchmarks/sweep.py [--times N] [--trials N]

Random search runs all its trials. TPE with pruning may use as many training seconds, and is scored by how many of them
it needed to match the best random trial. All on the offline sample.
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time

import click
import results

from mnist_core.charts import sweep as sweep_charts
from mnist_core.sweeps.launch import launch_sweep
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import SweepPlan, make_plan
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.store import Sweep, create_sweep

SPACE = ("learning_rate=1e-5..1e-1:log", "batch_size=16..1024:log", "dropout=0..0.9")
BASE, EPOCHS, MEASURE = "zepeda-cnn", 6, "loss"


def run_sweep(plan: SweepPlan) -> tuple[Sweep, float]:
    """Runs a sweep. Returns it and its wall-clock seconds."""
    sweep = create_sweep(plan)
    began = time.perf_counter()
    launch_sweep(sweep).wait()
    if sweep.status().state != "finished":
        raise RuntimeError(sweep.status().message)
    return sweep, time.perf_counter() - began


def until(sweep: Sweep, value: float) -> float:
    """Seconds of training until a trial was as good as `value`; infinite if none was."""
    points = sweep_charts.best_so_far(sweep.trials(), sweep.plan())
    reached = (point["seconds"] for point in points if point["best"] is not None and point["best"] <= value)
    return next(reached, math.inf)


def saved(seed: int, trials: int) -> float:
    """Training seconds that TPE with pruning needs to match random search, as a share of random search's."""
    common = {"epochs": EPOCHS, "data": "sample", "measure": MEASURE, "seed": seed, "retrain_seeds": 0}
    random, _ = run_sweep(make_plan(BASE, SPACE, trials, sampler="random", prune=False, **common))
    tpe, _ = run_sweep(make_plan(BASE, SPACE, 2 * trials, sampler="tpe", prune=True, **common))
    best = best_trial(random.trials(), random.plan())
    if best is None:
        raise RuntimeError("no trial of the random search was trained to its end")
    return until(tpe, best["value"]) / sum(row["seconds"] for row in random.trials())


def overheads(sweep: Sweep) -> list[float]:
    """Seconds from the beginning of each trial to that of the next, above its training; without the very first, which
    waits for TensorFlow."""
    trials = sweep.trials()
    pairs = zip(trials[1:-1], trials[2:], strict=True)
    return [after["began"] - before["began"] - before["seconds"] for before, after in pairs]


@click.command()
@click.option("--times", default=5, show_default=True)
@click.option("--trials", default=20, show_default=True)
def main(times: int, trials: int) -> None:
    """Prints the three figures."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITLAB_RUNS"] = folder
        for name, preset in PRESETS.items():
            sweep, seconds = run_sweep(preset.plan())
            results.figure(f"the preset sweep {name}", [seconds], "s", "≤ 180")
            results.figure("overhead of a trial", [statistics.median(overheads(sweep))], "s", "≤ 3")
        shares = [saved(seed, trials) for seed in range(times)]
        results.figure("training seconds of TPE with pruning to match the best of random search", shares, "×", "≤ 0.6")


if __name__ == "__main__":
    main()
