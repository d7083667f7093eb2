"""How pen digits of people whom the model never saw are read, stage by stage of the normalisation: the README's table.

    python benchmarks/drawings.py [--model default|RUN] [--digits N] [--figure FILE]

Needs the pen digits (DIGITLAB_PEN, the cache, or the network). The peer in the same run is the plain resize, which is
what other apps do. `--figure` writes ten drawings that plain resizing loses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from mnist_core import data, pen
from mnist_core.classifier import DEFAULT_MODEL, Classifier
from mnist_core.drawing import Steps, normalise, plain_resize
from mnist_core.figures import png
from mnist_core.runs import find_run

STAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain resize": lambda canvas: plain_resize(canvas).image,
    "crop": lambda canvas: normalise(canvas, steps=Steps(True, False, False, False)).image,
    "+ square, area average": lambda canvas: normalise(canvas, steps=Steps(True, True, False, False)).image,
    "+ centre of mass": lambda canvas: normalise(canvas, steps=Steps(True, True, True, False)).image,
    "+ stroke width": lambda canvas: normalise(canvas).image,
}


def accuracy(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> float:
    return float((classifier.probabilities(images).argmax(axis=1) == labels).mean())


@click.command()
@click.option("--model", default="default", show_default=True)
@click.option("--digits", default=1500, show_default=True, help="Pen digits of the kept writers, at most.")
@click.option("--figure", type=click.Path(path_type=Path), help="Where to write the figure of lost drawings.")
def main(model: str, digits: int, figure: Path | None) -> None:
    """Prints one line a stage: MNIST, then pen digits at each condition, in per cent."""
    classifier = Classifier(DEFAULT_MODEL if model == "default" else find_run(model).model, 2)
    _, kept = pen.split_writers(pen.load())
    kept, mnist = kept[:digits], data.load("full")
    labels = np.array([digit.label for digit in kept])
    print(f"model {model}; {len(kept)} pen digits of writers it was not trained on; {mnist.notice or mnist.source}")
    print(f"MNIST's own test images: {100 * accuracy(classifier, mnist.x_test, mnist.y_test):.2f} %")
    print("| stage | " + " | ".join(pen.CONDITIONS) + " |")
    print("|---" * (1 + len(pen.CONDITIONS)) + "|")
    table: dict[str, list[float]] = {}
    for name, prepare in STAGES.items():
        sets = [np.stack([prepare(canvas) for canvas in pen.draw(kept, how)]) for how in pen.CONDITIONS]
        table[name] = [round(100 * accuracy(classifier, images, labels), 2) for images in sets]
        print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in table[name]) + " |", flush=True)
    print(json.dumps({"model": model, "table": table}), file=sys.stderr)
    if figure:
        figure.write_bytes(png(lost_drawings(classifier, kept)))


def lost_drawings(classifier: Classifier, digits: tuple[pen.PenDigit, ...]) -> np.ndarray:
    """Ten drawings in a row, under each its plain resize, then its normalised image: the first is misread, not that."""
    columns = []
    for canvas, digit in zip(pen.draw(digits, "small fat"), digits, strict=True):
        plain, ours = plain_resize(canvas).image, normalise(canvas).image
        first, second = classifier.read(plain), classifier.read(ours)
        if first.digit != digit.label and second.digit == digit.label:
            enlarged = [np.kron(image, np.ones((10, 10), np.uint8)) for image in (plain, ours)]
            columns.append(np.vstack([canvas, *enlarged]))
        if len(columns) == 10:
            break
    return np.hstack(columns)


if __name__ == "__main__":
    main()
