"""What is taken home: the models as they lie there, the reports as a table, the curves as a figure."""

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

from mnist_core.charts.common import COLORS
from mnist_core.errors import ModelError, RunError
from mnist_core.export import formats
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from tests.support import Trained


@pytest.mark.parametrize("name", ["keras", "tflite"])
def test_models_are_handed_on_as_they_are(trained: Trained, name: str) -> None:
    assert formats.export_run(trained.run, name) == (trained.run.path / f"model.{name}").read_bytes()


def test_csv_says_what_the_reports_say(trained: Trained) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.export_run(trained.run, "csv").decode())))
    told = trained.run.metrics().rows
    assert len(rows) == len(told)
    for row, report in zip(rows, told, strict=True):
        for name in formats.CSV_COLUMNS:
            assert row[name] == ("" if name not in report else str(report[name]))


def test_csv_leaves_out_what_is_no_number() -> None:
    run = create_run(make_spec("fast"))
    run.append_metrics({"step": 1, "loss": "=HYPERLINK(1)", "accuracy": True, "wall": "0123"})
    row = formats.metrics_csv(run).decode().splitlines()[1]
    assert row == "1" + "," * (len(formats.CSV_COLUMNS) - 1)


def test_png_is_a_picture_with_both_colours(trained: Trained) -> None:
    picture = cv2.imdecode(np.frombuffer(formats.export_run(trained.run, "png"), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (4 * formats.DOTS_PER_INCH, 10 * formats.DOTS_PER_INCH, 3)
    for name in ("training", "validation"):
        colour = [int(COLORS[name][place : place + 2], 16) for place in (5, 3, 1)]
        assert (np.abs(picture.astype(int) - colour).max(axis=2) < 3).sum() > 100


def test_svg_draws_a_line_through_each_epoch_and_is_the_same_twice(trained: Trained) -> None:
    drawn = formats.export_run(trained.run, "svg")
    assert drawn == formats.export_run(trained.run, "svg")
    paths = [element for element in ElementTree.fromstring(drawn).iter() if element.tag.endswith("}path")]
    lines = [element for element in paths if COLORS["validation"] in element.get("style", "")]
    epochs = sum("val_loss" in row for row in trained.run.metrics().rows)
    assert any(element.get("d", "").count("L") == epochs - 1 for element in lines)


def test_figure_survives_one_report_and_a_loss_that_ran_away() -> None:
    run = create_run(make_spec("fast"))
    run.append_metrics({"step": 1, "epoch": 0, "loss": 2.3, "accuracy": 0.1, "images": 5})
    assert formats.curves_image(run, "png").startswith(b"\x89PNG")
    run.append_metrics({"step": 2, "epoch": 0, "loss": 1e30, "accuracy": 0.1, "images": 5})
    assert formats.curves_image(run, "png").startswith(b"\x89PNG")


def test_epoch_means_weigh_by_images() -> None:
    rows: list[dict[str, Any]] = [
        {"step": 1, "epoch": 0, "loss": 4.0, "images": 10},
        {"step": 4, "epoch": 1, "loss": 1.0, "images": 30, "val_loss": 9.0},
        {"step": 8, "epoch": 2, "loss": 0.5, "images": 40, "val_loss": 8.0},
        {"step": 9, "epoch": 2, "loss": 0.1, "images": 10},
    ]
    found = formats.epoch_means(rows, "loss")
    assert list(found) == [1, 2] and math.isclose(found[1], 1.75) and math.isclose(found[2], 0.5)


@pytest.mark.parametrize("name", ["csv", "png", "svg"])
def test_a_run_that_said_nothing_has_nothing_to_show(name: str) -> None:
    with pytest.raises(RunError, match="has not reported anything"):
        formats.export_run(create_run(make_spec("fast")), name)


@pytest.mark.parametrize("name", ["keras", "tflite"])
def test_a_run_without_a_model_says_so(name: str) -> None:
    with pytest.raises(ModelError, match="it is queued"):
        formats.export_run(create_run(make_spec("fast")), name)


def test_unknown_formats_are_refused(trained: Trained) -> None:
    with pytest.raises(RunError, match="no format 'h5'. Known: keras"):
        formats.export_run(trained.run, "h5")


def test_files_are_written_once(trained: Trained, tmp_path: Path) -> None:
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


def test_what_a_script_reads_is_not_overwritten_either(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"somebody's")
    with pytest.raises(RunError, match="mnist.npz is there already"):
        formats.write_export(trained.run, "script", tmp_path / "a.py")
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["mnist.npz"]
    written = formats.write_export(trained.run, "script", tmp_path / "a.py", overwrite=True)
    assert [path.name for path in written] == ["a.py", "mnist.npz"]


def test_names_are_the_runs(trained: Trained) -> None:
    assert (
        formats.export_filename(Run(Path("/x/20260101-000000-fast-1234")), "script") == "20260101-000000-fast-1234.py"
    )
