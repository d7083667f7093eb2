"""Nearest neighbors: the training digits that are most similar to a given one to the model.

Similarity is the cosine between the outputs of the model's penultimate layer, called descriptors here. The descriptors
of all training digits are computed once for each model and stored in a file: (N, W) float16, rows of length 1. The
name of the file depends on the content of the model and of the images.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.files.folders import delete_file, make_folder
from mnist_core.files.leftovers import delete_leftovers
from mnist_core.files.read import MODEL_BYTES, open_file, read_file
from mnist_core.files.write import write_array
from mnist_core.models.activations import ActivationModel

BATCH_SIZE = 512
"""Images between two calls of `progress`."""

SEARCH_BATCH_SIZE = 8192
"""Rows that are converted to float32 at a time."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Neighbor:
    """A similar training digit.

    Attributes:
        index: of the training image.
        similarity: cosine of the angle between both descriptors, -1..1.
    """

    index: int
    similarity: float


def descriptor_path(model: Path, folder: Path, data_hash: str) -> Path:
    """The file in `folder` that holds a model's descriptors.

    Args:
        model: model.tflite.
        folder: where the file is kept.
        data_hash: SHA-256 of the training images.

    Raises:
        ModelError: the model cannot be read.
    """
    try:
        content = hashlib.sha256(read_file(model, MODEL_BYTES))
    except OSError as error:
        raise ModelError(f"There is no model at {model} ({error}). Choose another one.") from None
    content.update(data_hash.encode())
    return folder / f"neighbours-{content.hexdigest()[:20]}.npy"


def write_descriptors(
    layers: ActivationModel, images: NDArray[np.uint8], path: Path, progress: Progress = lambda share: None
) -> None:
    """Computes the descriptors and writes them atomically. Deletes the files of earlier models in the same folder.

    Args:
        layers: the model.
        images: (N, 28, 28) uint8, the training digits.
        path: as returned by `descriptor_path`.
        progress: called with the finished share, 0..1.

    Raises:
        ModelError: the model's features are too many, or the file cannot be written.
    """
    descriptors = np.empty((len(images), layers.features(images[:1]).shape[1]), np.float16)
    for start in range(0, len(images), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        descriptors[batch] = _normalize_rows(layers.penultimate(images[batch]))
        progress(min(1.0, (start + BATCH_SIZE) / len(images)))
    try:
        make_folder(path.parent)
        delete_leftovers(path.parent)
        write_array(path, descriptors)
        for older in path.parent.glob("neighbours-*.npy"):
            if older != path:
                with contextlib.suppress(OSError):  # Windows does not delete a file that is open
                    delete_file(older)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error}. Free some disk space, then try again.") from None


def load_descriptors(path: Path, count: int) -> NDArray[np.float16] | None:
    """Maps the file into memory. Returns (N, W) float16, or None if it is missing, broken, or of other images.

    Args:
        path: as returned by `descriptor_path`.
        count: number of training images.
    """
    try:
        open_file(path).close()
        descriptors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError):
        return None
    valid = descriptors.ndim == 2 and descriptors.dtype == np.float16 and len(descriptors) == count
    return descriptors if valid else None


def nearest_neighbors(descriptors: NDArray[np.float16], query: NDArray[np.float32], count: int = 10) -> list[Neighbor]:
    """Finds the most similar training digits, nearest first.

    Args:
        descriptors: (N, W) float16, as returned by `load_descriptors`.
        query: (W,) float32, the penultimate layer's output for the given digit.
        count: how many to return.

    Returns:
        An empty list if `query` is all zeros: it has no direction to compare.

    Raises:
        ModelError: the descriptors are of another model.
    """
    if descriptors.shape[1:] != query.shape:
        raise ModelError(
            f"The file has {descriptors.shape[1]} numbers for each digit, the model has {len(query)}. Delete the file."
        )
    if not query.any():
        return []
    direction = _normalize_rows(query[None])[0]
    parts = [
        descriptors[start : start + SEARCH_BATCH_SIZE].astype(np.float32) @ direction
        for start in range(0, len(descriptors), SEARCH_BATCH_SIZE)
    ]
    similarities = np.concatenate(parts)
    nearest = np.argsort(-similarities, kind="stable")[:count]
    return [Neighbor(int(index), float(similarities[index])) for index in nearest]


def _normalize_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales each row of (N, W) float32 to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)
