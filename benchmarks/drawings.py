"""Accuracy on drawings: the table of docs/drawings.md, stage by stage, and the figures of the shipped model.

    python benchmarks/drawings.py [--digits N] [--figure FILE]

Trains the published `fleming-cnn` twice, with and without augmentation (four minutes on two cores), and classifies pen
digits by writers that no model has seen. The baseline is the plain resize, which other apps use. Needs the pen digits
(DIGITLAB_PEN, the cache, or a network). `--figure` writes ten drawings that the plain resize gets wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np
import product

from mnist_core.charts.common import encode_png
from mnist_core.data.mnist import Mnist, load_mnist
from mnist_core.drawing.normalize import NormalizationSteps, normalize_drawing, plain_resize
from mnist_core.drawing.strokes import PenDigit, render_strokes
from mnist_core.evaluation.calibration import calibration_error
from mnist_core.handwriting import mixture
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, draw_pen_digits, load_pen_digits, split_writers
from mnist_core.models.classifier import DEFAULT_MODEL, REJECT_ABOVE, Classifier
from mnist_core.runs.store import find_run

Prepare = Callable[[np.ndarray], np.ndarray]
"""A canvas to the (28, 28) image that a model sees."""

STAGES: dict[str, Prepare] = {
    "plain resize": lambda canvas: plain_resize(canvas).image,
    "crop": lambda canvas: normalize_drawing(canvas, steps=NormalizationSteps(True, False, False, False)).image,
    "+ square, area average": lambda canvas: (
        normalize_drawing(canvas, steps=NormalizationSteps(True, True, False, False)).image
    ),
    "+ center of mass": lambda canvas: (
        normalize_drawing(canvas, steps=NormalizationSteps(True, True, True, False)).image
    ),
    "+ stroke width": lambda canvas: normalize_drawing(canvas).image,
}
WHOLE = STAGES["+ stroke width"]
ON_CANVAS = "MNIST on a canvas"
SEED = 0


def mnist_on_canvas(images: np.ndarray) -> Iterator[np.ndarray]:
    """Each test digit enlarged three- to ninefold, somewhere on the page's canvas of 280×280."""
    generator = np.random.default_rng(SEED)
    for image in images:
        side = int(28 * generator.uniform(3, 9))
        canvas = np.zeros((280, 280), np.uint8)
        top, left = generator.integers(0, 280 - side, 2)
        canvas[top : top + side, left : left + side] = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
        yield canvas


def right(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> float:
    """Percent correct. A digit that is rejected counts as wrong."""
    return 100 * float((classifier.probabilities(images).argmax(axis=1) == labels).mean())


def row(name: str, classifier: Classifier, prepare: Prepare, kept: Sequence[PenDigit], mnist: Mnist) -> list[float]:
    """One line of the table, printed as soon as it is known: MNIST, then pen digits at each condition."""
    found = [right(classifier, np.stack([prepare(c) for c in mnist_on_canvas(mnist.x_test)]), mnist.y_test)]
    labels = np.array([digit.label for digit in kept])
    for condition in DRAWING_CONDITIONS:
        found.append(right(classifier, np.stack([prepare(c) for c in draw_pen_digits(kept, condition)]), labels))
    print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in found) + " |", flush=True)


def trained(augmentation: str) -> Classifier:
    """`fleming-cnn` as published, or augmented, trained now by the product's own command line."""
    found = product.train("fleming-cnn", "--set", f"augmentation={augmentation}", "--seed", str(SEED))
    return Classifier(find_run(found["run"]).model, 2)


def same_answers(classifier: Classifier, kept: Sequence[PenDigit]) -> dict[str, float]:
    """Percent of drawings with the same prediction after a change of how they are drawn."""
    ways: dict[str, Prepare | tuple[float, float, tuple[int, int] | None]] = {
        "moved": (20, 168, (100, 184)),
        "at 0.3 of its size": (6, 50, None),
        "at 1.5 times its size": (30, 252, None),
        "brush of 6 pixels": (6, 168, None),
        "brush of 34 pixels": (34, 168, None),
    }

    def read(width: float, size: float, center: tuple[int, int] | None, ink: Prepare = lambda c: c) -> np.ndarray:
        images = [normalize_drawing(ink(render_strokes(digit.strokes, width, size, center))).image for digit in kept]
        return classifier.digit_probabilities(np.stack(images)).argmax(axis=1)

    first = read(20, 168, None)
    found = {name: 100 * float((read(*way) == first).mean()) for name, way in ways.items()}
    return {**found, "inverted": 100 * float((read(20, 168, None, lambda canvas: 255 - canvas) == first).mean())}


