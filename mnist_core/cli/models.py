"""Commands that use a model: classify, evaluate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from click.core import ParameterSource
from numpy.typing import NDArray

from mnist_core.cli.main import main
from mnist_core.cli.options import data_option, json_option
from mnist_core.cli.output import print_json, print_table
from mnist_core.errors import DrawingError, SettingError
from mnist_core.files.read import load_arrays, read_file
from mnist_core.models.classifier import BATCH, DEFAULT_MODEL, Classifier, Prediction
from mnist_core.runs.store import find_run

if TYPE_CHECKING:
    from mnist_core.drawing.normalize import NormalizedDrawing

model_option = click.option("--model", default="default", show_default=True, help="`default` or a run id.")


def _model_path(model: str) -> Path:
    return DEFAULT_MODEL if model == "default" else find_run(model).model


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@model_option
@click.option("--plain", is_flag=True, help="Only shrink the drawing, without normalization.")
def classify(files: tuple[Path, ...], model: str, plain: bool) -> None:
    """Classifies drawings: PNG or JPEG files, or .npz files with the key `images`. Prints one JSON line per image."""
    from mnist_core.drawing.normalize import normalize_drawing, plain_resize
    from mnist_core.processes import cpu_count

    classifier, normalize = Classifier(_model_path(model), cpu_count()), plain_resize if plain else normalize_drawing
    errors = []
    for path in files:
        try:
            for index, row in enumerate(_predictions(classifier, map(normalize, _read_images(path)))):
                click.echo(json.dumps({"source": str(path), "index": index, **row}))
        except DrawingError as error:  # continue with the other files
            errors.append(f"{path}: {error}")
    if errors:
        raise DrawingError("\n".join(errors))


def _predictions(classifier: Classifier, drawings: Iterator[NormalizedDrawing]) -> Iterator[dict[str, Any]]:
    """One row per drawing. Predicts in batches, which is faster than one by one."""
    while batch := list(islice(drawings, BATCH)):
        predictions = classifier.predict_all(np.stack([drawing.image for drawing in batch]))
        yield from map(_prediction_row, batch, predictions)


def _prediction_row(drawing: NormalizedDrawing, prediction: Prediction) -> dict[str, Any]:
    reason = None
    if drawing.blank:
        reason = "The image is blank."
    elif prediction.rejected:
        reason = "This does not look like a digit."
    return {
        "digit": None if drawing.blank else prediction.digit,
        "confidence": 0.0 if drawing.blank else prediction.confidence,
        "probabilities": [float(value) for value in prediction.probabilities],
        "rejected": reason is not None,
        "reason": reason,
    }


MAX_PICTURE_BYTES = 50_000_000
MAX_ARRAY_BYTES = 2_000_000_000
"""Largest size of the arrays of an .npz file."""


def _read_images(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The images of a file: (H, W), (H, W, 3) or (H, W, 4) uint8. Raises DrawingError if it holds something else."""
    from mnist_core.drawing.uploads import decode_upload

    if path.suffix.lower() != ".npz":
        try:
            content = read_file(path, MAX_PICTURE_BYTES)
        except OSError as error:
            raise DrawingError(f"it cannot be read: {error}.") from None
        yield decode_upload(content)
        return
    try:
        images = load_arrays(path, MAX_ARRAY_BYTES)["images"]
    except (OSError, ValueError, KeyError) as error:
        raise DrawingError(f"this is not an .npz file with the key 'images' ({error}).") from None
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (3, 4)):
        raise DrawingError(
            f"images is {images.shape} {images.dtype}, expected uint8 of shape (N, H, W), (N, H, W, 3) or (N, H, W, 4)."
        )
    yield from images


@main.command()
@model_option
@data_option
@click.option("--record", is_flag=True, help="Record the scores of an imported run as measured on this machine.")
@json_option
def evaluate(model: str, data: str, record: bool, json_output: bool) -> None:
    """Evaluates a model on the test images: accuracy, loss, metrics per class, confusion matrix and calibration."""
    if record:
        if click.get_current_context().get_parameter_source("data") is not ParameterSource.DEFAULT:
            raise SettingError("--record evaluates a run on the data that it was trained on: leave out --data.")
        if model == "default":
            raise SettingError("--record is for an imported run, and `default` is none: give --model RUN.")
        _record_scores(model, json_output)
        return
    from mnist_core.data.mnist import load_mnist
    from mnist_core.data.splits import split_mnist, uncenter_split
    from mnist_core.evaluation.metrics import evaluate as evaluate_probabilities
    from mnist_core.processes import cpu_count

    classifier, mnist = Classifier(_model_path(model), cpu_count()), load_mnist(data)
    split_name = "last-sixth" if model == "default" else find_run(model).spec().settings.split
    split = split_mnist(mnist, split_name)
    if classifier.input_size == 56:
        split = uncenter_split(split)
    evaluation = evaluate_probabilities(classifier.probabilities(split.x_test), split.y_test)
    if json_output:
        print_json({"model": model, "data": mnist.source, "images": len(split.y_test), **evaluation.to_json()})
        return
    click.echo(mnist.notice or mnist.source, err=True)
    click.echo(
        f"{len(split.y_test):,} test images: accuracy {evaluation.accuracy:.4f}, "
        f"error {evaluation.error_percent:.2f}%, loss {evaluation.loss:.4f}, "
        f"calibration error {evaluation.calibration_error:.2%}"
    )
    click.echo("Confusion matrix. Rows: true digit, columns: predicted digit.")
    click.echo("\n".join(" ".join(f"{count:5d}" for count in row) for row in evaluation.confusion))
    print_table(evaluation.to_json()["classes"], ("digit", "precision", "recall", "f1"))


def _record_scores(model: str, json_output: bool) -> None:
    """Evaluates an imported run on the data that it was trained on, records its scores and prints them."""
    from mnist_core.export.measure import measure_imported

    measured = measure_imported(find_run(model)).measured
    if json_output:
        print_json({"model": model, **measured})
    else:
        print_table([measured], tuple(measured))
