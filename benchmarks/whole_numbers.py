"""Accuracy on whole numbers by writers that the model has not seen: the share with every digit right.

    python benchmarks/whole_numbers.py [--model default|RUN] [--numbers N] [--live]

Needs the pen digits (DIGITLAB_PEN, the cache, or a network). The baseline takes each connected part of the ink for one
digit, as most programs do. `--live` adds what a browser reads while the number is written, which needs Node: the share
that it reads correctly, and the share in which boxes and digits are the server's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from mnist_core.browser.model_files import read_browser_model
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
NODE_SCRIPT = Path(__file__).parents[1] / "tests" / "javascript" / "run_numbers.mjs"
BRUSHES = (8.0, 30.0)  # pixels
SIZES = (100.0, 200.0)  # pixels, the longer side of a digit, where the canvas has room
SIZE_SPREAD, BASELINE_SPREAD = 0.10, 0.03  # of a digit's size
SPECK = 0.25  # of the largest part's area; the peer passes over smaller parts, without which it reads dust


def compose(
    digits: Sequence[PenDigit], touching: bool, generator: np.random.Generator
) -> tuple[np.ndarray, Strokes, float]:
    """Digits side by side, (280, 560) uint8: 0 paper, 255 ink; the pen's paths and the brush width in pixels."""
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
    return canvas, tuple(strokes), float(brush)


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


def read_live(model: Path, canvases: Sequence[np.ndarray], brushes: Sequence[float]) -> list[dict[str, Any]]:
    """What the browser's code reads under Node: for each canvas `text`, and `boxes` as left, top, right, bottom.

    Args:
        model: a folder with model.keras.
        canvases: (280, 560) uint8, ink bright.
        brushes: the brush width of each, in pixels.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("model.bin", "drawings", "brushes", "out")]
        files[0].write_bytes(read_browser_model(model))
        files[1].write_bytes(np.stack(canvases).tobytes())
        files[2].write_text(json.dumps(list(brushes)))
        subprocess.run(["node", str(NODE_SCRIPT), *map(str, files)], check=True)
        return list(json.loads(files[3].read_text()))


def compare_live(
    model: Path, classifier: Classifier, canvases: Sequence[np.ndarray], brushes: Sequence[float], texts: Sequence[str]
) -> list[float]:
    """Percent of numbers that a browser reads correctly, and that it reads in the server's boxes as the server does."""
    found = read_live(model.parent, canvases, brushes)
    numbers = [recognize_number(canvas, classifier, brush) for canvas, brush in zip(canvases, brushes, strict=True)]
    as_server = [{"text": number.text, "boxes": [list(part.box) for part in number.parts]} for number in numbers]
    right = [each["text"] == text for each, text in zip(found, texts, strict=True)]
    same = [
        {key: each[key] for key in ("text", "boxes")} == other for each, other in zip(found, as_server, strict=True)
    ]
    return [100 * float(np.mean(right)), 100 * float(np.mean(same))]


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
@click.option("--live", is_flag=True, help="Also reads them as a browser does, under Node.")
def main(model: str, numbers: int, live: bool) -> None:
    """Prints a line per kind of number: percent of numbers recognized, and milliseconds per number."""
    cv2.setNumThreads(1)
    path = DEFAULT_MODEL if model == "default" else find_run(model).model
    classifier = Classifier(path, 1)
    _, kept = split_writers(load_pen_digits())
    print(f"model {model}; {numbers} numbers a line, by writers it was not trained on")
    names = ("digits", "neighbors", "correct", "with the pen's path", "component by component", "ms", "most ms")
    names += ("live", "live as on the server") if live else ()
    print(f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|")
    table = []
    for touching in (False, True):
        for count in COUNTS:
            generator = np.random.default_rng([count, touching])
            right, times = np.zeros(3, int), []
            canvases, brushes, texts = [], [], []
            for digits in numbers_of(kept, count, numbers, generator):
                canvas, strokes, brush = compose(digits, touching, generator)
                text = "".join(str(d.label) for d in digits)
                start = time.perf_counter()
                answer = recognize_number(canvas, classifier).text
                times.append(1000 * (time.perf_counter() - start))
                canvases.append(canvas)
                brushes.append(brush)
                texts.append(text)
                informed = recognize_number(canvas, classifier, strokes=strokes).text
                right += [found == text for found in (answer, informed, component_by_component(canvas, classifier))]
            how, shares = "touching" if touching else "apart", (100 * right / numbers).tolist()
            cells = (count, how, *(f"{share:.1f}" for share in shares), f"{np.median(times):.0f}", f"{max(times):.0f}")
            if live:
                compared = compare_live(path, classifier, canvases, brushes, texts)
                shares += compared
                cells += tuple(f"{share:.1f}" for share in compared)
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            table.append({"digits": count, "neighbors": how, "right": shares})
    print(json.dumps({"model": model, "table": table}), file=sys.stderr)


if __name__ == "__main__":
    main()
