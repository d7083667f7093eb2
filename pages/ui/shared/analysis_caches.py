"""What the Data, Evaluate and Explain pages compute once and share: as `caches`, and apart from it, so that who only
draws need not wait for what these import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.config import runs_dir
from mnist_core.data import summary as portraits
from mnist_core.data.summary import DatasetSummary
from mnist_core.errors import ModelError
from mnist_core.evaluation import robustness
from mnist_core.evaluation.pen_accuracy import normalize_pen_digits
from mnist_core.explain import counterfactual, neighbors, pca
from mnist_core.explain.gradient_client import Attribution, GradientClient, SnapshotHistory
from mnist_core.explain.pca import Plane
from mnist_core.handwriting.pen_digits import load_pen_digits, split_writers
from mnist_core.models.activations import ActivationModel
from mnist_core.models.classifier import Classifier
from mnist_core.models.weights import Weights, layer_weights
from mnist_core.networks.architecture import Architecture
from mnist_core.processes import cpu_count
from mnist_core.sweeps import importance
from mnist_core.sweeps.store import Sweep
from mnist_core.training import fine_tune
from pages.ui.shared import caches

MAPPED = 5000  # digits of a map: more would make the page heavy


@st.cache_resource(show_spinner="Drawing the pen digits …", max_entries=5)
def pen_digits(path: str, condition: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[str, ...]]:
    """The digits of people whom no model has seen: images (N, 28, 28) uint8, labels (N,) uint8, and who wrote them.

    Args:
        path: of pen.locate(): another file holds others.
        condition: one of pen.CONDITIONS.
    """
    digits = split_writers(load_pen_digits())[1]
    labels = np.array([digit.label for digit in digits], np.uint8)
    return normalize_pen_digits(digits, condition), labels, tuple(sorted({digit.writer for digit in digits}))


def pen_predictions(path: Path, strokes: str, condition: str) -> NDArray[np.float32]:
    """What the model at `path` makes of pen_digits(strokes, condition), (N, C) float32; computed once."""
    return _pen_predictions(str(path), caches.modified_ns(path), strokes, condition)


@st.cache_resource(show_spinner="The model reads all these digits, once …", max_entries=20)
def _pen_predictions(path: str, changed: int, strokes: str, condition: str) -> NDArray[np.float32]:
    return Classifier(Path(path), cpu_count()).probabilities(pen_digits(strokes, condition)[0])


@st.cache_resource(show_spinner=False, max_entries=2)
def robustness_images(choice: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The test images of a data set that are spoilt, (N, 28, 28) uint8, and their labels: robustness.balanced_subset."""
    found = caches.mnist(choice)
    chosen = robustness.balanced_subset(found.y_test)
    return found.x_test[chosen], found.y_test[chosen]


def robustness_accuracy(path: Path, choice: str, distortion: str, level: float) -> float:
    """Accuracy of a model on `spoilable` images at one level of one of robustness.DISTORTIONS; computed once."""
    return _robust(str(path), caches.modified_ns(path), choice, distortion, level)


@st.cache_data(show_spinner=False, max_entries=2000)
def _robust(path: str, changed: int, choice: str, distortion: str, level: float) -> float:
    how = robustness.DISTORTIONS[distortion]
    return robustness.accuracy_at(caches.classifier(Path(path)), *robustness_images(choice), how, level)


