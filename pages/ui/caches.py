"""Everything that is computed once and shared, in one place. What `cache_resource` returns belongs to all users: it is
read, never changed. Their keys are texts and numbers: Streamlit takes ten times as long to make a key of a Path, and
some are looked up at every stroke."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core import data, drawings, pen, robustness, runs
from mnist_core import history as runs_history
from mnist_core import reports as runs_reports
from mnist_core.augmentation import AUGMENTATIONS, augment
from mnist_core.classifier import Classifier
from mnist_core.jobs import JobBackend, LocalBackend
from mnist_core.workers import cores


@st.cache_resource(show_spinner=False)
def backend() -> JobBackend:
    """The one queue of this server, with what an earlier one left."""
    local = LocalBackend()
    local.adopt(reversed(runs.list_runs()))
    return local


def classifier(path: Path) -> Classifier:
    """The model in the file, loaded once. Raises ModelError where it is missing or broken."""
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _classifier(str(path), changed)


@st.cache_resource(show_spinner=False, max_entries=20)
def _classifier(path: str, changed: int) -> Classifier:
    return Classifier(Path(path))


def models(root: Path) -> dict[str, dict[str, object]]:
    """Run id -> card, of every run that has a model, newest first. All users share it: it is read, never changed."""
    return _models(str(root))


@st.cache_resource(show_spinner=False, ttl=2)
def _models(root: str) -> dict[str, dict[str, object]]:
    found = [run for run in runs.list_runs(Path(root)) if run.has_model]
    return {run.id: card for run in found if (card := _card(run)) is not None}


def _card(run: runs.Run) -> dict[str, object] | None:
    """The card, read again when it has changed; None where the run was deleted a moment ago."""
    try:
        found = (run.path / "card.json").stat()
    except OSError:
        return None
    return _read_card(run, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=2000)
def _read_card(run: runs.Run, changed: int, number: int) -> dict[str, object]:
    return run.card()


def history(root: Path) -> list[dict[str, Any]]:
    """A row for every run, newest first."""
    return _history(str(root))


@st.cache_data(show_spinner=False, ttl=2)
def _history(root: str) -> list[dict[str, Any]]:
    return runs_history.everything(Path(root))


def forget_runs() -> None:
    """To be called when something about the runs has changed here: the next look is a new one."""
    _history.clear()
    _models.clear()


def reports(run: runs.Run) -> list[dict[str, float]]:
    """The reports of a run, as reports.comparable makes them; read again when there are more."""
    status, path = run.status(), run.path / "metrics.jsonl"
    if not path.exists():
        return []
    found = path.stat()
    return _reports(str(run.path), found.st_ino, found.st_size, status.steps / max(status.epochs, 1))


@st.cache_resource(show_spinner=False, max_entries=20)
def _reports(folder: str, number: int, size: int, steps_per_epoch: float) -> list[dict[str, float]]:
    return runs_reports.comparable(runs.Run(Path(folder)).metrics().rows, steps_per_epoch)


@st.cache_resource(show_spinner="Reading the images …", max_entries=2)
def mnist(choice: str) -> data.Mnist:
    """The data set, as data.load takes it."""
    return data.load(choice)


def at_hand() -> str:
    """The data set to show things on: `full` where it is on this computer, else `sample`. Nothing is downloaded."""
    return "full" if data.available() else "sample"


@st.cache_data(show_spinner=False)
def augmented_digits(name: str, count: int) -> NDArray[np.uint8]:
    """The first training digits of the offline sample, (count, 28, 28) uint8, changed as a training changes them."""
    images, how = mnist("sample").x_train[:count], AUGMENTATIONS[name]
    return images if how is None else augment(images, how, np.random.default_rng(0))


@st.cache_resource(show_spinner=False, max_entries=4)
def test_images(choice: str, split: str, uncentered: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Test images (N, size, size) uint8 and labels (N,) of a split."""
    parts = data.split(mnist(choice), split)
    return data.uncentered_test(parts) if uncentered else parts.x_test, parts.y_test


