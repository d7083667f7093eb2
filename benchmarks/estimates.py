"""What the estimates of validation within an epoch cost: epochs with and without them take turns in one training.

    python benchmarks/estimates.py [--pairs N] [NAME]...

Seconds are those of the processor, with validation: other processes of the machine do not count, nor do the first two
epochs, in which graphs are built.
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
    seconds, estimated, count = [0.0] * settings.epochs, [0.0] * settings.epochs, 0
    began = time.process_time()
    for report in loop.train(model, settings, split, 0):
        trained = time.process_time()
        epoch = report.epoch - (report.val_loss is not None)
        if epoch % 2 == 0:
            report = estimator.add_to(report)
        now = time.process_time()
        seconds[epoch] += now - began
        estimated[epoch] += now - trained
        count += epoch > 1 and report.estimated_val_loss is not None
        began = now
    with_estimates = range(2, settings.epochs, 2)
    shares = [100 * estimated[epoch] / (seconds[epoch] - estimated[epoch]) for epoch in with_estimates]
    ratios = [100 * (seconds[epoch] / seconds[epoch + 1] - 1) for epoch in with_estimates]
    print(f"  {recipe}: {count / pairs:.1f} estimates an epoch of {seconds[3]:.1f} s", flush=True)
    results.figure(f"{recipe}: estimates, of the time of an epoch", shares, "%", f"≤ {100 * TIME_SHARE:g}")
    results.figure(f"{recipe}: an epoch with estimates takes more by", ratios, "%")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--pairs", default=3, show_default=True)
def main(names: tuple[str, ...], pairs: int) -> None:
    """Prints two shares for each recipe."""
    for name in names or ("fast", "canvas"):
        measure(name, pairs)


if __name__ == "__main__":
    main()
