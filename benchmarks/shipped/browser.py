"""Measures what the precision of the weights costs the shipped model in a browser, and records it in the model's card.

    python benchmarks/shipped/browser.py

It runs the browser's engine under Node on MNIST's 10,000 test images, which takes 40 seconds for each precision and
needs the full MNIST, and compares the answers with LiteRT's. An exported web page quotes these figures.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from mnist_core.browser.weights_file import browser_model
from mnist_core.data.mnist import load_mnist
from mnist_core.evaluation.metrics import evaluate
from mnist_core.export.html_card import PagePrecision
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.models.weights import layer_weights
from mnist_core.processes import cpu_count
from mnist_core.runs.model_card import load_architecture
from tests.javascript.parity import engine_outputs, run_node


def main() -> None:
    """Prints the figures of each precision and writes them to card.json."""
    mnist, folder = load_mnist("full"), DEFAULT_MODEL.parent
    architecture = load_architecture(folder)
    weights = layer_weights(folder / "model.keras", architecture)
    expected = Classifier(DEFAULT_MODEL, cpu_count()).probabilities(mnist.x_test)
    measured = {}
    for precision in get_args(PagePrecision):
        model = browser_model(architecture, weights, precision)
        with ThreadPoolExecutor() as pool:
            parts = np.array_split(mnist.x_test, cpu_count())
            found = np.concatenate(list(pool.map(partial(engine_outputs, run_node, model), parts)))
        measured[precision] = {
            "test_accuracy": evaluate(found, mnist.y_test).accuracy,
            "same_digit": int((found.argmax(axis=1) == expected.argmax(axis=1)).sum()),
            "largest_difference": float(np.abs(found - expected).max()),
            "images": len(found),
        }
        print(precision, measured[precision], flush=True)
    write_json(folder / "card.json", {**read_json(folder / "card.json"), "browser": measured})


if __name__ == "__main__":
    main()
