"""Time to look into a model: activations, nearest neighbors, gradients, and a whole test set.

    python benchmarks/looking.py [--digits N]

Uses the shipped model and MNIST's test images, and does what the web process does, without the page. Gradients come
from the gradient server that the page uses too; it is started for this.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import results

from mnist_core.charts import layers as layer_charts
from mnist_core.data.mnist import Mnist, load_mnist
from mnist_core.evaluation.metrics import evaluate
from mnist_core.explain import neighbors
from mnist_core.explain.counterfactual import find_counterfactual
from mnist_core.explain.gradient_client import GradientClient
from mnist_core.explain.occlusion import occlusion_maps
from mnist_core.models.activations import ActivationModel
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.processes import cpu_count

WARM_UP = 3


def milliseconds(work: Callable[[Any], object], given: Iterable[Any]) -> list[float]:
    """Of each; the first few are not counted."""
    taken = []
    for each in given:
        began = time.perf_counter()
        work(each)
        taken.append(1000 * (time.perf_counter() - began))
    return taken[WARM_UP:]


def look(images: Any) -> None:
    """Prints the time per digit of what needs no gradients."""
    layers, classifier = ActivationModel(DEFAULT_MODEL), Classifier(DEFAULT_MODEL)

    def activations(image: Any) -> None:
        for values in layers.outputs(image[None]).values():
            layer_charts.fast_data_url(layer_charts.activation_grid(values[0]))

    results.figure("activations of every layer, as pictures", milliseconds(activations, images), "ms", "≤ 100")
    taken = milliseconds(lambda image: occlusion_maps(classifier, image), images)
    results.figure("occlusion, 169 patches in one batch", taken, "ms")
    results.figure("counterfactual", milliseconds(lambda image: find_counterfactual(classifier, image), images), "ms")


def gradients(images: Any) -> None:
    """Time to the first picture, and to each later one."""
    began, helper = time.perf_counter(), GradientClient(cpu_count())
    try:
        helper.attribute("integrated", DEFAULT_MODEL.parent, images[0], [7])
        results.figure("first attribution, TensorFlow not loaded", [time.perf_counter() - began], "s", "≤ 10")
        for method in ("integrated", "smooth", "gradient"):
            taken = milliseconds(
                lambda image, method=method: helper.attribute(method, DEFAULT_MODEL.parent, image, [7]), images
            )
            results.figure(f"a later attribution, {method}", taken, "ms", "≤ 500")
    finally:
        helper.close()


def whole_sets(mnist: Mnist) -> None:
    """Time to evaluate all test images and to describe all training images."""
    began = time.perf_counter()
    probabilities = Classifier(DEFAULT_MODEL, cpu_count()).probabilities(mnist.x_test)
    evaluate(probabilities, mnist.y_test)
    seconds = time.perf_counter() - began
    results.figure(f"{len(mnist.x_test):,} test images evaluated for the first time", [seconds], "s", "≤ 5")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        neighbors.write_descriptors(
            ActivationModel(DEFAULT_MODEL, cpu_count()), mnist.x_train, Path(folder) / "neighbors.npy"
        )
        seconds = time.perf_counter() - began
    results.figure(
        f"{len(mnist.x_train):,} training digits described for the nearest neighbors", [seconds], "s", "≤ 20"
    )


@click.command()
@click.option("--digits", default=20, show_default=True)
def main(digits: int) -> None:
    """Prints milliseconds and seconds."""
    mnist = load_mnist("full")
    images = mnist.x_test[: digits + WARM_UP]
    look(images)
    gradients(images)
    whole_sets(mnist)


if __name__ == "__main__":
    main()