def honesty(classifier: Classifier, kept: Sequence[PenDigit]) -> None:
    """Prints calibration and what is rejected as not a digit."""
    labels = np.array([digit.label for digit in kept])
    for condition in DRAWING_CONDITIONS:
        found = classifier.probabilities(np.stack([WHOLE(canvas) for canvas in draw_pen_digits(kept, condition)]))
        error, rejected = calibration_error(found, labels), (found[:, 10:].sum(axis=1) > REJECT_ABOVE).mean()
        print(f"{condition}: calibration error {error:.2%}, digits rejected {rejected:.2%}")
    images, _ = mixture.make_mixture(mixture.Mixture(0, 0, 2000), (), seed=12345, processes=2)
    rejected = (classifier.probabilities(images)[:, 10:].sum(axis=1) > REJECT_ABOVE).mean()
    print(f"newly generated scribbles, letters and shapes: {rejected:.2%} rejected")


def speed(kept: Sequence[PenDigit]) -> None:
    """Prints the time of one drawing on one core: normalization and the shipped model."""
    one_core, canvases = Classifier(DEFAULT_MODEL, 1), list(draw_pen_digits(kept[:300], "usual"))
    images = [WHOLE(canvas) for canvas in canvases]
    for name, work in {
        "normalize": lambda i: normalize_drawing(canvases[i]),
        "read": lambda i: one_core.predict(images[i]),
    }.items():
        began = time.perf_counter()
        for index in range(len(canvases)):
            work(index)
        print(f"{name}: {1000 * (time.perf_counter() - began) / len(canvases):.2f} ms a drawing")


@click.command()
@click.option("--digits", default=1500, show_default=True, help="Pen digits of the kept writers, at most.")
@click.option("--figure", type=click.Path(path_type=Path), help="Where to write the figure of lost drawings.")
@click.option("--table/--no-table", default=True, help="Whether to train for the table; the rest takes a minute.")
def main(digits: int, figure: Path | None, table: bool) -> None:
    """Prints the table of stages in percent, then what else is measured of the shipped model."""
    _, kept = split_writers(load_pen_digits())
    kept, mnist, shipped = kept[:digits], load_mnist("full"), Classifier(DEFAULT_MODEL, 2)
    print(
        f"{len(kept)} pen digits of {len({d.writer for d in kept})} people whom no model has seen; "
        f"{mnist.notice or mnist.source}"
    )
    if table:
        print("| | " + " | ".join([ON_CANVAS, *DRAWING_CONDITIONS]) + " |")
        print("|---" * (2 + len(DRAWING_CONDITIONS)) + "|")
        published = trained("none")
        for name, prepare in STAGES.items():
            row(name, published, prepare, kept, mnist)
        row("+ augmentation", trained("hand"), WHOLE, kept, mnist)
        row("the shipped model", shipped, WHOLE, kept, mnist)
    print(f"MNIST's own test images, shipped model: {right(shipped, mnist.x_test, mnist.y_test):.2f}%")
    honesty(shipped, kept)
    for name, share in same_answers(shipped, kept[:1000]).items():
        print(f"the same prediction {name}: {share:.2f}%")
    speed(kept)
    if figure:
        figure.write_bytes(encode_png(lost_drawings(shipped, kept)))


def lost_drawings(classifier: Classifier, digits: Sequence[PenDigit]) -> np.ndarray:
    """Ten drawings in a row, and below each its plain resize, which is misclassified, and its normalized image."""
    columns = []
    for canvas, digit in zip(draw_pen_digits(digits, "small thin corner"), digits, strict=True):
        plain, ours = plain_resize(canvas).image, normalize_drawing(canvas).image
        if classifier.predict(plain).digit != digit.label == classifier.predict(ours).digit and digit.label == len(
            columns
        ):
            enlarged = [np.kron(image, np.ones((10, 10), np.uint8)) for image in (plain, ours)]
            columns.append(np.vstack([canvas, *enlarged]))
        if len(columns) == 10:
            break
    framed = [np.pad(column, 4, constant_values=128) for column in columns]
    return np.asarray(cv2.resize(np.hstack(framed), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main()
