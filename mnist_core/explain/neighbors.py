"""The training digits that a model takes to be most like a given one: nearest, by the angle, in its penultimate layer.

What it makes of all training digits is kept in a file, so that it is computed once for a model: (N, W) float16, each
row of length 1. Its name says which model and which images it is of.
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
from mnist_core.files import replacing
from mnist_core.models.activations import ActivationModel

BATCH_SIZE = 2048  # images between two words of progress
SEARCH_BATCH_SIZE = 8192  # rows at a time: a float32 copy of them is made
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Neighbor:
    """A training digit. `index`: among the training images; `similarity`: the cosine of the angle, -1..1."""

    index: int
    similarity: float


def descriptor_path(model: Path, folder: Path, data_hash: str) -> Path:
    """Where the descriptions by a model lie: in `folder`, under a name of the model's content and the images' hash."""
    try:
        content = hashlib.sha256(model.read_bytes())
    except OSError as error:
        raise ModelError(f"There is no model at {model} ({error.strerror}). Choose another one.") from None
    content.update(data_hash.encode())
    return folder / f"neighbours-{content.hexdigest()[:20]}.npy"


def write_descriptors(
    layers: ActivationModel, images: NDArray[np.uint8], path: Path, progress: Progress = lambda share: None
) -> None:
    """Writes the file, whole or not at all, and removes those of what the model was before.

    Args:
        layers: the model.
        images: (N, 28, 28) uint8, the training digits.
        path: as file_of gives it.
        progress: told the share that is done, 0..1.

    Raises:
        ModelError: it cannot be written.
    """
    parts = []
    for start in range(0, len(images), BATCH_SIZE):
        parts.append(_unit(layers.penultimate(images[start : start + BATCH_SIZE])).astype(np.float16))
        progress(min(1.0, (start + BATCH_SIZE) / len(images)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            np.save(temporary, np.concatenate(parts))
        for older in path.parent.glob("neighbours-*.npy"):
            if older != path:
                with contextlib.suppress(OSError):  # Windows keeps what somebody reads
                    older.unlink()
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error}. Make room, then try again.") from None


def load_descriptors(path: Path, count: int) -> NDArray[np.float16] | None:
    """The file, (N, W) float16, of which the system loads what is looked at; None where it is missing or not whole.

    Args:
        path: as file_of gives it.
        count: training images that it has to be of.
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = found.ndim == 2 and found.dtype == np.float16 and len(found) == count
    return found if fits else None


def nearest_neighbors(described: NDArray[np.float16], wanted: NDArray[np.float32], count: int = 10) -> list[Neighbor]:
    """The most similar training digits, nearest first.

    Args:
        described: (N, W) float16, as `read` gives it.
        wanted: (W,) float32, the penultimate layer's output for the digit.
        count: how many.

    Raises:
        ModelError: they are of different models.
    """
    if described.shape[1:] != wanted.shape:
        raise ModelError(f"The file describes digits by {described.shape[1]} numbers, the model by {len(wanted)}.")
    direction = _unit(wanted[None])[0]
    parts = [
        described[start : start + SEARCH_BATCH_SIZE].astype(np.float32) @ direction
        for start in range(0, len(described), SEARCH_BATCH_SIZE)
    ]
    similarities = np.concatenate(parts)
    first = np.argsort(-similarities, kind="stable")[:count]
    return [Neighbor(int(index), float(similarities[index])) for index in first]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, W) float32: each row made of length 1; one of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)
