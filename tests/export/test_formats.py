"""Export formats: models as they are, reports as CSV, curves as PNG and SVG."""

from __future__ import annotations

import csv
import io
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_core.charts.common import COLORS
from mnist_core.errors import ModelError, RunError
from mnist_core.export import formats
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from tests.support import Trained


@pytest.mark.parametrize("name", ["keras", "tflite"])
def test_models_are_exported_unchanged(trained: Trained, name: str) -> None:
    assert formats.export_run(trained.run, name) == (trained.run.path / f"model.{name}").read_bytes()


def test_csv_contains_the_numbers_of_the_reports(trained: Trained) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.export_run(trained.run, "csv").decode())))
    reports = trained.run.metrics().rows
    assert len(rows) == len(reports)
    for row, report in zip(rows, reports, strict=True):
        for name in formats.CSV_COLUMNS:
            assert row[name] == ("" if name not in report else str(report[name]))


def test_csv_leaves_out_values_that_are_not_numbers() -> None:
    run = create_run(make_spec("fast"))
    run.append_metrics({"step": 1, "loss": "=HYPERLINK(1)", "accuracy": True, "wall": "0123"})
    row = formats.metrics_csv(run).decode().splitlines()[1]
    assert row == "1" + "," * (len(formats.CSV_COLUMNS) - 1)


def test_png_shows_both_curves(trained: Trained) -> None:
    picture = cv2.imdecode(np.frombuffer(formats.export_run(trained.run, "png"), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (4 * formats.DOTS_PER_INCH, 10 * formats.DOTS_PER_INCH, 3)
    for name in ("training", "validation"):
        color = [int(COLORS[name][place : place + 2], 16) for place in (5, 3, 1)]
        assert (np.abs(picture.astype(int) - color).max(axis=2) < 3).sum() > 100


def test_svg_has_a_line_through_every_epoch_and_is_reproducible(trained: Trained) -> None:
    drawn = formats.export_run(trained.run, "svg")
    assert drawn == formats.export_run(trained.run, "svg")
    paths = [element for element in ElementTree.fromstring(drawn).iter() if element.tag.endswith("}path")]
    lines = [element for element in paths if COLORS["validation"] in element.get("style", "")]
    epochs = sum("val_loss" in row for row in trained.run.metrics().rows)
    assert any(element.get("d", "").count("L") == epochs - 1 for element in lines)


def test_curves_of_one_report_and_of_a_diverged_loss_are_drawn() -> None:
    run = create_run(make_spec("fast"))
    run.append_metrics({"step": 1, "epoch": 0, "loss": 2.3, "accuracy": 0.1, "images": 5})
    assert formats.curves_image(run, "png").startswith(b"\x89PNG")
    run.append_metrics({"step": 2, "epoch": 0, "loss": 1e30, "accuracy": 0.1, "images": 5})
    assert formats.curves_image(run, "png").startswith(b"\x89PNG")


def test_a_diverged_loss_does_not_flatten_the_curve() -> None:
    rows = [{"step": 5, "epoch": 1, "loss": 2.0, "accuracy": 0.5, "images": 5, "val_loss": 1.9, "val_accuracy": 0.5}]
    rows += [{**rows[0], "step": 10, "epoch": 2, "loss": 1e30, "val_loss": 1e30, "estimated_val_loss": 1e30}]
    axes = Figure().subplots()
    formats._draw_metric(axes, rows, "loss")
    assert axes.get_ylim()[1] < 3


def test_epoch_means_are_weighted_by_images() -> None:
    rows: list[dict[str, Any]] = [
        {"step": 1, "epoch": 0, "loss": 4.0, "images": 10},
        {"step": 4, "epoch": 1, "loss": 1.0, "images": 30, "val_loss": 9.0},
        {"step": 8, "epoch": 2, "loss": 0.5, "images": 40, "val_loss": 8.0},
        {"step": 9, "epoch": 2, "loss": 0.1, "images": 10},
    ]
    found = formats.epoch_means(rows, "loss")
    assert list(found) == [1, 2] and math.isclose(found[1], 1.75) and math.isclose(found[2], 0.5)


@pytest.mark.parametrize("name", ["csv", "png", "svg"])
def test_a_run_without_reports_cannot_be_exported_as_curves(name: str) -> None:
    with pytest.raises(RunError, match="queued"):
        formats.export_run(create_run(make_spec("fast")), name)


@pytest.mark.parametrize("name", ["keras", "tflite"])
def test_a_run_without_a_model_cannot_be_exported_as_model(name: str) -> None:
    with pytest.raises(ModelError, match="it is queued"):
        formats.export_run(create_run(make_spec("fast")), name)


def test_unknown_formats_are_refused(trained: Trained) -> None:
    with pytest.raises(RunError, match="'h5'.*keras"):
        formats.export_run(trained.run, "h5")


def test_existing_files_are_replaced_only_if_asked(trained: Trained, tmp_path: Path) -> None:
    target = tmp_path / "out" / "my.csv"
    with pytest.raises(RunError, match="cannot be written"):
        formats.write_export(trained.run, "csv", target)
    target.parent.mkdir()
    assert formats.write_export(trained.run, "csv", target) == [target]
    with pytest.raises(RunError, match="--force"):
        formats.write_export(trained.run, "tflite", target)
    assert target.read_bytes() == formats.metrics_csv(trained.run)
    formats.write_export(trained.run, "tflite", target, overwrite=True)
    assert target.read_bytes() == trained.run.model.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["my.csv"]


def test_existing_data_files_of_a_script_are_not_replaced_either(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"somebody's")
    with pytest.raises(RunError, match="mnist.npz exists"):
        formats.write_export(trained.run, "script", tmp_path / "a.py")
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["mnist.npz"]
    written = formats.write_export(trained.run, "script", tmp_path / "a.py", overwrite=True)
    assert [path.name for path in written] == ["a.py", "mnist.npz"]


def test_scripts_with_the_same_data_file_share_it(trained: Trained, tmp_path: Path) -> None:
    formats.write_export(trained.run, "script", tmp_path / "a.py")
    assert formats.write_export(trained.run, "script", tmp_path / "b.py") == [tmp_path / "b.py"]
    (tmp_path / "mnist.npz").write_bytes(b"somebody's")
    with pytest.raises(RunError, match=r"mnist\.npz exists already. Choose another folder"):
        formats.write_export(trained.run, "script", tmp_path / "c.py")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_script_is_not_named_like_its_data_file(trained: Trained, tmp_path: Path, overwrite: bool) -> None:
    with pytest.raises(RunError, match="train.py"):
        formats.write_export(trained.run, "script", tmp_path / "mnist.npz", overwrite)
    assert list(tmp_path.iterdir()) == []


def test_exported_files_are_named_after_the_run(trained: Trained) -> None:
    assert (
        formats.export_filename(Run(Path("/x/20260101-000000-fast-1234")), "script") == "20260101-000000-fast-1234.py"
    )
