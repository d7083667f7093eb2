"""What the Data, Evaluate and Explain pages compute once and share. Apart from `caches`, because these imports are slow
and the Draw page does not need them."""

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
from mnist_core.data.labels import correct_mask
from mnist_core.data.summary import DatasetSummary, summarize_dataset
from mnist_core.errors import ModelError
from mnist_core.evaluation import robustness
from mnist_core.evaluation.pen_accuracy import normalize_pen_digits
from mnist_core.explain import counterfactual, neighbors, occlusion, pca
from mnist_core.explain.gradient_client import Attribution, GradientClient, SnapshotHistory
from mnist_core.explain.pca import Plane
from mnist_core.handwriting.pen_digits import load_pen_digits, split_writers
from mnist_core.models.activations import ActivationModel
from mnist_core.models.classifier import Classifier
from mnist_core.models.weights import Weights, layer_weights
from mnist_core.processes import cpu_count
from mnist_core.runs.model_card import load_architecture
from mnist_core.sweeps import importance
from mnist_core.sweeps.store import Sweep
from pages.ui.shared import caches, model_menu
from pages.ui.shared.caches import FILE_VERSION

Images = NDArray[np.uint8]
"""(N, 28, 28) uint8, ink bright; or (28, 28) where it says `image`."""
Labels = NDArray[np.uint8]

MAPPED_DIGITS = 5000
"""Digits of a map. More make the page slow."""
CLASSIFYING_TRAINING_DIGITS = "Classifying all training digits (only once) …"


@st.cache_resource(show_spinner="Rendering the pen digits …", max_entries=5)
def pen_digits(path: str, condition: str) -> tuple[Images, Labels, tuple[str, ...]]:
    """The pen digits of writers whom no model was trained on: images, labels, and the names of the writers.

    Args:
        path: where the pen digits are stored, part of the key because another file holds others.
        condition: how they are drawn and normalized, one of pen_accuracy's conditions.
    """
    digits = split_writers(load_pen_digits())[1]
    labels = np.array([digit.label for digit in digits], np.uint8)
    return normalize_pen_digits(digits, condition), labels, tuple(sorted({digit.writer for digit in digits}))


@st.cache_resource(show_spinner="Classifying all images (only once) …", max_entries=20, hash_funcs=FILE_VERSION)
def pen_predictions(path: Path, pen_path: str, condition: str) -> NDArray[np.float32]:
    """A model's probabilities for `pen_digits(pen_path, condition)`, (N, C) float32."""
    return Classifier(path, cpu_count()).probabilities(pen_digits(pen_path, condition)[0])


@st.cache_resource(show_spinner=False, max_entries=2)
def robustness_images(choice: str) -> tuple[Images, Labels]:
    """The test images of a data set that are distorted to measure robustness, and their labels."""
    data = caches.mnist(choice)
    chosen = robustness.balanced_subset(data.y_test)
    return data.x_test[chosen], data.y_test[chosen]


@st.cache_data(show_spinner=False, max_entries=2000, hash_funcs=FILE_VERSION)
def robustness_accuracy(path: Path, choice: str, distortion: str, level: float) -> float:
    """A model's accuracy, 0 to 1, on `robustness_images(choice)` under a distortion of robustness.DISTORTIONS."""
    images, labels = robustness_images(choice)
    return robustness.accuracy_at(caches.classifier(path), images, labels, robustness.DISTORTIONS[distortion], level)


@st.cache_resource(show_spinner="Preparing the uncentered digits …", max_entries=6)
def uncentered_images(choice: str, preparation: str) -> tuple[NDArray[np.uint8], Labels]:
    """Uncentered test digits as one of robustness.PREPARATIONS gives them to a model: (N, S, S) uint8, and labels."""
    images, labels = caches.test_images(choice, "half-test", True)
    chosen = robustness.balanced_subset(labels)
    return robustness.PREPARATIONS[preparation][1](images[chosen]), labels[chosen]


@st.cache_data(show_spinner=False, max_entries=200, hash_funcs=FILE_VERSION)
def uncentered_accuracy(path: Path, choice: str, preparation: str) -> float:
    """A model's accuracy, 0 to 1, on `uncentered_images(choice, preparation)`."""
    images, labels = uncentered_images(choice, preparation)
    return float(correct_mask(caches.classifier(path).probabilities(images), labels).mean())


@st.cache_resource(show_spinner="Counting pixels …", max_entries=2)
def dataset_summary(choice: str) -> DatasetSummary:
    """Statistics of a data set."""
    return summarize_dataset(caches.mnist(choice))


@dataclass(frozen=True, eq=False)
class DigitMap:
    """Digits projected onto a plane.

    Attributes:
        plane: the plane.
        points: positions of the digits on it, (N, 2) float64.
        labels: (N,) uint8.
    """

    plane: Plane
    points: NDArray[np.float64]
    labels: Labels


@st.cache_resource(show_spinner="Drawing the map …", max_entries=6, hash_funcs=FILE_VERSION)
def digit_map(choice: str, path: Path | None) -> DigitMap:
    """The map of `digit_map_images(choice)`, by their pixels or, if `path` is given, by a model's last hidden layer."""
    images, labels = digit_map_images(choice)
    features = digit_map_features(images, path)
    plane = pca.principal_plane(features)
    return DigitMap(plane, plane.project(features), labels)


