"""A run to take home, format by format: `content(run, "csv")` gives the bytes of a file, `FORMATS` lists what there is.

Nothing here needs TensorFlow: what was trained is handed on as it lies there, and the rest is made of the run's files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_core.charts.common import COLORS
from mnist_core.errors import ModelError, RunError
from mnist_core.export import keras_script
from mnist_core.export.archive import pack_run
from mnist_core.files import replacing
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
)
"""Of metrics.csv: what a report says, as in training.Report, and when."""

DOTS_PER_INCH = 150
MAX_LOSS = 1e3  # a loss above it would leave nothing to see of the rest of its curve


@dataclass(frozen=True)
class ExportFormat:
    """A way to take a run home.

    Attributes:
        title: in words for people.
        suffix: of the file, without the dot.
        mime: type of the content.
        make: the bytes of the file.
    """

    title: str
    suffix: str
    mime: str
    make: Callable[[Run], bytes]


def export_run(run: Run, name: str) -> bytes:
    """The bytes of a run in one of FORMATS.

    Raises:
        RunError: there is no such format, the run has nothing of the kind yet, or its files cannot be read.
        ModelError: it has no model.
        SettingError, DataError: as script.files, for the Keras script.
    """
    return _format(name).make(run)


def export_filename(run: Run, name: str) -> str:
    """What the file is called: after the run. Raises RunError where there is no such format."""
    return f"{run.id}.{_format(name).suffix}"


def write_export(run: Run, name: str, path: Path, overwrite: bool = False) -> list[Path]:
    """Writes a run in one of FORMATS, whole or not at all.

    Args:
        run: which.
        name: of the format.
        path: of the file; what a Keras script reads is written beside it.
        overwrite: whether files that are there may be replaced.

    Returns:
        The files written, the one that was asked for first.

    Raises:
        RunError: a file is there already, or cannot be written; and as `content`.
    """
    _format(name)
    if not overwrite:
        _refuse_taken(path)  # before anything is computed
    contents = {path: export_run(run, name)} if name != "script" else _beside(path, keras_script.script_files(run))
    for target in contents:
        if not overwrite:
            _refuse_taken(target)
    for target, each in contents.items():
        try:
            with replacing(target) as temporary:
                temporary.write_bytes(each)
        except OSError as error:
            raise RunError(f"{target} cannot be written: {error}. Choose another place.") from None
    return list(contents)


def _refuse_taken(path: Path) -> None:
    if path.exists():
        raise RunError(f"{path} is there already. Choose another name, or have it replaced with --force.")


def _beside(path: Path, files: Mapping[str, bytes]) -> dict[Path, bytes]:
    """The script under the name asked for, and what it reads beside it."""
    return {path if name == keras_script.SCRIPT_FILE else path.with_name(name): value for name, value in files.items()}


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise RunError(f"There is no format {name!r}. Known: {', '.join(FORMATS)}.")
    return FORMATS[name]


def _model(run: Run, name: str) -> bytes:
    try:
        return (run.path / name).read_bytes()
    except OSError:
        raise ModelError(
            f"The run {run.id} has no {name}: it is {run.status().state}. One is written when a training ends or is "
            "stopped."
        ) from None


def usable_reports(run: Run) -> list[dict[str, Any]]:
    """What it reported, in order. Raises RunError where it has reported nothing yet."""
    rows = [row for row in run.metrics().rows if _is_number(row.get("step"))]
    if not rows:
        raise RunError(f"The run {run.id} has not reported anything: it is {run.status().state}. Train it first.")
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def metrics_csv(run: Run) -> bytes:
    """One line a report under a line of COLUMNS, UTF-8; what a report does not say is left empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(CSV_COLUMNS)
    for row in usable_reports(run):
        table.writerow([row[name] if _is_number(row.get(name)) else "" for name in CSV_COLUMNS])
    return text.getvalue().encode()


def curves_image(run: Run, kind: str) -> bytes:
    """Loss and accuracy against epochs, training and validation, as the tutorials draw them.

    Args:
        run: which has reported.
        kind: `png` or `svg`. The same run gives the same bytes.
    """
    import matplotlib
    from matplotlib.figure import Figure  # never pyplot: it keeps figures between threads

    figure = Figure(figsize=(10, 4), layout="constrained")
    rows = usable_reports(run)
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        _draw(axes, rows, measure)
    figure.suptitle(run.id)
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": run.id}):
        figure.savefig(drawn, format=kind, dpi=DOTS_PER_INCH, metadata={"Date": None} if kind == "svg" else None)
    return drawn.getvalue()


def _draw(axes: Any, rows: Sequence[Mapping[str, Any]], measure: str) -> None:
    """One measure: each report of the training faintly, the mean of each epoch, and its validation."""
    epochs = epoch_means(rows, measure)
    per_epoch = _steps_per_epoch(rows)
    told = [row for row in rows if _is_number(row.get(measure)) and row[measure] < MAX_LOSS]
    axes.plot(
        [row["step"] / per_epoch for row in told],
        [row[measure] for row in told],
        color=COLORS["training"],
        alpha=0.35,
        linewidth=1,
    )
    axes.plot(list(epochs), list(epochs.values()), "o-", color=COLORS["training"], label="training")
    validated = [row for row in rows if _is_number(row.get(f"val_{measure}"))]
    axes.plot(
        [row["epoch"] for row in validated],
        [row[f"val_{measure}"] for row in validated],
        "o-",
        color=COLORS["validation"],
        label="validation",
    )
    axes.set(xlabel="epoch", ylabel=measure, title=f"{measure} of training and validation")
    axes.grid(alpha=0.3)
    axes.legend()


def epoch_means(rows: Sequence[Mapping[str, Any]], measure: str) -> dict[int, float]:
    """Finished epochs -> mean of the training's measure over the images of the last of them, as Keras's history has it.

    Args:
        rows: reports in order; the one at an epoch's end has `val_loss`.
        measure: `loss` or `accuracy`.
    """
    means: dict[int, float] = {}
    total, images = 0.0, 0.0
    for row in rows:
        if _is_number(row.get(measure)) and _is_number(row.get("images")):
            total, images = total + row[measure] * row["images"], images + row["images"]
        if "val_loss" in row and images:
            means[int(row["epoch"])] = total / images
            total, images = 0.0, 0.0
    return means


def _steps_per_epoch(rows: Sequence[Mapping[str, Any]]) -> float:
    """Of the first finished epoch; before its end, all steps so far."""
    ends = [row["step"] / row["epoch"] for row in rows if "val_loss" in row and row.get("epoch")]
    return float(ends[0] if ends else rows[-1]["step"]) or 1.0


FORMATS: dict[str, ExportFormat] = {
    "keras": ExportFormat("Keras model", "keras", "application/zip", lambda run: _model(run, "model.keras")),
    "tflite": ExportFormat(
        "LiteRT model", "tflite", "application/octet-stream", lambda run: _model(run, "model.tflite")
    ),
    "csv": ExportFormat("Reports as a table", "csv", "text/csv", metrics_csv),
    "script": ExportFormat("Keras script", "py", "text/x-python", lambda run: keras_script.script_source(run).encode()),
    "png": ExportFormat("Curves as PNG", "png", "image/png", lambda run: curves_image(run, "png")),
    "svg": ExportFormat("Curves as SVG", "svg", "image/svg+xml", lambda run: curves_image(run, "svg")),
    "zip": ExportFormat("The whole run", "zip", "application/zip", pack_run),
}
"""Name -> how a run can be taken home."""
