"""Images per second of each published recipe in the worker, with all its reports, compared with plain Keras.

    python benchmarks/training.py [--pairs N] [--here | --plain-processor] [NAME]...

Both train two epochs of 20,000 images of MNIST in the same run; the second epoch counts, without validation. Keras
runs with its defaults: where oneDNN is off by default, it stays off. They take turns, and the fastest epoch of each
counts: on a shared machine, whatever else is running only makes an epoch longer, by up to a factor of two.

On a processor with AVX-512 everything is measured again as on one without it: oneDNN is limited to AVX2 in both, and
Keras runs without oneDNN's kernels, as TensorFlow does by default there. Run it on an idle machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import product
import results

from mnist_core.data.mnist import load_mnist
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.store import find_run

PEER = Path(__file__).parent / "peers" / "keras_fit.py"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
HERE: Mapping[str, str] = {}
WITHOUT_AVX512 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
IMAGES, TEST_IMAGES = 20_000, 2_000


def ours(recipe: str, data: str, processor: Mapping[str, str]) -> float:
    """Seconds of the second epoch in the worker."""
    with environment(processor):
        run = find_run(product.train(recipe, "--epochs", "2", "--data", data)["run"])
    ends = [row for row in run.metrics().rows if "val_loss" in row]
    return float(ends[1]["elapsed"] - ends[0]["elapsed"] - ends[1]["val_seconds"])


def theirs(recipe: str, data: str, processor: Mapping[str, str]) -> float:
    """Seconds of the second epoch of `model.fit`."""
    alone = {"PYTHONPATH": str(PEER.parents[2]), **({ONEDNN: "0"} if processor else {})}
    with environment({**processor, **alone}):
        printed = subprocess.run(
            [sys.executable, str(PEER), recipe, data], capture_output=True, text=True, check=True
        ).stdout
    return float(json.loads(printed.splitlines()[-1])["seconds"])


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Sets these environment variables within the context, and clears all others about oneDNN."""
    before = dict(os.environ)
    os.environ.pop(ONEDNN, None)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ratio(recipe: str, data: str, processor: Mapping[str, str], pairs: int) -> float:
    """Keras's seconds divided by ours, of the fastest epoch of each. They take turns in going first."""
    seconds: dict[Any, list[float]] = {ours: [], theirs: []}
    for pair in range(pairs):
        for which in (ours, theirs) if pair % 2 == 0 else (theirs, ours):
            seconds[which].append(which(recipe, data, processor))
        print(f"  {recipe}: {seconds[ours][-1]:.2f} s an epoch, Keras {seconds[theirs][-1]:.2f} s", flush=True)
    return min(seconds[theirs]) / min(seconds[ours])


def measure(names: tuple[str, ...], data: str, processor: Mapping[str, str], pairs: int) -> None:
    """A ratio for each recipe, and their geometric mean."""
    where, found = " (AVX2)" if processor else "", []
    for name in names:
        found.append(ratio(name, data, processor, pairs))
        peer = "model.fit of Keras with its defaults"
        results.figure(f"{name}{where}: images per second", found[-1:], "×", "≥ 1.0", peer)
    mean = [statistics.geometric_mean(found)]
    results.figure(f"geometric mean of these{where}", mean, "×", "≥ 1.4", "model.fit")


def save_images(path: Path) -> None:
    """Writes the first images of MNIST as an .npz with Keras's four keys."""
    mnist = load_mnist("full")
    np.savez(
        path,
        x_train=mnist.x_train[:IMAGES],
        y_train=mnist.y_train[:IMAGES],
        x_test=mnist.x_test[:TEST_IMAGES],
        y_test=mnist.y_test[:TEST_IMAGES],
    )


@click.command()
@click.argument("names", nargs=-1)
@click.option("--pairs", default=3, show_default=True)
@click.option("--here", "processors", flag_value="here", help="Only with this machine's instructions.")
@click.option("--plain-processor", "processors", flag_value="plain", help="Only without AVX-512.")
def main(names: tuple[str, ...], pairs: int, processors: str | None) -> None:
    """Prints a ratio for each recipe, and their geometric mean."""
    chosen = names or tuple(name for name, recipe in RECIPES.items() if recipe.published)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.npz"
        save_images(path)
        if processors != "plain":
            measure(chosen, str(path), HERE, pairs)
        if processors != "here":
            measure(chosen, str(path), WITHOUT_AVX512, pairs)


if __name__ == "__main__":
    main()
