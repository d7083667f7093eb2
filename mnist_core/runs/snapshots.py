"""Snapshots: the weights before the first step and at the end of epochs, to look back on.

    RUN_DIR/snapshots/0000.npz    before the first step
    RUN_DIR/snapshots/0007.npz    after seven epochs

A run keeps at most MAX_SNAPSHOTS and MAX_BYTES. When there are more, snapshots between the first and the last are
deleted so that the rest are evenly spaced. The files hold float16 where the weights fit, and no pickles. They are not
part of an exported run.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import RunError
from mnist_core.files import replacing

SNAPSHOT_FOLDER = "snapshots"
MAX_SNAPSHOTS = 20
MAX_BYTES = 32_000_000
"""Limit for all snapshots of a run. A network of more than 5 million parameters still keeps its first and last."""
BYTES_PER_WEIGHT = 2
"""Size of a float16."""

Weights = list[NDArray[Any]]

_FILE_NAME = re.compile(r"(\d{4,6})\.npz")
_READ_ERRORS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def snapshot_epochs(folder: Path) -> list[int]:
    """Returns the number of finished epochs of each snapshot, ascending. 0 is the one before the first step.

    Args:
        folder: the run's directory.
    """
    matches = (_FILE_NAME.fullmatch(path.name) for path in (folder / SNAPSHOT_FOLDER).glob("*.npz"))
    return sorted(int(match[1]) for match in matches if match)


def write_snapshot(folder: Path, epoch: int, weights: Sequence[NDArray[Any]]) -> None:
    """Adds a snapshot and deletes those that are too many.

    Args:
        folder: the run's directory.
        epoch: finished epochs. Snapshots of later epochs are deleted: these epochs are being trained again.
        weights: as `model.get_weights` returns them.

    Raises:
        OSError: the file cannot be written. Earlier snapshots are still there.
    """
    compact = [_to_float16(value) for value in weights]
    path = _snapshot_path(folder, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        np.savez(temporary, *compact)
    epochs = snapshot_epochs(folder)
    limit = max_snapshots(sum(value.nbytes for value in compact))
    keep = thin_out([number for number in epochs if number <= epoch], limit)
    for number in epochs:
        if number not in keep:
            _snapshot_path(folder, number).unlink(missing_ok=True)


def read_snapshot(folder: Path, epoch: int) -> Weights:
    """Reads the weights of a snapshot.

    Args:
        folder: the run's directory.
        epoch: finished epochs.

    Returns:
        float32 arrays, in the order of `model.get_weights`.

    Raises:
        RunError: there is no such snapshot, or its file is broken.
    """
    path = _snapshot_path(folder, epoch)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[f"arr_{index}"].astype(np.float32) for index in range(len(arrays.files))]
    except _READ_ERRORS as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{path} cannot be read ({reason}). Delete the folder {SNAPSHOT_FOLDER}, or train the run again."
        ) from None


def max_snapshots(size: int) -> int:
    """How many snapshots of this size, in bytes, a run keeps: MAX_SNAPSHOTS or fewer, and at least two."""
    return max(2, min(MAX_SNAPSHOTS, MAX_BYTES // max(1, size)))


def thin_out(epochs: Sequence[int], limit: int) -> list[int]:
    """Picks at most `limit` of ascending epochs, 2 or more: the first, the last, and every second, fourth, … one."""
    spacing, picked = 1, list(epochs)
    while len(picked) > max(2, limit):
        spacing *= 2
        picked = [epoch for epoch in epochs if epoch % spacing == 0 or epoch in (epochs[0], epochs[-1])]
    return picked


def _to_float16(value: NDArray[Any]) -> NDArray[Any]:
    """Converts to float16, or to float32 if a number is too large for that."""
    with np.errstate(over="ignore"):
        half = np.asarray(value).astype(np.float16)
    return half if np.isfinite(half).all() else np.asarray(value, np.float32)


def _snapshot_path(folder: Path, epoch: int) -> Path:
    return folder / SNAPSHOT_FOLDER / f"{epoch:04d}.npz"