def predictions(path: Path, choice: str, part: str) -> NDArray[np.float32]:
    """What a model makes of a whole data set, (N, C) float32 as Classifier.probabilities; computed once.

    Args:
        path: of the model.
        choice: of the data, as data.load takes it.
        part: `train` or `test`.
    """
    return _predictions(str(path), path.stat().st_mtime_ns if path.exists() else 0, choice, part)


@st.cache_resource(show_spinner="Drawing the pen digits …", max_entries=5)
def pen_digits(path: str, condition: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[str, ...]]:
    """The digits of people whom no model has seen: images (N, 28, 28) uint8, labels (N,) uint8, and who wrote them.

    Args:
        path: of pen.locate(): another file holds others.
        condition: one of pen.CONDITIONS.
    """
    digits = pen.split_writers(pen.load())[1]
    labels = np.array([digit.label for digit in digits], np.uint8)
    return drawings.normalised(digits, condition), labels, tuple(sorted({digit.writer for digit in digits}))


def pen_predictions(path: Path, strokes: str, condition: str) -> NDArray[np.float32]:
    """What the model at `path` makes of pen_digits(strokes, condition), (N, C) float32; computed once."""
    return _pen_predictions(str(path), path.stat().st_mtime_ns if path.exists() else 0, strokes, condition)


@st.cache_resource(show_spinner="The model reads all these digits, once …", max_entries=20)
def _pen_predictions(path: str, changed: int, strokes: str, condition: str) -> NDArray[np.float32]:
    return Classifier(Path(path), cores()).probabilities(pen_digits(strokes, condition)[0])


@st.cache_resource(show_spinner=False, max_entries=2)
def spoilable(choice: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The test images of a data set that are spoilt, (N, 28, 28) uint8, and their labels: robustness.subset."""
    found = mnist(choice)
    chosen = robustness.subset(found.y_test)
    return found.x_test[chosen], found.y_test[chosen]


def robust(path: Path, choice: str, distortion: str, level: float) -> float:
    """Accuracy of a model on `spoilable` images at one level of one of robustness.DISTORTIONS; computed once."""
    return _robust(str(path), path.stat().st_mtime_ns if path.exists() else 0, choice, distortion, level)


@st.cache_data(show_spinner=False, max_entries=2000)
def _robust(path: str, changed: int, choice: str, distortion: str, level: float) -> float:
    how = robustness.DISTORTIONS[distortion]
    return robustness.accuracy(classifier(Path(path)), *spoilable(choice), how, level)


@st.cache_resource(show_spinner="Placing the digits anywhere …", max_entries=6)
def placed_anywhere(choice: str, way: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The uncentered test of Lesson 08, brought to a model's input by one of robustness.WAYS, and its labels."""
    images, labels = test_images(choice, "half-test", True)
    chosen = robustness.subset(labels)
    return robustness.WAYS[way][1](images[chosen]), labels[chosen]


def anywhere(path: Path, choice: str, way: str) -> float:
    """Accuracy of a model on `placed_anywhere`; computed once."""
    return _anywhere(str(path), path.stat().st_mtime_ns if path.exists() else 0, choice, way)


@st.cache_data(show_spinner=False, max_entries=200)
def _anywhere(path: str, changed: int, choice: str, way: str) -> float:
    images, labels = placed_anywhere(choice, way)
    return float((classifier(Path(path)).probabilities(images).argmax(axis=1) == labels).mean())


@st.cache_resource(show_spinner="The model reads all these images, once …", max_entries=12)
def _predictions(path: str, changed: int, choice: str, part: str) -> NDArray[np.float32]:
    found = mnist(choice)
    images = found.x_train if part == "train" else found.x_test
    return Classifier(Path(path), cores()).probabilities(images)
