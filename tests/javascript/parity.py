"""Compares what the browser's code answers with what the server answers: `make parity` prints how far they are apart.

It takes MNIST's 10,000 test images, with each precision of the weights (every tenth without WebAssembly), and 2,000
drawings of pen digits. Needs Node, MNIST and the pen digits. With `--keep`, the hardest are written to hardest.npz, for
`make test`.
"""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from mnist_core.browser.weights_file import Precision, browser_model
from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import load_mnist
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import render_strokes
from mnist_core.handwriting.pen_digits import load_pen_digits
from mnist_core.models.classifier import DEFAULT_MODEL, REJECT_ABOVE, Classifier
from mnist_core.models.weights import layer_weights
from mnist_core.runs.model_card import load_architecture

HERE = Path(__file__).parent
HARDEST = HERE / "hardest.npz"
"""Images, drawings and the brushes of the drawings, for `make test`."""
LARGEST_DIFFERENCE: dict[str, float] = {"float32": 1e-5, "float16": 1e-3}
"""Of a probability, for each precision."""
GRAY_LEVELS, SHARE_OF_PIXELS, SHARE_OF_ANSWERS = 3, 0.999, 0.998
"""Pixels may differ by so much; this share does not differ by more; this share of the answers is the same."""
BRUSHES = (6, 12, 20, 28, 38)
PLACES = ((140, 140), (110, 120), (165, 118), (118, 160), (160, 165))
SIZE, DIGITS = 150, 400
"""Of a drawing, in pixels of the canvas of 280; how many pen digits are drawn, each with every brush."""
NODE_SECONDS = 120
"""After which a script of Node's is taken to hang."""
KEPT = 40
"""Images, and drawings, in hardest.npz."""
NOT_A_DIGIT = NUM_CLASSES
"""The answer to a drawing that is rejected."""

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Node = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Gap:
    """Answers and images that differ.

    Attributes:
        answers: (N,) bool, true where the browser answers something else.
        probabilities: (N,) the largest difference of a probability.
        pixels: (N, 784) differences in gray levels; empty for images that need no normalization.
    """

    answers: NDArray[np.bool_]
    probabilities: Floats
    pixels: Floats


def answers(outputs: Floats) -> NDArray[np.int64]:
    """A digit for each row of outputs, or NOT_A_DIGIT."""
    rejected = outputs[:, NUM_CLASSES:].sum(axis=1) > REJECT_ABOVE
    return np.where(rejected, NOT_A_DIGIT, outputs[:, :NUM_CLASSES].argmax(axis=1))


def shipped_model(precision: Precision) -> bytes:
    """The shipped model as the browser gets it."""
    folder = DEFAULT_MODEL.parent
    architecture = load_architecture(folder)
    return browser_model(architecture, layer_weights(folder / "model.keras", architecture), precision)


def engine_outputs(node: Node, content: bytes, images: Bytes, options: tuple[str, ...] = ()) -> Floats:
    """Classifies 28×28 images with engine.js. `content`: of a model.bin. `options`: of run_engine.mjs."""
    with tempfile.TemporaryDirectory() as folder:
        model, pixels, out = (Path(folder) / name for name in ("model.bin", "images", "out"))
        model.write_bytes(content)
        pixels.write_bytes(images.tobytes())
        _checked(node("run_engine.mjs", model, pixels, out, *options))
        return np.fromfile(out, "<f4").reshape(len(images), -1)


def compare_images(node: Node, images: Bytes, precision: Precision, options: tuple[str, ...] = ()) -> Gap:
    """Classifies 28×28 images. `options`: of run_engine.mjs."""
    found = engine_outputs(node, shipped_model(precision), images, options)
    return _gap(found, Classifier(DEFAULT_MODEL).probabilities(images), np.empty((0, 0), np.float32))


def compare_drawings(node: Node, drawings: Bytes, brushes: NDArray[np.float32]) -> Gap:
    """Normalizes and classifies drawings of 280×280 gray levels, each made with a brush of its own width."""
    found = read_drawings(node, drawings, brushes)
    pairs = zip(drawings, brushes, strict=True)
    images = np.array([normalize_drawing(drawing, float(brush)).image for drawing, brush in pairs])
    difference = np.abs(found[:, :784] - images.reshape(-1, 784))
    return _gap(found[:, 784:], Classifier(DEFAULT_MODEL).probabilities(images), difference)


def read_drawings(node: Node, drawings: Bytes, brushes: NDArray[np.float32]) -> Floats:
    """What the browser's code makes of drawings, under Node: for each the 784 pixels and the 11 outputs."""
    with tempfile.TemporaryDirectory() as folder:
        model, pixels, widths, out = (Path(folder) / name for name in ("model.bin", "drawings", "brushes", "out"))
        model.write_bytes(shipped_model("float16"))
        pixels.write_bytes(drawings.tobytes())
        widths.write_text(json.dumps(brushes.tolist()))
        _checked(node("run_readings.mjs", model, pixels, widths, out))
        return np.fromfile(out, "<f4").reshape(len(drawings), -1)