@st.cache_resource(show_spinner="Placing the digits anywhere …", max_entries=6)
def uncentered_images(choice: str, way: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The uncentered test of Lesson 08, brought to a model's input by one of robustness.PREPARATIONS, and its labels."""
    images, labels = caches.test_images(choice, "half-test", True)
    chosen = robustness.balanced_subset(labels)
    return robustness.PREPARATIONS[way][1](images[chosen]), labels[chosen]


def uncentered_accuracy(path: Path, choice: str, way: str) -> float:
    """Accuracy of a model on `placed_anywhere`; computed once."""
    return _anywhere(str(path), caches.modified_ns(path), choice, way)


@st.cache_data(show_spinner=False, max_entries=200)
def _anywhere(path: str, changed: int, choice: str, way: str) -> float:
    images, labels = uncentered_images(choice, way)
    return float((caches.classifier(Path(path)).probabilities(images).argmax(axis=1) == labels).mean())


@st.cache_resource(show_spinner="Counting pixels …", max_entries=2)
def dataset_summary(choice: str) -> DatasetSummary:
    """The data set at a glance."""
    return portraits.summarize_dataset(caches.mnist(choice))


@dataclass(frozen=True, eq=False)
class DigitMap:
    """The digits of a map, where they lie, and the plane that they lie on.

    Attributes:
        plane: what it was projected by.
        points: (N, 2) float64.
        labels: (N,) uint8.
    """

    plane: Plane
    points: NDArray[np.float64]
    labels: NDArray[np.uint8]


def digit_map(choice: str, path: Path | None) -> DigitMap:
    """The first MAPPED digits in two dimensions: by their pixels, or by the last hidden layer of a model."""
    return _digit_map(choice, str(path or ""), caches.modified_ns(path) if path else 0)


@st.cache_resource(show_spinner="Drawing the map …", max_entries=6)
def _digit_map(choice: str, path: str, changed: int) -> DigitMap:
    images, labels = mapped_digits(choice)
    values = digit_map_features(images, Path(path) if path else None)
    plane = pca.principal_plane(values)
    return DigitMap(plane, plane.project(values), labels)


def digit_map_features(images: NDArray[np.uint8], path: Path | None) -> NDArray[np.float32]:
    """(N, W) float32: what a map is made of. Raises ModelError where the model has no such layer."""
    if path is None:
        return pca.flatten_pixels(images)
    return model_layers(path).penultimate(images)


def mapped_digits(choice: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first MAPPED images, (N, 28, 28), and labels: of the training digits and, where these are fewer, the test."""
    found = caches.mnist(choice)
    left = max(0, MAPPED - len(found.x_train))
    images = np.concatenate([found.x_train[:MAPPED], found.x_test[:left]])
    return images, np.concatenate([found.y_train[:MAPPED], found.y_test[:left]])


@st.cache_resource(show_spinner=False, max_entries=2)
def digit_map_thumbnails(choice: str) -> list[str]:
    """Of these digits, as they can stand in a chart."""
    return [data_charts.compact_data_url(image) for image in mapped_digits(choice)[0]]


def model_layers(path: Path) -> ActivationModel:
    """The model in the file, to look into. Raises NoLayersError where it gives answers only, ModelError as Layers."""
    return _layers(str(path), caches.modified_ns(path))


@st.cache_resource(show_spinner=False, max_entries=6)
def _layers(path: str, changed: int) -> ActivationModel:
    return ActivationModel(Path(path))


def model_architecture(choice: str) -> Architecture:
    """The layers of a choice of components.model_menu. Raises ModelError where its card cannot be read."""
    return _network(choice, caches.modified_ns(fine_tune.model_folder(choice) / "card.json"))


@st.cache_resource(show_spinner=False, max_entries=20)
def _network(choice: str, changed: int) -> Architecture:
    return fine_tune.base_settings(choice).architecture


def model_weights(choice: str) -> tuple[Weights, ...]:
    """Of every layer of a choice of components.model_menu. Raises ModelError where its model.keras cannot be read."""
    return _weights(choice, caches.modified_ns(fine_tune.model_folder(choice) / "model.keras"))


@st.cache_resource(show_spinner=False, max_entries=6)
def _weights(choice: str, changed: int) -> tuple[Weights, ...]:
    return layer_weights(fine_tune.model_folder(choice) / "model.keras", model_architecture(choice))


def find_counterfactual(path: Path, image: NDArray[np.uint8]) -> counterfactual.Counterfactual:
    """What would change a model's mind about a (28, 28) uint8 image."""
    return _change_of_mind(str(path), caches.modified_ns(path), image.tobytes())


@st.cache_resource(show_spinner="Trying what would change its mind …", max_entries=50)
def _change_of_mind(path: str, changed: int, pixels: bytes) -> counterfactual.Counterfactual:
    image = np.frombuffer(pixels, np.uint8).reshape(28, 28)
    return counterfactual.find_counterfactual(caches.classifier(Path(path)), image)


def training_features(choice: str, path: Path, source: str) -> NDArray[np.float16]:
    """What a model makes of all training digits, (N, W) float16; computed once a model, and kept in a file.

    Args:
        choice: of components.model_menu.
        path: its model.
        source: of the digits, as data.load takes it.
    """
    return _described(choice, str(path), caches.modified_ns(path), source)


@st.cache_resource(show_spinner=False, max_entries=4)
def _described(choice: str, path: str, changed: int, source: str) -> NDArray[np.float16]:
    found = caches.mnist(source)
    folder = runs_dir() / ".neighbours" if choice == fine_tune.SHIPPED_MODEL else Path(path).parent
    file = neighbors.descriptor_path(Path(path), folder, found.sha256["x_train"])
    if (rows := neighbors.load_descriptors(file, len(found.x_train))) is not None:
        return rows
    bar = st.progress(0.0, _READING)
    neighbors.write_descriptors(
        ActivationModel(Path(path), cpu_count()), found.x_train, file, lambda share: bar.progress(share, _READING)
    )
    bar.empty()
    rows = neighbors.load_descriptors(file, len(found.x_train))
    if rows is None:
        raise ModelError(f"{file} was written and cannot be read again. Delete it, then reload the page.")
    return rows


_READING = "The model reads all training digits, once …"


@st.cache_resource(show_spinner=False)
def gradient_helper() -> GradientClient:
    """The one process of this server that computes gradients. It is started when it is first asked."""
    return GradientClient(cpu_count())


def attributions(
    method: str, folder: Path, image: NDArray[np.uint8], digits: Sequence[int], layer: int | None
) -> Attribution:
    """What GradientClient.attribute finds; computed once while it is among the last few asked for."""
    changed = (folder / "model.keras").stat().st_mtime_ns
    return _reasons(method, str(folder), changed, image.tobytes(), tuple(digits), layer)


@st.cache_resource(show_spinner=False, max_entries=200)
def _reasons(
    method: str, folder: str, changed: int, image: bytes, digits: tuple[int, ...], layer: int | None
) -> Attribution:
    pixels = np.frombuffer(image, np.uint8).reshape(28, 28)
    return gradient_helper().attribute(method, Path(folder), pixels, digits, layer)


def layer_growth(folder: Path, image: NDArray[np.uint8], layer: int) -> SnapshotHistory:
    """What GradientClient.snapshot_history finds; computed once while it is among the last few asked for."""
    changed = (folder / "snapshots").stat().st_mtime_ns
    return _growth(str(folder), changed, image.tobytes(), layer)


@st.cache_resource(show_spinner=False, max_entries=20)
def _growth(folder: str, changed: int, image: bytes, layer: int) -> SnapshotHistory:
    return gradient_helper().snapshot_history(Path(folder), np.frombuffer(image, np.uint8).reshape(28, 28), layer)


@st.cache_data(show_spinner=False, max_entries=20)
def setting_importances(folder: str, finished: int) -> list[dict[str, Any]]:
    """importance.importances of a sweep; grown again when more of its trials have `finished`."""
    found = Sweep(Path(folder))
    return importance.importances(found.trials(), found.plan().space)
