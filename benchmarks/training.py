"""Images a second of each published recipe in the worker, with all its reports, beside plain Keras in the same run.

    python benchmarks/training.py [--pairs N] [NAME]...

Both train two epochs of the full MNIST, and the second is measured, validation left out. Keras is as it comes: where
oneDNN is not on by itself, it stays off there. Nothing else should run beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import click
import product
import results

from mnist_core import data
from mnist_core.recipes import RECIPES
from mnist_core.runs import find_run

PEER = Path(__file__).parent / "peers" / "keras_fit.py"


def ours(recipe: str) -> float:
    """Seconds of the second epoch in the worker."""
    run = find_run(product.train(recipe, "--epochs", "2")["run"])
    ends = [row for row in run.metrics().rows if "val_loss" in row]
    return float(ends[1]["elapsed"] - ends[0]["elapsed"] - ends[1]["val_seconds"])


def theirs(recipe: str) -> float:
    """Seconds of the second epoch of `model.fit`."""
    command = [sys.executable, str(PEER), recipe, "full"]
    environment = {**os.environ, "PYTHONPATH": str(PEER.parents[2])}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return float(json.loads(printed.splitlines()[-1])["seconds"])


@click.command()
@click.argument("names", nargs=-1)
@click.option("--pairs", default=1, show_default=True)
def main(names: tuple[str, ...], pairs: int) -> None:
    """Prints a ratio for each recipe, and their geometric mean."""
    chosen = names or tuple(name for name, recipe in RECIPES.items() if recipe.published)
    data.load("full")
    medians = []
    for name in chosen:
        ratios = []
        for number in range(pairs):
            measures = {"ours": ours, "theirs": theirs}
            order = list(measures) if number % 2 == 0 else list(measures)[::-1]
            found = {which: measures[which](name) for which in order}
            ratios.append(found["theirs"] / found["ours"])
            print(f"  {name}: {found['ours']:.2f} s an epoch, Keras {found['theirs']:.2f} s", flush=True)
        figure = results.figure(f"{name}: images a second", ratios, "×", "≥ 1.0", "model.fit of Keras as it comes")
        medians.append(figure.value)
    results.figure("geometric mean of these", [statistics.geometric_mean(medians)], "×", peer="model.fit")


if __name__ == "__main__":
    main()
