"""Would `fleming-cnn` end higher with the RMSprop of its year? The plain Keras script with the optimizer of Keras 2.2.

    python benchmarks/old_rmsprop.py [--seeds N] [--results FILE]     # a minute each; continues where it was stopped
    python benchmarks/old_rmsprop.py --gradients                      # how many weights have so small gradients

Keras 2.2 divides by √v + ε, Keras 3 by √(v + ε), both with ε = 10⁻⁷. So the smallest divisor was 10⁻⁷, and is √10⁻⁷ =
0.0003: weights whose gradients are small take smaller steps today. With ε = 10⁻¹⁴, that of Keras 3 is 10⁻⁷, too. The
seeds are not those of the trainings in benchmarks/reproduction.jsonl, with which it compares.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from mnist_core.data.mnist import load_mnist
from mnist_core.data.mnist_files import MNIST_KEYS
from mnist_core.data.splits import split_mnist
from mnist_core.evaluation.repeats import Sample, describe_sample, welch_p_value
from mnist_core.evaluation.significance import format_p_value
from mnist_core.export.keras_script import SCRIPT_FILE, script_source
from mnist_core.processes import import_keras
from mnist_core.recipes.recipes import find_recipe
from mnist_core.reproduction.plain_keras import parse_scores
from mnist_core.reproduction.results import KERAS, Training, append_training, prepare_file, read_trainings
from mnist_core.reproduction.table import format_sample
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from mnist_core.training.model import make_model

RECIPE, EPOCHS, FIRST_SEED = "fleming-cnn", 5, 2000
HERE = Path(__file__).parent
OPTIMIZER, OLD_OPTIMIZER = "keras.optimizers.RMSprop()", "keras.optimizers.RMSprop(epsilon=1e-14)"


def train(seed: int) -> Training:
    """Trains once with the old optimizer."""
    began, mnist = time.monotonic(), load_mnist("full")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "mnist.npz", **{key: getattr(mnist, key) for key in MNIST_KEYS})
        source = script_source(create_run(make_spec(RECIPE, {}, "full", seed), folder))
        assert source.count(OPTIMIZER) == 1
        (folder / SCRIPT_FILE).write_text(source.replace(OPTIMIZER, OLD_OPTIMIZER), encoding="utf-8")
        command = [sys.executable, SCRIPT_FILE, "mnist.npz"]
        environment = {**os.environ, "MPLBACKEND": "Agg"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    validation, test = parse_scores(done.stdout, EPOCHS)
    return Training(RECIPE, KERAS, seed, EPOCHS, mnist.name, round(time.monotonic() - began, 1), test, validation)


def sample(path: Path) -> Sample | None:
    """Test accuracies of the recipe's plain Keras trainings in a results file."""
    scores = [
        training.test_accuracy
        for training in read_trainings(path)
        if (training.recipe, training.trainer, training.epochs, training.data) == (RECIPE, KERAS, EPOCHS, "full")
    ]
    return describe_sample(scores) if scores else None


def print_gradients(epochs: int) -> None:
    """Trains and prints for how many weights the divisor of Keras 3 is larger, after each epoch."""
    keras, settings = import_keras(), find_recipe(RECIPE).settings
    split, model = split_mnist(load_mnist("full"), settings.split), make_model(settings, 0)
    images, labels = split.x_train[..., None].astype("float32"), keras.utils.to_categorical(split.y_train)
    for epoch in range(1, epochs + 1):
        model.fit(images, labels, batch_size=settings.batch_size, epochs=1, verbose=0)
        squares = np.concatenate([np.ravel(each) for each in model.optimizer._velocities])
        small, shorter = (squares < 1e-7).mean(), np.median(np.sqrt(squares / (squares + 1e-7)))
        print(
            f"Epoch {epoch}: the mean square of the gradient is below 1e-7 for {small:.0%} of the "
            f"weights; the median weight takes {shorter:.0%} of the step of Keras 2.2.",
            flush=True,
        )


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=HERE / "old_rmsprop.jsonl", show_default=True)
@click.option("--compare", type=click.Path(path_type=Path), default=HERE / "reproduction.jsonl", show_default=True)
@click.option("--gradients", is_flag=True, help="Only print how many weights the difference concerns.")
@click.option("--epochs", default=EPOCHS, show_default=True, help="With --gradients.")
def main(seeds: int, results: Path, compare: Path, gradients: bool, epochs: int) -> None:
    """Prints both means and whether they differ by more than chance."""
    if gradients:
        print_gradients(epochs)
        return
    prepare_file(results)
    finished = {training.seed for training in read_trainings(results)}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        if seed not in finished:
            append_training(results, train(seed))
    old, new = sample(results), sample(compare)
    print(f"Accuracy in percent with Keras 2.2's RMSprop: {format_sample(old)}. With Keras 3's: {format_sample(new)}.")
    if old and new and (p_value := welch_p_value(old, new)) is not None:
        print(f"Welch's t-test: {format_p_value(p_value)}.")


if __name__ == "__main__":
    main()
