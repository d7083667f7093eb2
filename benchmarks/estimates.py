"""What the estimates of validation within an epoch cost: epochs with and without them take turns in one training.

    python benchmarks/estimates.py [--pairs N] [--seconds N] [NAME]...

Time is CPU time, with validation, so other processes of the machine matter little. The first epoch, in which graphs are
built, does not count. It should take about two and a half minutes for `fast` and `canvas` on two idle cores.
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
from mnist_core.training.estimate import ValidationEstimator
from mnist_core.training.model import make_model
from mnist_core.training.predict import make_predictor


def measure(recipe: str, pairs: int, limit: float) -> None:
    """Trains a recipe for a warm-up epoch and up to `pairs` times two; none of them begins after `limit` seconds."""
    settings = replace(RECIPES[recipe].settings, epochs=1 + 2 * pairs)
    split = dataset.load_dataset(RunSpec(recipe, settings, "full"), lambda *_: None, 2).split
    model = make_model(settings, 0)
    estimator = ValidationEstimator(make_predictor(model), split, steps_per_epoch(len(split.x_train), settings))
    seconds, estimated, count = [0.0] * settings.epochs, [0.0] * settings.epochs, 0
    deadline, began = time.monotonic() + limit, time.process_time()
    for report in loop.train(model, settings, split, 0):
        trained = time.process_time()
        ends_epoch = report.val_loss is not None
        epoch = report.epoch - ends_epoch
        if epoch == 0 or epoch % 2:
            report = estimator.add_to(report)
        now = time.process_time()
        seconds[epoch] += now - began
        estimated[epoch] += now - trained
        count += epoch > 0 and report.estimated_val_loss is not None
        began = now
        if ends_epoch and epoch and epoch % 2 == 0 and time.monotonic() > deadline:
            break
    with_estimates = range(1, report.epoch, 2)
    shares = [100 * estimated[epoch] / (seconds[epoch] - estimated[epoch]) for epoch in with_estimates]
    ratios = [100 * (seconds[epoch] / seconds[epoch + 1] - 1) for epoch in with_estimates]
    print(f"  {recipe}: {count / len(shares):.1f} estimates an epoch of {seconds[2]:.1f} s", flush=True)
    results.figure(f"{recipe}: estimates, of the time of an epoch", shares, "%", "≤ 2")
    results.figure(f"{recipe}: an epoch with estimates takes more by", ratios, "%")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--pairs", default=3, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="For each recipe; at least one pair is measured.")
def main(names: tuple[str, ...], pairs: int, seconds: float) -> None:
    """Prints two shares for each recipe."""
    for name in names or ("fast", "canvas"):
        measure(name, pairs, seconds)


if __name__ == "__main__":
    main()
