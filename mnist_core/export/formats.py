"""Exports a run in one of several formats: `export_run(run, "csv")` returns the bytes of a file.

FORMATS lists them. Nothing here needs TensorFlow: models are returned as they are, and the rest is made from the run's
files.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_core.charts.common import COLORS
from mnist_core.errors import ModelError, RunError
from mnist_core.export import keras_files, keras_script
from mnist_core.export.archive import pack_run
from mnist_core.export.html_card import PagePrecision
from mnist_core.export.html_page import html_page
from mnist_core.files.read import MODEL_BYTES, read_file
from mnist_core.files.write import write_bytes
from mnist_core.files.write_errors import explain_write_error
from mnist_core.runs.reports import check_report
from mnist_core.runs.run import Run

CSV_COLUMNS = (
    "step",
    "epoch",
    "elapsed",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "images",
    "seconds",
    "val_seconds",
    "images_per_second",
    "estimated_val_loss",
    "estimated_val_accuracy",
    "estimate_seconds",
)
"""Columns of metrics.csv, the keys of a report."""

DOTS_PER_INCH = 150
MAX_LOSS = 1e3
"""Larger losses are not drawn: they would flatten the rest of the curve."""


@dataclass(frozen=True)
class ExportFormat:
    """A format in which a run can be exported.

    Attributes:
        title: for people.
        suffix: of the file, without the dot.
        mime: type of the content.
        encode: returns the bytes of the file.
    """

    title: str
    suffix: str
    mime: str
    encode: Callable[[Run], bytes]


def export_run(run: Run, name: str, precision: PagePrecision = "float16") -> bytes:
    """Returns a run in one of FORMATS.

    Args:
        run: the run. The folder of the shipped model counts as one that has a model and no reports.
        name: of the format.
        precision: of the weights in an HTML page. The other formats have one precision.

    Raises:
        RunError: there is no such format, the run has no reports yet, or its files cannot be read.
        ModelError: the run has no model, or one that is too large for this format.
        SettingError, DataError: as `keras_files.script_files`.
    """
    encode = _format(name).encode
    return html_page(run, precision) if name == "html" else encode(run)


def export_filename(run: Run, name: str) -> str:
    """The name of the exported file, after the run id. Raises RunError if there is no such format."""
    return f"{run.id}.{_format(name).suffix}"


def write_export(
    run: Run, name: str, path: Path, overwrite: bool = False, precision: PagePrecision = "float16"
) -> list[Path]:
    """Writes a run in one of FORMATS to a file, atomically.

    Args:
        run: the run.
        name: of the format.
        path: of the file. The data files of a Keras script are written to the same folder.
        overwrite: whether existing files are replaced.
        precision: as for `export_run`.

    Returns:
        The written files, `path` first. Without `overwrite`, a data file that exists with the same content is not
        written.

    Raises:
        RunError: a file exists already or cannot be written, or a script would get the name of its data file; and as
            `export_run`.
    """
    _format(name)
    if not overwrite:
        _refuse_existing(path, "Choose another name")  # before anything is computed
    contents = (
        {path: export_run(run, name, precision)}
        if name != "script"
        else _script_paths(path, keras_files.script_files(run))
    )
    if not overwrite:
        contents = {file: each for file, each in contents.items() if file == path or not _has_content(file, each)}
        for target in contents:
            _refuse_existing(target, "Choose another name" if target == path else "Choose another folder")
    for target, each in contents.items():
        try:
            write_bytes(target, each)
        except OSError as error:
            reason = explain_write_error(error, target.parent, "choose another folder")
            raise RunError(f"{target} cannot be written. {reason}") from None
    return list(contents)


def _refuse_existing(path: Path, fix: str) -> None:
    if os.path.lexists(path):
        raise RunError(f"{path} exists already. {fix}, or replace it with --force.")


def _has_content(path: Path, content: bytes) -> bool:
    try:
        return read_file(path, len(content)) == content
    except OSError:
        return False


def _script_paths(path: Path, files: Mapping[str, bytes]) -> dict[Path, bytes]:
    """Path -> content: the script under the given path, its data files in the same folder."""
    if path.name in files and path.name != keras_script.SCRIPT_FILE:
        raise RunError(f"{path.name} is the name of a data file of the script. Choose another name, such as train.py.")
    return {path if name == keras_script.SCRIPT_FILE else path.with_name(name): value for name, value in files.items()}


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise RunError(f"Unknown format {name!r}. Expected one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def _model(run: Run, name: str) -> bytes:
    try:
        return read_file(run.path / name, MODEL_BYTES)
    except FileNotFoundError:
        raise ModelError(
            f"The run {run.id} has no {name}: it is {run.status().state}. A run writes it when it finishes or is "
            "stopped."
        ) from None
    except OSError as error:
        raise ModelError(f"{error}. Restore the file, or train the run again.") from None


def usable_reports(run: Run) -> list[dict[str, Any]]:
    """All reports of a run that have a step, in order, checked. Raises RunError if there are none."""
    rows = [row for each in run.metrics().rows if (row := check_report(each)) is not None]
    if not rows:
        raise RunError(f"The run {run.id} has no reports yet: it is {run.status().state}. Train it first.")
    return rows


def metrics_csv(run: Run) -> bytes:
    """Returns the reports of a run as CSV in UTF-8, with a header of CSV_COLUMNS; missing numbers are left empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(CSV_COLUMNS)
    for row in usable_reports(run):
        table.writerow([row.get(name, "") for name in CSV_COLUMNS])
    return text.getvalue().encode()


