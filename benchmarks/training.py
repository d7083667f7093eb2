"""Images per second of each published recipe in the worker, with all its reports, compared with plain Keras.

    python benchmarks/training.py [--pairs N] [--here | --plain-processor] [NAME]...

Both train two epochs of the full MNIST in the same run; the second epoch counts, without validation. Keras runs with
its defaults: where oneDNN is off by default, it stays off. A ratio within 5% of 1 is measured twice more.

On a processor with AVX-512 everything is measured again as on one without it: oneDNN is limited to AVX2 in both, and
Keras runs without oneDNN's kernels, as TensorFlow does by default there. Run it on an idle machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import product
import results

from mnist_core.data.mnist import load_mnist
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.store import find_run

PEER = Path(__file__).parent / "peers" / "keras_fit.py"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
HERE: Mapping[str, str] = {}
WITHOUT_AVX512 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
NEAR = 0.05


def ours(recipe: str, processor: Mapping[str, str]) -> float:
    """Seconds of the second epoch in the worker."""
    with environment(processor):
        run = find_run(product.train(recipe, "--epochs", "2")["run"])
    ends = [row for row in run.metrics().rows if "val_loss" in row]
    return float(ends[1]["elapsed"] - ends[0]["elapsed"] - ends[1]["val_seconds"])


def theirs(recipe: str, processor: Mapping[str, str]) -> float:
    """Seconds of the second epoch of `model.fit`."""
    alone = {"PYTHONPATH": str(PEER.parents[2]), **({ONEDNN: "0"} if processor else {})}
    with environment({**processor, **alone}):
        printed = subprocess.run(
            [sys.executable, str(PEER), recipe, "full"], capture_output=True, text=True, check=True
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


def ratios(recipe: str, processor: Mapping[str, str], pairs: int) -> list[float]:
    """Keras's seconds divided by ours, for each pair. They take turns in going first."""
    found: list[float] = []
    while len(found) < pairs or (len(found) < 3 and abs(found[0] - 1) < NEAR):
        both = (ours, theirs) if len(found) % 2 == 0 else (theirs, ours)
        seconds = {which: which(recipe, processor) for which in both}
        found.append(seconds[theirs] / seconds[ours])
        print(f"  {recipe}: {seconds[ours]:.2f} s an epoch, Keras {seconds[theirs]:.2f} s", flush=True)
    return found


def measure(names: tuple[str, ...], processor: Mapping[str, str], pairs: int) -> None:
    """A ratio for each recipe, and their geometric mean."""
    where = " (AVX2)" if processor else ""
    medians = []
    for name in names:
        figure = results.figure(
            f"{name}{where}: images per second",
            ratios(name, processor, pairs),
            "×",
            "≥ 1.0",
            "model.fit of Keras with its defaults",
        )
        medians.append(figure.value)
    mean = [statistics.geometric_mean(medians)]
    results.figure(f"geometric mean of these{where}", mean, "×", "≥ 1.4", "model.fit")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--pairs", default=1, show_default=True)
@click.option("--here", "processors", flag_value="here", help="Only with this machine's instructions.")
@click.option("--plain-processor", "processors", flag_value="plain", help="Only without AVX-512.")
def main(names: tuple[str, ...], pairs: int, processors: str | None) -> None:
    """Prints a ratio for each recipe, and their geometric mean."""
    chosen = names or tuple(name for name, recipe in RECIPES.items() if recipe.published)
    load_mnist("full")
    if processors != "plain":
        measure(chosen, HERE, pairs)
    if processors != "here":
        measure(chosen, WITHOUT_AVX512, pairs)


if __name__ == "__main__":
    main()
