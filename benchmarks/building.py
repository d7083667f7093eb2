"""The network builder: time per change of a layer, accuracy of the estimated epoch time, time to measure the machine.

    python benchmarks/building.py [--times N]

Estimates are compared with a training of the full MNIST in the real worker: the number of images that it trains per
second once its graphs are built gives the seconds per epoch.
"""

from __future__ import annotations

import math
import os
import tempfile
import time

import click
import results
import together

from mnist_core.charts import network_diagram
from mnist_core.config import max_running
from mnist_core.networks import cost, diagnose, edit, keras_json, share_link
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import keras_source
from mnist_core.processes import cpu_count
from mnist_core.recipes.recipes import RECIPES
from mnist_core.training import time_model

WITHIN = 1.3  # the estimate is asked to be right within 30%


CHANGES = 200


def change(place: int) -> float:
    """Milliseconds of everything that the builder computes after one change of the shipped network."""
    layers = RECIPES["canvas"].settings.layers
    began = time.perf_counter()
    layers = edit.change_layer(layers, 1, filters=8 + place % 40)
    (
        cost.layer_costs(layers),
        diagnose.diagnose(layers),
        network_diagram.network_svg(layers, 28, set()),
        network_diagram.describe_network(layers, 28),
    )
    keras_source(Architecture(layers)), share_link.encode(layers), keras_json.to_keras_json(layers)
    return 1000 * (time.perf_counter() - began)


def error(recipe: str, known: time_model.TimeModel) -> float:
    """Factor by which the estimate is too long or too short, at least 1."""
    (images_per_second,) = together.speeds(recipe, 1)
    settings = RECIPES[recipe].settings
    true = time_model.training_images(settings, "full") / images_per_second
    estimate = known.epoch_seconds(settings, "full")
    print(f"  {recipe}: an epoch takes {true:.1f} s, estimated {estimate:.1f} s", flush=True)
    return max(true / estimate, estimate / true)


@click.command()
@click.option("--times", default=1, show_default=True)
def main(times: int) -> None:
    """Prints the figures."""
    changes = [change(place) for place in range(CHANGES)]
    results.figure("a change of a layer: cost, issues, diagram, source, link, JSON", changes, "ms", "≤ 100")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITLAB_RUNS"] = folder
        took, errors = [], {}
        for _ in range(times):
            began = time.perf_counter()
            time_model.measure_machine(max(1, cpu_count() // max_running()))
            took.append(time.perf_counter() - began)
            known = time_model.read_time_model()
            if known is None:
                raise RuntimeError("the measurements of the machine were not saved")
            for recipe in RECIPES:
                errors[recipe] = [*errors.get(recipe, []), error(recipe, known)]
        results.figure("measuring the machine for the builder's estimates", took, "s")
        for recipe, found in errors.items():
            results.figure(f"seconds of an epoch of {recipe}, estimate off by a factor of", found, "×", f"≤ {WITHIN}")
        whole = [math.exp(sum(map(math.log, row)) / len(row)) for row in zip(*errors.values(), strict=True)]
        results.figure("the same, geometric mean of all recipes", whole, "×")


if __name__ == "__main__":
    main()
