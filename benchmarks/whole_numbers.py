"""Accuracy on whole numbers by writers that the model has not seen: the share with every digit right.

    python benchmarks/whole_numbers.py [--model default|RUN] [--numbers N]

Needs the pen digits (DIGITLAB_PEN, the cache, or a network). The baseline takes each connected part of the ink for one
digit, as most programs do.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

import click
import cv2
import numpy as np

from mnist_core.drawing.ink import HALF, binarize
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit, Strokes, render_strokes
from mnist_core.drawing.whole_numbers import recognize_number
from mnist_core.handwriting.pen_digits import load_pen_digits, split_writers
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.runs.store import find_run

HEIGHT, WIDTH, MARGIN = 280, 560, 8  # pixels of the canvas and around the number
COUNTS = (2, 3, 4, 5)  # digits of a number
GAPS = (0.05, 0.40)  # of a digit's width, between the ink of neighbors
OVERLAP = 0.03  # of a digit's width at most, once neighbors touch
BRUSHES = (8.0, 30.0)  # pixels
SIZES = (100.0, 200.0)  # pixels, the longer side of a digit, where the canvas has room
SIZE_SPREAD, BASELINE_SPREAD = 0.10, 0.03  # of a digit's size
SPECK = 0.25  # of the largest part's area; the peer passes over smaller parts, without which it reads dust


def compose(digits: Sequence[PenDigit], touching: bool, generator: np.random.Generator) -> tuple[np.ndarray, Strokes]:
    """Digits written side by side, (280, 560) uint8: 0 paper, 255 ink; and the pen's paths in pixels."""
    brush, size = generator.uniform(*BRUSHES), generator.uniform(*SIZES)
    sizes = generator.uniform(1 - SIZE_SPREAD, 1 + SIZE_SPREAD, len(digits))
    steps = generator.uniform(0, OVERLAP, len(digits)) if touching else generator.uniform(*GAPS, len(digits))
    rises = generator.normal(0, BASELINE_SPREAD, len(digits))
    while True:
        inks = [_drawn(digit, brush, size * scale) for digit, scale in zip(digits, sizes, strict=True)]
        row, places = _row(inks, steps, rises * size, touching)
        if row.shape[0] <= HEIGHT - 2 * MARGIN and row.shape[1] <= WIDTH - 2 * MARGIN:
            break
        size *= 0.95
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    top, left = (
        generator.integers(MARGIN, whole - side - MARGIN + 1)
        for whole, side in zip(canvas.shape, row.shape, strict=True)
    )
    canvas[top : top + row.shape[0], left : left + row.shape[1]] = row
    strokes: list[np.ndarray] = []
    for digit, scale, place in zip(digits, sizes, places, strict=True):
        points = np.concatenate(digit.strokes)
        unit, low = size * scale / np.ptp(points, axis=0).max(), points.min(axis=0)
        strokes += [(stroke - low) * unit + brush / 2 + place + (left, top) for stroke in digit.strokes]
    return canvas, tuple(strokes)


def _drawn(digit: PenDigit, brush: float, size: float) -> np.ndarray:
    """One digit's ink, cropped."""
    return _cropped(render_strokes(digit.strokes, brush, size, side=HEIGHT))


def _cropped(ink: np.ndarray) -> np.ndarray:
    left, top, width, height = cv2.boundingRect(binarize(ink, HALF))
    return ink[top : top + height, left : left + width]


def _row(
    inks: Sequence[np.ndarray], steps: np.ndarray, rises: np.ndarray, touching: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The digits on one line, cropped, and where each begins in it: x, y."""
    row = np.zeros((2 * HEIGHT, 4 * WIDTH), np.uint8)  # room for the largest
    right, places = 0, []
    for ink, step, rise in zip(inks, steps, rises, strict=True):
        top = HEIGHT + HEIGHT // 4 - ink.shape[0] - round(rise)
        band, change = row[top : top + ink.shape[0]], round(step * ink.shape[1])
        left = right
        if right and touching:
            left = _contact(band, ink, right) - change
        elif right:
            left = right + change
        left = max(left, 0)
        place = band[:, left : left + ink.shape[1]]
        np.maximum(place, ink, out=place)
        right = max(right, left + ink.shape[1])
        places.append(np.array([left, top]))
    corner = cv2.boundingRect(binarize(row, HALF))[:2]
    return _cropped(row), [place - corner for place in places]


def _contact(band: np.ndarray, ink: np.ndarray, right: int) -> int:
    """Position of a digit that is pushed to the left until its ink touches the row's."""
    pushed = binarize(ink, HALF)
    for left in range(right, 0, -1):
        if (binarize(band[:, left : left + ink.shape[1]], HALF) & pushed).any():
            return left
    return 0


def component_by_component(canvas: np.ndarray, classifier: Classifier) -> str:
    """The baseline: each connected part is a digit."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(binarize(canvas, HALF), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = [part for part in range(1, len(stats)) if areas[part] >= SPECK * areas[1:].max()]
    kept.sort(key=lambda part: int(stats[part, cv2.CC_STAT_LEFT]))
    images = np.stack([normalize_drawing(np.where(labels == part, canvas, 0).astype(np.uint8)).image for part in kept])
    return "".join(str(digit) for digit in classifier.digit_probabilities(images).argmax(axis=1))


def numbers_of(
    digits: Sequence[PenDigit], count: int, total: int, generator: np.random.Generator
) -> list[list[PenDigit]]:
    """Random digits, all of a number by one writer."""
    writers = sorted({digit.writer for digit in digits})
    by_writer = {writer: [digit for digit in digits if digit.writer == writer] for writer in writers}
    chosen = generator.choice(writers, total)
    return [[by_writer[writer][i] for i in generator.integers(len(by_writer[writer]), size=count)] for writer in chosen]


@click.command()
@click.option("--model", default="default", show_default=True)
@click.option("--numbers", default=100, show_default=True, help="Numbers of each kind.")
def main(model: str, numbers: int) -> None:
    """Prints a line per kind of number: percent of numbers recognized, and milliseconds per number."""
    cv2.setNumThreads(1)
    classifier = Classifier(DEFAULT_MODEL if model == "default" else find_run(model).model, 1)
    _, kept = split_writers(load_pen_digits())
    print(f"model {model}; {numbers} numbers a line, by writers it was not trained on")
    names = ("digits", "neighbors", "correct", "with the pen's path", "component by component", "ms", "most ms")
    print(f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|")
    table = []
    for touching in (False, True):
        for count in COUNTS:
            generator = np.random.default_rng([count, touching])
            right, times = np.zeros(3, int), []
            for digits in numbers_of(kept, count, numbers, generator):
                (canvas, strokes), text = compose(digits, touching, generator), "".join(str(d.label) for d in digits)
                start = time.perf_counter()
                answer = recognize_number(canvas, classifier).text
                times.append(1000 * (time.perf_counter() - start))
                informed = recognize_number(canvas, classifier, strokes=strokes).text
                right += [found == text for found in (answer, informed, component_by_component(canvas, classifier))]
            how, shares = "touching" if touching else "apart", (100 * right / numbers).tolist()
            cells = (count, how, *(f"{share:.1f}" for share in shares), f"{np.median(times):.0f}", f"{max(times):.0f}")
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            table.append({"digits": count, "neighbors": how, "right": shares})
    print(json.dumps({"model": model, "table": table}), file=sys.stderr)


if __name__ == "__main__":
    main()
