"""Seconds of training to a mean test accuracy of 99.0%: `fast`, and two tuned networks in PyTorch, in one process.

    python benchmarks/seconds_to_99.py           # an idle machine, and PyTorch's CPU build in this Python
    python benchmarks/seconds_to_99.py --tune    # compares PyTorch's recipes; the test images are not looked at

PyTorch trains the network of `fast`, and one for a single epoch that many have copied. All train on growing BUDGETS:
a share of the images in one epoch, with the whole schedule, or several epochs. For each budget and seed they train in
turn, and take turns in going first. Each has then a curve of mean accuracy over mean seconds, and the time at which it
crosses 99.0% is read off between two points: that is the figure, so none profits from a budget that happens to suit it.
Time begins with the uint8 images in memory and ends with the trained weights; converting images, building the network
and tracing graphs count, importing and testing do not.

Also printed: the share of the machine's matrix-multiply peak that the training of one epoch reaches, at three times the
multiply-adds of the forward pass.
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import results

from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import Split, split_mnist
from mnist_core.evaluation.metrics import evaluate
from mnist_core.evaluation.repeats import describe_sample
from mnist_core.networks.cost import layer_costs
from mnist_core.processes import cpu_count, import_keras
from mnist_core.recipes.recipes import find_recipe
from mnist_core.training import loop
from mnist_core.training.model import make_model
from mnist_core.training.predict import predict

sys.path.insert(0, str(Path(__file__).parent / "peers"))

TARGET = 0.99
BUDGETS = (0.5, 0.7, 0.85, 1, 1.5)
"""Training, in epochs. 0.7: 70% of the images, other ones for each seed; 1.5: two epochs of 75%."""
FAST = find_recipe("fast").settings
Trainer = Callable[[Split, int, int], tuple[float, float]]
"""Split, epochs and seed -> seconds and test accuracy."""


def ours(split: Split, epochs: int, seed: int) -> tuple[float, float]:
    """`fast` in the loop of the worker."""
    settings = replace(FAST, epochs=epochs)
    began = time.perf_counter()
    model = make_model(settings, seed)
    for _ in loop.train(model, settings, without_validation(split), seed):
        pass
    seconds = time.perf_counter() - began
    return seconds, evaluate(predict(model, split.x_test), split.y_test).accuracy


def without_validation(split: Split) -> Split:
    """PyTorch does not validate, so the loop gets a single image to validate on."""
    return replace(split, x_validation=split.x_test[:1], y_validation=split.y_test[:1])


def pytorch(recipe: Any) -> Trainer:
    """PyTorch with a recipe of peers/torch_tuned.py."""
    import torch_tuned

    def train(split: Split, epochs: int, seed: int) -> tuple[float, float]:
        began = time.perf_counter()
        model = torch_tuned.train(split.x_train, split.y_train, epochs, seed, cpu_count(), recipe)
        seconds = time.perf_counter() - began
        return seconds, torch_tuned.accuracy(model, split.x_test, split.y_test)

    return train


def peers() -> dict[str, Trainer]:
    """PyTorch with both networks; none if this Python has no torch."""
    try:
        import torch_tuned
    except ImportError:
        print("No comparison: this Python has no torch.", flush=True)
        return {}
    return {
        "PyTorch, same network": pytorch(torch_tuned.Recipe()),
        "PyTorch, copied network": pytorch(torch_tuned.Recipe(network="copied")),
    }


def with_budget(split: Split, budget: float, seed: int) -> tuple[Split, int]:
    """The images and the epochs of a budget."""
    epochs = math.ceil(budget)
    count = round(budget / epochs * len(split.y_train))
    chosen = np.random.default_rng(seed).permutation(len(split.y_train))[:count]
    return replace(split, x_train=split.x_train[chosen], y_train=split.y_train[chosen]), epochs


@dataclass(frozen=True)
class Point:
    """Mean seconds and the accuracies of all seeds of one budget."""

    budget: float
    seconds: float
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy, 0..1."""
        return statistics.fmean(self.accuracies)


