"""The recipe `fast`: mean test accuracy of ten seeds, and training time compared with PyTorch's one-epoch recipe.

    python benchmarks/fast.py [--seeds N] [--pairs N] [--torch-python PATH]

PyTorch is not a dependency: `pip install torch` into a virtual environment of its own and give its Python.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np
import product
import results

from mnist_core.data.mnist import load_mnist

PEER = Path(__file__).parent / "peers" / "torch_fast.py"


@click.command()
@click.option("--seeds", default=10, show_default=True, help="Trainings whose accuracy is averaged.")
@click.option("--pairs", default=3, show_default=True, help="How many of them are timed together with PyTorch.")
@click.option("--torch-python", default=sys.executable, help="A Python that has torch.", envvar="DIGITLAB_BENCH_TORCH")
def main(seeds: int, pairs: int, torch_python: str) -> None:
    """Prints the mean accuracy and the ratio of the training times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.npz"
        mnist = load_mnist("full")
        np.savez(path, x_train=mnist.x_train, y_train=mnist.y_train, x_test=mnist.x_test, y_test=mnist.y_test)
        accuracies, ratios, torch_accuracies = [], [], []
        for seed in range(seeds):
            found = product.train("fast", "--seed", str(seed))
            accuracies.append(100 * found["test_accuracy"])
            if seed < pairs and (peer := torch(torch_python, path, seed)):
                ratios.append(found["train_seconds"] / peer["train_seconds"])
                torch_accuracies.append(100 * peer["test_accuracy"])
                print(f"  {found['train_seconds']:.2f} s, PyTorch {peer['train_seconds']:.2f} s", flush=True)
    results.figure("fast: mean test accuracy of its seeds", [float(np.mean(accuracies))], "%", "≥ 99.0")
    results.figure("fast: test accuracy, each seed", accuracies, "%")
    if ratios:
        results.figure("fast: training time", ratios, "×", "≤ 0.8", "PyTorch's one-epoch recipe")
        results.figure("PyTorch's one-epoch recipe: test accuracy", torch_accuracies, "%")


def torch(python: str, path: Path, seed: int) -> dict[str, float]:
    """What PyTorch's script printed; empty if torch is not installed."""
    done = subprocess.run([python, str(PEER), str(path), str(seed)], capture_output=True, text=True)
    if done.returncode:
        print(f"No comparison with PyTorch: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {}
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