def _gap(found: Floats, expected: Floats, pixels: Floats) -> Gap:
    return Gap(answers(found) != answers(expected), np.abs(found - expected).max(axis=1), pixels)


def _checked(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise RuntimeError(done.stderr)


def pen_drawings() -> tuple[Bytes, NDArray[np.float32]]:
    """Pen digits of all writers, each drawn with every brush, at a place that differs from brush to brush."""
    digits = load_pen_digits()
    chosen = [digits[place] for place in np.linspace(0, len(digits) - 1, DIGITS).astype(int)]
    drawn, brushes = [], []
    for number, digit in enumerate(chosen):
        for turn, brush in enumerate(BRUSHES):
            center = PLACES[(number + turn) % len(PLACES)]
            drawn.append(render_strokes(digit.strokes, brush, SIZE, center))
            brushes.append(brush)
    return np.array(drawn), np.array(brushes, np.float32)


def in_two_processes(compare: Callable[[slice], Gap], count: int, chunk: int) -> Gap:
    """Compares everything, in chunks, on two cores."""
    chunks = [slice(start, start + chunk) for start in range(0, count, chunk)]
    with ThreadPoolExecutor(2) as pool:
        gaps = list(pool.map(compare, chunks))
    fields = ("answers", "probabilities", "pixels")
    return Gap(*(np.concatenate([getattr(gap, name) for gap in gaps]) for name in fields))


def least_certain(outputs: Floats) -> NDArray[np.float32]:
    """The difference between the two largest probabilities of each row."""
    highest = np.sort(outputs, axis=1)
    return highest[:, -1] - highest[:, -2]


def run_node(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a script of this folder."""
    command = ["node", str(HERE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=NODE_SECONDS)


def image_rows(images: Bytes) -> Iterator[tuple[str, bool]]:
    """For each precision a line of the table, and whether its gate is passed."""
    for precision, options in (("float32", ()), ("float16", ()), ("int8", ()), ("float32", ("plain",))):
        compare = functools.partial(compare_images, run_node, precision=precision, options=options)
        chosen = images[::10] if options else images
        gap = in_two_processes(lambda part, compare=compare, chosen=chosen: compare(chosen[part]), len(chosen), 500)
        name = f"MNIST, {precision}" + (", without WebAssembly" if options else "")
        different, difference = int(gap.answers.sum()), float(gap.probabilities.max())
        line = f"| {name} | {len(chosen)} | {different} | {difference:.1e} | |"
        yield line, precision == "int8" or (different <= 1 and difference <= LARGEST_DIFFERENCE[precision])


def drawing_rows(gap: Gap, brushes: NDArray[np.float32]) -> Iterator[tuple[str, bool]]:
    """For each brush, and for all, a line of the table; and whether the gate is passed."""
    for name, chosen in {
        **{f"drawings, brush of {brush}": brushes == brush for brush in BRUSHES},
        "all drawings": brushes > 0,
    }.items():
        different, close = int(gap.answers[chosen].sum()), (gap.pixels[chosen] <= GRAY_LEVELS).mean()
        difference = gap.probabilities[chosen].max()
        line = f"| {name} | {chosen.sum()} | {different} | {difference:.1e} | {close:.3%} |"
        passes = close >= SHARE_OF_PIXELS and different <= (1 - SHARE_OF_ANSWERS) * chosen.sum()
        yield line, passes or name != "all drawings"


@click.command()
@click.option("--keep", is_flag=True, help="Write the hardest images and drawings to hardest.npz.")
def main(keep: bool) -> None:
    """Prints the table, and fails if a gate is not passed."""
    images = load_mnist("full").x_test
    drawings, brushes = pen_drawings()
    print("| | how many | other answers | largest difference of a probability | pixels within 3 gray levels |")
    print("|---|---|---|---|---|", flush=True)
    gap = in_two_processes(lambda part: compare_drawings(run_node, drawings[part], brushes[part]), len(drawings), 100)
    if keep:
        keep_hardest(images, drawings, brushes, gap)
    passed = []
    for line, passes in itertools.chain(drawing_rows(gap, brushes), image_rows(images)):
        print(line, flush=True)
        passed.append(passes)
    sys.exit(0 if all(passed) else "The browser's code differs from the server's by more than is allowed.")


def keep_hardest(images: Bytes, drawings: Bytes, brushes: NDArray[np.float32], gap: Gap) -> None:
    """Writes hardest.npz: images with the least certain answers, drawings whose images or answers differ most."""
    highest = np.sort(Classifier(DEFAULT_MODEL).probabilities(images), axis=1)
    uncertain = np.argsort(highest[:, -1] - highest[:, -2])[:KEPT]
    apart = np.argsort(-(gap.pixels > GRAY_LEVELS).sum(axis=1))[: KEPT // 2]
    doubtful = np.argsort(-gap.probabilities - gap.answers)
    kept = list(dict.fromkeys([*apart, *doubtful]))[:KEPT]
    np.savez_compressed(HARDEST, images=images[uncertain], drawings=drawings[kept], brushes=brushes[kept])


if __name__ == "__main__":
    main()