def digit_map_features(images: Images, path: Path | None) -> NDArray[np.float32]:
    """What a map is computed from, (N, F) float32. Raises ModelError if the model has too many features."""
    if path is None:
        return pca.flatten_pixels(images)
    return model_layers(path).features(images)


def digit_map_images(choice: str) -> tuple[Images, Labels]:
    """The first MAPPED_DIGITS training digits of a data set, followed by test digits if there are fewer."""
    data = caches.mnist(choice)
    missing = max(0, MAPPED_DIGITS - len(data.x_train))
    images = np.concatenate([data.x_train[:MAPPED_DIGITS], data.x_test[:missing]])
    return images, np.concatenate([data.y_train[:MAPPED_DIGITS], data.y_test[:missing]])


@st.cache_resource(show_spinner=False, max_entries=2)
def digit_map_thumbnails(choice: str) -> list[str]:
    """`digit_map_images(choice)` as data URLs, for the tooltips of the chart."""
    return [data_charts.compact_data_url(image) for image in digit_map_images(choice)[0]]


@st.cache_resource(show_spinner=False, max_entries=6, hash_funcs=FILE_VERSION)
def model_layers(path: Path) -> ActivationModel:
    """A model whose layers can be inspected.

    Raises:
        NoActivationsError: the file only gives predictions.
        ModelError: it cannot be read.
    """
    return ActivationModel(path)


@st.cache_resource(show_spinner=False, max_entries=6, hash_funcs=FILE_VERSION)
def model_weights(path: Path) -> tuple[Weights, ...]:
    """The weights of every layer. `path`: of model.keras. Raises ModelError if it cannot be read."""
    return layer_weights(path, load_architecture(path.parent))


@st.cache_resource(show_spinner="Searching for a counterfactual …", max_entries=50, hash_funcs=FILE_VERSION)
def find_counterfactual(path: Path, image: Images) -> counterfactual.Counterfactual:
    """A small change of an image, (28, 28) uint8, that changes a model's prediction."""
    return counterfactual.find_counterfactual(caches.classifier(path), image)


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=FILE_VERSION)
def training_descriptors(choice: str, path: Path, source: str) -> NDArray[np.float16]:
    """A model's last hidden layer for all training digits, (N, W) float16. They are stored in a file.

    Args:
        choice: of model_menu.select_model.
        path: its model.
        source: of the digits, `full` or `sample`.
    """
    data = caches.mnist(source)
    folder = runs_dir() / ".neighbours" if choice == model_menu.SHIPPED else path.parent
    file = neighbors.descriptor_path(path, folder, data.sha256["x_train"])
    if (stored := neighbors.load_descriptors(file, len(data.x_train))) is not None:
        return stored
    bar = st.progress(0.0, CLASSIFYING_TRAINING_DIGITS)

    def show_progress(share: float) -> None:
        bar.progress(share, CLASSIFYING_TRAINING_DIGITS)

    neighbors.write_descriptors(
        ActivationModel(path, cpu_count()),
        data.x_train,
        file,
        show_progress,
    )
    bar.empty()
    written = neighbors.load_descriptors(file, len(data.x_train))
    if written is None:
        raise ModelError(f"{file} was written but cannot be read. Delete it, then reload the page.")
    return written


@st.cache_resource(show_spinner=False)
def gradient_helper() -> GradientClient:
    """The server's only client of the gradient process, which starts with the first request."""
    return GradientClient(cpu_count())


@st.cache_resource(show_spinner=False, max_entries=200, hash_funcs=FILE_VERSION)
def attributions(method: str, path: Path, image: Images, digits: Sequence[int], layer: int | None) -> Attribution:
    """Attribution maps of a model, as GradientClient.attribute returns them. `path`: of model.keras."""
    return gradient_helper().attribute(method, path.parent, image, digits, layer)


@st.cache_resource(show_spinner=False, max_entries=200, hash_funcs=FILE_VERSION)
def occlusion_maps(path: Path, image: Images) -> NDArray[np.float32]:
    """Occlusion maps of all outputs of a model for an image, (C, 13, 13) float32, -1..1."""
    return occlusion.occlusion_maps(caches.classifier(path), image)


@st.cache_resource(show_spinner=False, max_entries=20, hash_funcs=FILE_VERSION)
def snapshot_history(path: Path, image: Images, layer: int) -> SnapshotHistory:
    """One layer through the training, as GradientClient.snapshot_history returns it. `path`: of the snapshots."""
    return gradient_helper().snapshot_history(path.parent, image, layer)


@st.cache_data(show_spinner=False, max_entries=20)
def setting_importances(folder: str, finished: int) -> list[dict[str, Any]]:
    """How much each setting of a sweep matters, as importance.importances returns it.

    Args:
        folder: of the sweep.
        finished: number of its finished trials, part of the key so that more of them count.
    """
    sweep = Sweep(Path(folder))
    return importance.importances(sweep.trials(), sweep.plan().space)