def curves_image(run: Run, kind: str) -> bytes:
    """Draws loss and accuracy by epoch, for training and validation, as tutorials do.

    Args:
        run: a run with reports.
        kind: `png` or `svg`. The same run gives the same bytes.

    Raises:
        RunError: the run has no reports yet.
    """
    import matplotlib
    from matplotlib.figure import Figure  # not pyplot, which is not thread-safe

    figure = Figure(figsize=(10, 4), layout="constrained")
    rows = usable_reports(run)
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        _draw_metric(axes, rows, metric)
    figure.suptitle(run.id)
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": run.id}):
        figure.savefig(drawn, format=kind, dpi=DOTS_PER_INCH, metadata={"Date": None} if kind == "svg" else None)
    return drawn.getvalue()


def _draw_metric(axes: Any, rows: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Draws one metric: every report as a faint line, the mean of each epoch, and the validation of each epoch."""
    epochs = {epoch: mean for epoch, mean in epoch_means(rows, metric).items() if mean < MAX_LOSS}
    per_epoch = _steps_per_epoch(rows)
    drawn, validated, estimated = (
        [row for row in rows if row.get(name, MAX_LOSS) < MAX_LOSS]
        for name in (metric, f"val_{metric}", f"estimated_val_{metric}")
    )
    axes.plot(
        [row["step"] / per_epoch for row in drawn],
        [row[metric] for row in drawn],
        color=COLORS["training"],
        alpha=0.35,
        linewidth=1,
    )
    axes.plot(list(epochs), list(epochs.values()), "o-", color=COLORS["training"], label="training")
    axes.plot(
        [row["epoch"] for row in validated],
        [row[f"val_{metric}"] for row in validated],
        "o-",
        color=COLORS["validation"],
        label="validation",
    )
    axes.plot(
        [row["step"] / per_epoch for row in estimated],
        [row[f"estimated_val_{metric}"] for row in estimated],
        ".-",
        color=COLORS["validation"],
        alpha=0.35,
        linewidth=1,
    )
    axes.set(xlabel="Epoch", ylabel=metric.capitalize(), title=f"{metric.capitalize()} of training and validation")
    axes.grid(alpha=0.3)
    axes.legend()


def epoch_means(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[int, float]:
    """Averages a training metric over the images of each epoch, as Keras's history does.

    Args:
        rows: reports in order; the last one of an epoch has `val_loss`.
        metric: `loss` or `accuracy`.

    Returns:
        Finished epochs -> mean over the last of them.
    """
    means: dict[int, float] = {}
    total, images = 0.0, 0.0
    for row in rows:
        if metric in row and "images" in row:
            total, images = total + row[metric] * row["images"], images + row["images"]
        if "val_loss" in row and images:
            means[int(row["epoch"])] = total / images
            total, images = 0.0, 0.0
    return means


def _steps_per_epoch(rows: Sequence[Mapping[str, Any]]) -> float:
    """Steps in the first epoch; if that has not finished, all steps so far."""
    ends = [row["step"] / row["epoch"] for row in rows if "val_loss" in row and row.get("epoch")]
    return float(ends[0] if ends else rows[-1]["step"]) or 1.0


FORMATS: dict[str, ExportFormat] = {
    "keras": ExportFormat("Keras model", "keras", "application/zip", lambda run: _model(run, "model.keras")),
    "tflite": ExportFormat(
        "LiteRT model", "tflite", "application/octet-stream", lambda run: _model(run, "model.tflite")
    ),
    "html": ExportFormat("Web page", "html", "text/html", html_page),
    "csv": ExportFormat("Reports as a table", "csv", "text/csv", metrics_csv),
    "script": ExportFormat("Keras script", "py", "text/x-python", lambda run: keras_script.script_source(run).encode()),
    "png": ExportFormat("Curves as PNG", "png", "image/png", lambda run: curves_image(run, "png")),
    "svg": ExportFormat("Curves as SVG", "svg", "image/svg+xml", lambda run: curves_image(run, "svg")),
    "zip": ExportFormat("The whole run", "zip", "application/zip", pack_run),
}
"""Name -> format, in the order of the menu."""

MODEL_FILES = {"keras": "model.keras", "tflite": "model.tflite", "html": "model.keras"}
"""Formats of a trained model, which the shipped model has, too -> the file that they are made from."""
