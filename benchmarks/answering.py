"""Recognition on the server: time per drawing, and images per second of the shipped model.

    python benchmarks/answering.py [--drawings N] [--images N] [--times N]

Measures first what is computed for one drawing: decoding the canvas's PNG, normalization, classification, bars and
pictures. Then the part of the Draw page that reruns after a stroke, in the real app under Streamlit's AppTest, and
Streamlit's own share for comparison: a canvas, a slider, a popover, two pieces of HTML. Images per second are measured
for the library, for the command line, and for Keras's `model.predict` with the same model in its own process.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import live
import numpy as np
import results
from streamlit.testing.v1 import AppTest

from mnist_core.data.mnist import load_mnist
from mnist_core.drawing import canvas, uploads
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit, render_strokes
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.processes import cpu_count
from pages.ui.shared import guard, prediction_view, state, thumbnails

PEER = Path(__file__).parent / "peers" / "keras_predict.py"
WARM_UP = 5  # drawings, while the model is loaded


def canvas_value(digit: PenDigit) -> dict[str, Any]:
    """What the canvas sends for a digit: its PNG as a data URL, and the paths of the pen."""
    ink = render_strokes(digit.strokes, live.BRUSH, live.SIZE)
    picture = np.dstack([ink, ink, ink, np.full_like(ink, 255)])
    url = "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", picture)[1]).decode()
    paths = [_path(stroke) for stroke in digit.strokes]
    return {"drawing": {"raw": {"objects": paths}, "data": url}, "backgroundFit": None}


def _path(stroke: np.ndarray) -> dict[str, Any]:
    (x, y), *rest = stroke.tolist()
    return {"type": "path", "strokeWidth": live.BRUSH, "path": [["M", x, y], *(["L", x, y] for x, y in rest)]}


def answered(digits: list[PenDigit]) -> list[float]:
    """Milliseconds of the Draw page's part for each drawing."""
    taken: list[float] = []
    fragment = guard.render_fragment

    def timed(run: Callable[[], None], every: float | None = None) -> None:
        began = time.perf_counter()
        fragment(run, every)
        taken.append(1000 * (time.perf_counter() - began))

    guard.render_fragment = timed  # the page looks it up at each run
    try:
        app = AppTest.from_file(str(live.ROOT / "app.py"), default_timeout=60)
        for digit in [*digits[:WARM_UP], *digits]:
            app.session_state[state.CANVAS] = canvas_value(digit)
            app.run()
            if not any("data-digit" in element.proto.body for element in app.get("html")):
                raise RuntimeError(f"The page did not answer: {[error.value for error in app.error]}")
    finally:
        guard.render_fragment = fragment
    return taken[WARM_UP:]


def computed(digits: list[PenDigit]) -> list[float]:
    """Milliseconds per drawing: decode, normalize, classify, prepare bars and pictures."""
    classifier, taken = Classifier(DEFAULT_MODEL), []
    for digit in [*digits[:WARM_UP], *digits]:
        drawing = canvas_value(digit)["drawing"]
        began = time.perf_counter()
        image = uploads.decode_upload(base64.b64decode(drawing["data"].partition(",")[2]))
        canvas.parse_strokes(drawing["raw"])
        normalized = normalize_drawing(image, canvas.parse_brush_width(drawing["raw"]))
        prediction_view.probability_bars(classifier.predict(normalized.image).probabilities)
        for stage in normalized.stages:
            thumbnails.image_html(stage.image, stage.name, 112)
        taken.append(1000 * (time.perf_counter() - began))
    return taken[WARM_UP:]


def test_images(count: int) -> np.ndarray:
    """(count, 28, 28) uint8: MNIST's test images, repeated if there are fewer."""
    images = load_mnist("full").x_test
    return images[np.arange(count) % len(images)]


def library(images: np.ndarray) -> float:
    """Images per second, on all cores."""
    classifier = Classifier(DEFAULT_MODEL, cpu_count())
    classifier.probabilities(images[:256])
    began = time.perf_counter()
    classifier.probabilities(images)
    return len(images) / (time.perf_counter() - began)


def keras(images: Path) -> float:
    """Images per second of `model.predict`."""
    environment = {**os.environ, "PYTHONPATH": str(live.ROOT)}
    command = [sys.executable, str(PEER), str(images)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return float(json.loads(printed.splitlines()[-1])["images_per_second"])


def command_line(images: Path, count: int) -> float:
    """Images per second of `classify`, including normalization and the start of Python."""
    command = [sys.executable, "-m", "mnist_core", "classify", str(images)]
    began = time.perf_counter()
    lines = subprocess.run(command, cwd=live.ROOT, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    if len(lines) != count:
        raise RuntimeError(f"classify printed {len(lines)} lines for {count} images")
    return count / (time.perf_counter() - began)


@click.command()
@click.option("--drawings", default=300, show_default=True)
@click.option("--images", "count", default=10_000, show_default=True)
@click.option("--times", default=3, show_default=True, help="Repetitions.")
def main(drawings: int, count: int, times: int) -> None:
    """Prints the milliseconds of a drawing, then the images per second of three ways to classify many."""
    logging.disable(logging.WARNING)  # Streamlit's, about being run by AppTest
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITLAB_RUNS"] = str(Path(folder) / "runs")
        taken = computed(live.digits(drawings))
        what = "one drawing: decode, normalize, classify, prepare bars and pictures"
        results.figure(f"{what}: median of {drawings}", taken, "ms", "≤ 5")
        results.figure(f"{what}: 99th percentile", [float(np.percentile(taken, 99))], "ms", "≤ 15")
        whole = answered(live.digits(drawings))
        results.figure("the same as part of the page, with all of Streamlit's elements", whole, "ms")
        images, path = test_images(count), Path(folder) / "images.npz"
        np.savez(path, images=images)
        ours, theirs, lines = [], [], []
        for _ in range(times):
            ours.append(library(images))
            theirs.append(keras(path))
            lines.append(command_line(path, count))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    results.figure(f"{count:,} images classified by the shipped model", ours, "images/s", "≥ 500")
    results.figure("the same", ratios, "×", peer="model.predict")
    results.figure(f"`classify` of {count:,} images, including normalization", lines, "images/s", "≥ 500")


if __name__ == "__main__":
    main()
