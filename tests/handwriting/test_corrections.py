"""Corrections: nothing is lost, nothing is half-written, and what is deleted is gone."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.errors import DrawingError
from mnist_core.handwriting import corrections, pen_formats
from mnist_core.handwriting.corrections import (
    ARCHIVE_IMAGES,
    ARCHIVE_STROKES,
    archive_corrections,
    delete_correction,
    list_corrections,
    save_correction,
)
from mnist_core.handwriting.pen_digits import read_pen_digits

SEVEN = (np.array([[0, 0], [100, 0]], np.float32), np.array([[100, 0], [40, 200]], np.float32))


def image(value: int = 200) -> np.ndarray:
    drawn = np.zeros((28, 28), np.uint8)
    drawn[4:24, 12:16] = value
    return drawn


def test_what_is_kept_comes_back_whole(runs_root: Path) -> None:
    name = save_correction(image(), 7, 1, SEVEN, 20.0).name
    (found,) = list_corrections()
    assert (found.name, found.label, found.predicted, found.width) == (name, 7, 1, 20.0)
    assert (found.image == image()).all() and found.image.dtype == np.uint8
    assert [stroke.tolist() for stroke in found.strokes] == [stroke.tolist() for stroke in SEVEN]
    assert list((runs_root / "drawings").iterdir()) == [runs_root / "drawings" / f"{name}.json"]


def test_newest_comes_first() -> None:
    names = {save_correction(image(), label, 0).name for label in range(5)}
    found = [drawing.name for drawing in list_corrections()]
    assert set(found) == names
    assert found == sorted(found, reverse=True)


def test_each_file_is_parsed_once_until_it_changes(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [save_correction(image(), label, 0).name for label in (1, 2)]
    list_corrections()
    parse, parsed = corrections.Correction.from_json, list[str]()
    monkeypatch.setattr(
        corrections.Correction, "from_json", lambda name, value: parsed.append(name) or parse(name, value)
    )
    assert {each.name for each in list_corrections()} == set(names) and parsed == []
    path = runs_root / "drawings" / f"{names[0]}.json"
    path.write_text(path.read_text().replace('"label": 1', '"label": 5'))
    assert {each.label for each in list_corrections()} == {5, 2} and parsed == [names[0]]


def test_no_folder_is_no_drawings() -> None:
    assert list_corrections() == []


def test_label_out_of_range_is_refused() -> None:
    for label in (-1, 11):
        with pytest.raises(DrawingError, match=f"got {label}"):
            save_correction(image(), label, 0)


def test_wrong_image_is_refused() -> None:
    for wrong, given in ((np.zeros((28, 27), np.uint8), "(28, 27)"), (np.zeros((28, 28)), "float64")):
        with pytest.raises(DrawingError, match=re.escape(given)):
            save_correction(wrong, 1, 0)
    assert list_corrections() == []


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "MAX_CORRECTIONS", 2)
    save_correction(image(), 1, 0)
    save_correction(image(), 2, 0)
    with pytest.raises(DrawingError, match="keeps 2 drawings"):
        save_correction(image(), 3, 0)
    assert len(list_corrections()) == 2


@pytest.mark.parametrize("limit", ["MAX_CORRECTIONS", "DIGITLAB_MAX_DRAWINGS_EACH"])
def test_another_label_fits_at_the_limit(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if limit == "MAX_CORRECTIONS":
        monkeypatch.setattr(corrections, limit, 2)
    else:
        monkeypatch.setenv(limit, "2")
    first, second = (save_correction(image(), label, 0, owner="a" * 64) for label in (1, 2))
    save_correction(image(), 7, 0, owner="a" * 64, replaces=second.name)
    assert sorted(each.label for each in list_corrections()) == [1, 7]
    with pytest.raises(DrawingError, match="limit"):
        save_correction(image(), 8, 0, owner="a" * 64, replaces=second.name)  # it is gone already
    with pytest.raises(DrawingError, match="not the name"):
        save_correction(image(), 8, 0, owner="a" * 64, replaces="../../etc")
    assert first.name in {each.name for each in list_corrections()}


def test_folder_that_cannot_be_written_is_said(runs_root: Path) -> None:
    runs_root.mkdir(parents=True)
    (runs_root / "drawings").write_text("a file in its place")
    with pytest.raises(DrawingError, match="DIGITLAB_RUNS"):
        save_correction(image(), 1, 0)


def test_deleted_is_gone_and_twice_is_no_error() -> None:
    first, second = (save_correction(image(), label, 0) for label in (1, 2))
    delete_correction(first.name)
    delete_correction(first.name)
    assert [drawing.name for drawing in list_corrections()] == [second.name]


def test_name_that_could_be_a_path_is_refused(runs_root: Path) -> None:
    outside = runs_root.parent / "passwd.json"
    outside.write_text("{}")
    for name in ("../passwd", "../../etc/passwd", "", "*", "20260101-000000-ABCDEF01", "x" * 500):
        with pytest.raises(DrawingError):
            delete_correction(name)
    assert outside.exists()


BROKEN = [
    "",
    "[]",
    "{",
    '{"label": 1}',
    json.dumps({"label": 1, "read_as": 1, "image": [[1]], "strokes": [], "width": 1}),
    json.dumps({"label": 12, "read_as": 1, "image": image().tolist(), "strokes": [], "width": 1}),
    json.dumps({"label": 1, "read_as": 1, "image": (image() * 3.0).tolist(), "strokes": [], "width": 1}),
    json.dumps({"label": 1, "read_as": 1, "image": image().tolist(), "strokes": [[[float("nan"), 1]]], "width": 1}),
    json.dumps({"label": 1, "read_as": 1, "image": image().tolist(), "strokes": [[[1e308, 1]]], "width": 1}),
    json.dumps({"label": 1, "read_as": 1, "image": image().tolist(), "strokes": [[]], "width": 1}),
    json.dumps({"label": 1, "read_as": 1, "image": image().tolist(), "strokes": 7, "width": 1}),
    json.dumps({"label": 1, "read_as": 1, "image": None, "strokes": [], "width": "wide"}),
]


def test_broken_files_are_left_out(runs_root: Path) -> None:
    whole = save_correction(image(), 3, 0)
    for content in BROKEN:
        (runs_root / "drawings" / "20990101-000000-00000000.json").write_text(content)
        assert [drawing.name for drawing in list_corrections()] == [whole.name], content


def test_archive_holds_images_and_strokes_that_pen_reads(tmp_path: Path) -> None:
    save_correction(image(), 7, 1, SEVEN, 20.0)
    save_correction(image(90), 4, 9)  # a picture: no strokes
    save_correction(image(70), NOT_A_DIGIT, 5, SEVEN, 20.0)
    drawings = list_corrections()
    with zipfile.ZipFile(io.BytesIO(archive_corrections(drawings))) as packed:
        assert packed.namelist() == [ARCHIVE_IMAGES, ARCHIVE_STROKES]
        arrays = np.load(io.BytesIO(packed.read(ARCHIVE_IMAGES)), allow_pickle=False)
        lines = packed.read(ARCHIVE_STROKES)
    assert arrays["images"].shape == (3, 28, 28)
    assert sorted(arrays["labels"].tolist()) == [4, 7, 10]
    (digit,) = pen_formats.parse_pen_digits(lines, "kept")
    assert digit.label == 7
    assert np.allclose(digit.strokes[1], SEVEN[1] * 5, atol=1)  # the longer side is 1000
    (tmp_path / "drawings.jsonl").write_bytes(lines)
    assert len(read_pen_digits(tmp_path / "drawings.jsonl")) == 1


def test_archive_of_nothing_is_empty() -> None:
    with zipfile.ZipFile(io.BytesIO(archive_corrections([]))) as packed:
        arrays = np.load(io.BytesIO(packed.read(ARCHIVE_IMAGES)), allow_pickle=False)
        assert arrays["images"].shape == (0, 28, 28)
