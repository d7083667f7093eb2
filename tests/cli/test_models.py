"""Commands that use a model: classify, evaluate."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result

from mnist_core import worker
from mnist_core.models.classifier import Classifier
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run
from tests.cli.calling import call, call_error, call_json
from tests.support import Trained


def test_evaluate_a_run(trained: Trained) -> None:
    value = call_json("evaluate", "--model", trained.run.id, "--data", "sample", "--json", runs=trained.run.path.parent)
    card = trained.run.card()
    assert (value["accuracy"], value["confusion"]) == (card["test_accuracy"], card["test"]["confusion"])
    assert value["loss"] == pytest.approx(card["test_loss"], rel=1e-4)
    assert np.array(value["confusion"]).shape == (10, 10) and value["images"] == 1000
    assert {"classes", "calibration_error", "data", "model"} <= set(value)


def test_evaluate_as_text(trained: Trained) -> None:
    result = call("evaluate", "--model", trained.run.id, "--data", "sample", runs=trained.run.path.parent)
    assert f"accuracy {trained.run.card()['test_accuracy']:.4f}" in result.stdout
    assert result.stdout.splitlines()[2].split() == [str(count) for count in trained.run.card()["test"]["confusion"][0]]


@pytest.mark.usefixtures("keras", "signals")
def test_evaluate_places_and_splits_the_digits_as_the_run_did() -> None:
    layers = (Rescaling(1 / 255), Flatten(), Dense(32, "relu"), Dense(10, "softmax"))
    settings = Settings(layers, 500, 2, learning_rate=0.01, uncentered=True, split="half-test")
    run = create_run(RunSpec("lesson08-uncentered-mlp", settings, "sample"))
    assert worker.main([str(run.path)]) == 0
    value = call_json("evaluate", "--model", run.id, "--data", "sample", "--json")
    assert (value["images"], value["confusion"]) == (500, run.card()["test"]["confusion"])


def test_evaluate_the_shipped_model() -> None:
    value = call_json("evaluate", "--data", "sample", "--json")
    assert value["accuracy"] > 0.99 and value["model"] == "default" and value["images"] == 1000


def test_evaluate_refuses_runs_without_a_model_and_missing_data(tmp_path: Path) -> None:
    run = create_run(make_spec("fast"))
    assert str(run.model) in call_error("evaluate", "--model", run.id, "--data", "sample")
    assert str(tmp_path / "nothing.npz") in call_error("evaluate", "--data", tmp_path / "nothing.npz")
    assert "--model RUN" in call_error("evaluate", "--record")


@pytest.fixture(scope="session")
def drawings(sample: Any) -> tuple[np.ndarray, np.ndarray]:
    """(20, 280, 280) uint8: test digits drawn large in black on white, and their labels."""
    large = [cv2.resize(image, (280, 280), interpolation=cv2.INTER_CUBIC) for image in sample.x_test[:20]]
    return 255 - np.stack(large), sample.y_test[:20]


def parse_rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def assert_complete(row: dict[str, Any]) -> None:
    assert set(row) == {"source", "index", "digit", "confidence", "probabilities", "rejected", "reason"}
    assert len(row["probabilities"]) == 10 and 0.5 <= sum(row["probabilities"]) <= 1 + 1e-4
    assert row["digit"] == int(np.argmax(row["probabilities"])) and row["confidence"] == max(row["probabilities"])
    assert row["rejected"] is False and row["reason"] is None


@pytest.mark.parametrize("ending", ["png", "jpg", "JPEG", "PNG"])
def test_classify_image_files(drawings: tuple[np.ndarray, np.ndarray], tmp_path: Path, ending: str) -> None:
    files = [tmp_path / f"digit {number}.{ending}" for number in range(20)]
    for file, drawing in zip(files, drawings[0], strict=True):
        file.write_bytes(cv2.imencode(f".{ending.lower()}", drawing)[1].tobytes())
    rows = parse_rows(call("classify", *files))
    assert [(row["source"], row["index"]) for row in rows] == [(str(file), 0) for file in files]
    for row in rows:
        assert_complete(row)
    assert np.mean([row["digit"] == label for row, label in zip(rows, drawings[1], strict=True)]) >= 0.95


@pytest.mark.parametrize("channels", [0, 3, 4])
def test_classify_an_npz_file(drawings: tuple[np.ndarray, np.ndarray], tmp_path: Path, channels: int) -> None:
    images = drawings[0]
    if channels:
        opaque = np.full((*images.shape, channels), 255, np.uint8)
        opaque[..., :3] = images[..., None]
        images = opaque
    np.savez(tmp_path / "digits.npz", images=images)
    rows = parse_rows(call("classify", tmp_path / "digits.npz"))
    assert [row["index"] for row in rows] == list(range(20))
    for row in rows:
        assert_complete(row)
    assert np.mean([row["digit"] == label for row, label in zip(rows, drawings[1], strict=True)]) >= 0.95


def test_classify_with_a_run_and_with_plain_resize(
    drawings: tuple[np.ndarray, np.ndarray], tmp_path: Path, trained: Trained
) -> None:
    """With plain resize these drawings are the test digits again, and the run predicts the same as for those."""
    np.savez(tmp_path / "digits.npz", images=drawings[0])
    root = trained.run.path.parent
    rows = parse_rows(call("classify", "--plain", "--model", trained.run.id, tmp_path / "digits.npz", runs=root))
    small = np.stack([255 - cv2.resize(drawing, (28, 28), interpolation=cv2.INTER_AREA) for drawing in drawings[0]])
    expected = Classifier(trained.run.model).digit_probabilities(small)
    assert np.mean([row["digit"] for row in rows] == expected.argmax(1)) >= 0.95
    other = parse_rows(call("classify", "--model", trained.run.id, tmp_path / "digits.npz", runs=root))
    assert [row["probabilities"] for row in other] != [row["probabilities"] for row in rows]


def test_classify_a_blank_image(tmp_path: Path) -> None:
    np.savez(tmp_path / "blank.npz", images=np.full((1, 100, 100), 255, np.uint8))
    (row,) = parse_rows(call("classify", tmp_path / "blank.npz"))
    assert (row["digit"], row["confidence"], row["rejected"]) == (None, 0, True) and row["reason"]


def archive_with_a_false_size(path: Path) -> None:
    """Writes an .npz whose header claims more bytes than there is memory for."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (100000000, 100000, 10), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def plain_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((1, 28, 28), np.uint8))


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("a.png", lambda path: path.write_text("no picture"), ""),
        ("a.jpg", lambda path: path.write_bytes(b"\xff\xd8\xff\xe0cut short"), ""),
        ("empty.png", lambda path: path.write_bytes(b""), ""),
        ("a.npz", lambda path: path.write_text("no archive"), "not an .npz"),
        ("a.npz", lambda path: path.write_bytes(b"PK\x03\x04 cut short"), "not an .npz"),
        ("a.npz", lambda path: np.savez(path, digits=np.zeros((1, 28, 28), np.uint8)), "'images'"),
        ("a.npz", lambda path: np.savez(path, images=np.array([{}], object)), "not an .npz"),
        ("a.npz", lambda path: np.savez(path, images=np.zeros((1, 28, 28))), r"(1, 28, 28) float64, expected uint8"),
        ("a.npz", lambda path: np.savez(path, images=np.zeros((28, 28), np.uint8)), "(28, 28) uint8, expected"),
        (
            "a.npz",
            lambda path: np.savez(path, images=np.zeros((1, 28, 28, 2), np.uint8)),
            "(1, 28, 28, 2) uint8, expected",
        ),
        ("a.npz", plain_npy, "not an .npz"),
        ("a.npz", archive_with_a_false_size, "not an .npz"),
    ],
    ids=[
        "text",
        "cut-jpeg",
        "empty",
        "text-npz",
        "cut-npz",
        "no-images",
        "pickle",
        "floats",
        "flat",
        "two-channels",
        "npy",
        "false-size",
    ],
)
def test_classify_names_the_file_that_it_cannot_read(
    tmp_path: Path, name: str, write: Callable[[Path], object], words: str
) -> None:
    write(tmp_path / name)
    message = call_error("classify", tmp_path / name)
    assert str(tmp_path / name) in message and words in message


def test_classify_continues_after_a_bad_file(drawings: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    cv2.imwrite(str(tmp_path / "good.png"), drawings[0][0])
    result = call("classify", tmp_path / "broken.png", tmp_path / "good.png")
    assert result.exit_code == 2 and str(tmp_path / "broken.png") in result.stderr
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [str(tmp_path / "good.png")]


def test_classify_refuses_a_missing_file(tmp_path: Path) -> None:
    assert "nothing.png" in call_error("classify", tmp_path / "nothing.png")
    assert "Missing argument" in call_error("classify")
