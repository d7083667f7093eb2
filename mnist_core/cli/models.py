"""Commands that use a model: classify, evaluate."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from mnist_core.cli.main import as_json, main, table
from mnist_core.errors import DrawingError
from mnist_core.models.classifier import BATCH, DEFAULT_MODEL, Classifier, Prediction
from mnist_core.runs.store import find_run

if TYPE_CHECKING:
    from mnist_core.drawing.normalize import NormalizedDrawing


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", default="default", show_default=True, help="`default`, or a run.")
@click.option("--plain", is_flag=True, help="Resize only, without MNIST's normalisation.")
def classify(files: tuple[Path, ...], model: str, plain: bool) -> None:
    """Reads drawings: PNG, JPEG, or .npz with `images`. One JSON line an image."""
    from mnist_core.drawing.normalize import normalize_drawing, plain_resize
    from mnist_core.processes import cpu_count

    classifier, prepare = Classifier(_model_path(model), cpu_count()), plain_resize if plain else normalize_drawing
    unread = []
    for path in files:
        try:
            for index, found in enumerate(_readings(classifier, map(prepare, _drawings(path)))):
                click.echo(json.dumps({"source": str(path), "index": index, **found}))
        except DrawingError as error:  # the other files are read all the same
            unread.append(f"{path}: {error}")
    if unread:
        raise DrawingError("\n".join(unread))


def _readings(classifier: Classifier, drawings: Iterator[NormalizedDrawing]) -> Iterator[dict[str, Any]]:
    """What the model makes of each drawing; a batch at a time, which is faster than one by one."""
    while batch := list(islice(drawings, BATCH)):
        readings = classifier.predict_all(np.stack([normalised.image for normalised in batch]))
        yield from map(_told, batch, readings)


def _told(normalised: NormalizedDrawing, reading: Prediction) -> dict[str, Any]:
    reason = None
    if normalised.blank:
        reason = "There is nothing drawn."
    elif reading.rejected:
        reason = "That does not look like a digit."
    return {
        "digit": None if normalised.blank else reading.digit,
        "confidence": 0.0 if normalised.blank else reading.confidence,
        "probabilities": [float(value) for value in reading.probabilities],
        "rejected": reason is not None,
        "reason": reason,
    }


# TypeError: a single .npy under another name. MemoryError: a header that announces more than there is.
_NOT_AN_ARCHIVE = (OSError, ValueError, KeyError, EOFError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error)


def _drawings(path: Path) -> Iterator[NDArray[np.uint8]]:
    from mnist_core.drawing.uploads import decode_upload

    if path.suffix.lower() != ".npz":
        yield decode_upload(path.read_bytes())
        return
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images = archive["images"]
    except _NOT_AN_ARCHIVE as error:
        raise DrawingError(f"this is not an .npz with the key 'images' ({error}).") from None
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (3, 4)):
        raise DrawingError(
            f"images is {images.shape} {images.dtype}, expected uint8 of shape (N, H, W), (N, H, W, 3) or (N, H, W, 4)."
        )
    yield from images


def _model_path(model: str) -> Path:
    return DEFAULT_MODEL if model == "default" else find_run(model).model


@main.command()
@click.option("--model", default="default", show_default=True, help="`default`, or a run.")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@as_json
def evaluate(model: str, data: str, json_output: bool) -> None:
    """Accuracy, loss, per-class figures, confusion matrix and calibration on the test images."""
    from mnist_core.data.mnist import load_mnist
    from mnist_core.data.splits import split_mnist, uncenter_split
    from mnist_core.evaluation.metrics import evaluate as metrics_evaluate
    from mnist_core.processes import cpu_count

    classifier, mnist = Classifier(_model_path(model), cpu_count()), load_mnist(data)
    name = "last-sixth" if model == "default" else find_run(model).spec().settings.split
    parts = split_mnist(mnist, name)
    parts = uncenter_split(parts) if classifier.input_size == 56 else parts
    found = metrics_evaluate(classifier.probabilities(parts.x_test), parts.y_test)
    if json_output:
        head = {"model": model, "data": mnist.source, "images": len(parts.y_test)}
        return click.echo(json.dumps({**head, **found.to_json()}))
    click.echo(mnist.notice or mnist.source, err=True)
    click.echo(
        f"{len(parts.y_test):,} test images: accuracy {found.accuracy:.4f}, error {found.error_percent:.2f} %, "
        f"loss {found.loss:.4f}, calibration error {100 * found.calibration_error:.2f} %"
    )
    click.echo("rows: true digit, columns: read as")
    click.echo("\n".join(" ".join(f"{count:5d}" for count in row) for row in found.confusion))
    table(found.to_json()["classes"], ("digit", "precision", "recall", "f1"))