def curves(trainers: dict[str, Trainer], split: Split, budgets: Sequence[float], seeds: int) -> dict[str, list[Point]]:
    """A point for each budget. The trainers take turns, and in going first."""
    found: dict[str, list[Point]] = {name: [] for name in trainers}
    for budget in budgets:
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in trainers}
        for seed in range(seeds):
            order = list(trainers) if seed % 2 == 0 else list(trainers)[::-1]
            for name in order:
                taken[name].append(trainers[name](*with_budget(split, budget, seed), seed))
        for name, pairs in taken.items():
            point = Point(budget, statistics.fmean(seconds for seconds, _ in pairs), tuple(a for _, a in pairs))
            found[name].append(point)
            print(f"  {name}, {budget:g} epochs: {point.seconds:.2f} s, {describe(point)}", flush=True)
    return found


def describe(point: Point) -> str:
    """Mean accuracy with its interval, in percent."""
    half_width = describe_sample(point.accuracies).half_width
    return f"{point.mean:.3%}" + (f" ± {100 * half_width:.3f}" if half_width is not None else "")


def seconds_to(target: float, points: Sequence[Point]) -> float | None:
    """When the curve first crosses an accuracy, 0..1; None if it never does, or has done so before its first point."""
    for before, after in itertools.pairwise(points):
        if before.mean < target <= after.mean:
            share = (target - before.mean) / (after.mean - before.mean)
            return before.seconds + share * (after.seconds - before.seconds)
    return None


def peak_gigaflops() -> float:
    """Of TensorFlow's product of two matrices of 2048 × 2048, the best of five."""
    import tensorflow as tf

    matrix, seconds = tf.random.normal((2048, 2048)), []
    for _ in range(6):
        began = time.perf_counter()
        tf.matmul(matrix, matrix).numpy()
        seconds.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(seconds[1:]) / 1e9


def tune(split: Split, seeds: int) -> None:
    """Prints what one epoch gives with each of PyTorch's recipes, on validation images instead of test images."""
    import torch_tuned

    split = replace(split, x_test=split.x_validation, y_test=split.y_validation)
    curves({str(recipe): pytorch(recipe) for recipe in recipes(torch_tuned)}, split, (1,), seeds)


def recipes(torch_tuned: Any) -> Iterator[Any]:
    """The recipes that are tried."""
    for batch, peak, momenta, glorot in itertools.product((128, 256), (0.01, 0.02), (None, (0.7, 0.9)), (False, True)):
        yield torch_tuned.Recipe(batch, peak, momenta, glorot)
    for peak, momenta, glorot in itertools.product((0.01, 0.02), (None, (0.7, 0.9)), (False, True)):
        yield torch_tuned.Recipe(256, peak, momenta, glorot, "copied")


@click.command()
@click.option("--seeds", default=10, show_default=True)
@click.option("--images", default=60_000, show_default=True, help="Fewer, to try the script.")
@click.option("--tune", "tuning", is_flag=True, help="Choose PyTorch's recipe on the last 10,000 training images.")
def main(seeds: int, images: int, tuning: bool) -> None:
    """Prints the curves, the times, and their ratios."""
    import_keras()
    split = split_mnist(load_mnist("full"), "last-sixth" if tuning else FAST.split)
    parts = {field.name: getattr(split, field.name) for field in fields(split)}
    split = Split(**{name: array[: images if "train" in name else None].copy() for name, array in parts.items()})
    if tuning:
        tune(split, seeds)
        return
    trainers = {"fast": ours, **peers()}
    for train in trainers.values():  # warm: libraries load their kernels when they are first used
        train(*with_budget(split, 0.2, 0), 0)
    found = curves(trainers, split, BUDGETS, seeds)
    times = {name: seconds_to(TARGET, points) for name, points in found.items()}
    for name, taken in times.items():
        if taken is None:
            print(f"{name}: its curve does not cross {TARGET:.1%}", flush=True)
            continue
        results.figure(f"{name}: seconds to a mean of 99.0%", [taken], "s")
        if name != "fast" and times["fast"]:
            results.figure("fast: seconds to a mean of 99.0%", [times["fast"] / taken], "×", "≤ 0.6", name)
    epoch = next(point for point in found["fast"] if point.budget == 1)
    macs = sum(row.multiply_adds for row in layer_costs(FAST.layers, 28))
    reached = 3 * 2 * macs * len(split.y_train) / epoch.seconds / 1e9
    results.figure("fast: test accuracy after one epoch", [100 * epoch.mean], "%", "≥ 99.0")
    results.figure("fast: share of the matrix-multiply peak", [100 * reached / peak_gigaflops()], "%")


if __name__ == "__main__":
    main()
