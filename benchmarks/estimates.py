"""What the estimates of validation within an epoch cost: epochs with and without them take turns in one training.

    python benchmarks/estimates.py [--pairs N] [NAME]...

The seconds of an epoch are those on the clock without its validation, as a user waits for them. Neither the first epoch
nor the graph of the first estimate counts: validation needs the same graph.
"""

from __future__ import annotations

import time
from dataclasses import replace

import click
import results

from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.spec import RunSpec
from mnist_core.training import dataset, loop
from mnist_core.training.batches import steps_per_epoch
from mnist_core.training.estimate import TIME_SHARE, ValidationEstimator
from mnist_core.training.model import make_model
from mnist_core.training.predict import make_predictor


def measure(recipe: str, pairs: int) -> None:
    """Trains a recipe for a warm-up of two epochs and `pairs` times two."""
    settings = replace(RECIPES[recipe].settings, epochs=2 + 2 * pairs)
    split = dataset.load_dataset(RunSpec(recipe, settings, "full"), lambda *_: None, 2).split
    model = make_model(settings, 0)
    estimator = ValidationEstimator(make_predictor(model), split, steps_per_epoch(len(split.x_train), settings))
    seconds, estimated, training, count = [0.0] * settings.epochs, [0.0] * settings.epochs, [0.0] * settings.epochs, 0
    began = time.perf_counter()
    for report in loop.train(model, settings, split, 0):
        epoch = report.epoch - (report.val_loss is not None)
        if epoch % 2 == 0:
            report = estimator.add_to(report)
        now = time.perf_counter()
        seconds[epoch] += now - began - report.val_seconds
        estimated[epoch] += report.estimate_seconds
        training[epoch] += report.seconds
        count += epoch > 1 and report.estimated_val_loss is not None
        began = now
    ratios = [seconds[epoch] / seconds[epoch + 1] - 1 for epoch in range(2, settings.epochs, 2)]
    shares = [estimated[epoch] / training[epoch] for epoch in range(2, settings.epochs, 2)]
    print(f"  {recipe}: {count / pairs:.1f} estimates an epoch of {seconds[3]:.1f} s", flush=True)
    results.figure(
        f"{recipe}: share of training time", [100 * share for share in shares], "%", f"≤ {100 * TIME_SHARE:g}"
    )
    results.figure(f"{recipe}: epochs with estimates against those without", [100 * ratio for ratio in ratios], "%")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--pairs", default=3, show_default=True)
def main(names: tuple[str, ...], pairs: int) -> None:
    """Prints two shares for each recipe."""
    for name in names or ("fast", "canvas"):
        measure(name, pairs)


if __name__ == "__main__":
    main()
