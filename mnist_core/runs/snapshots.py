"""Snapshots of a training: the weights before its first step and at each epoch's end, to be looked back on.

    RUN_DIR/snapshots/0000.npz    before the first step
    RUN_DIR/snapshots/0007.npz    after seven epochs

At most MOST of them, and MOST_BYTES in all: when more come, some between the first and the last go, so that the rest
lie evenly. They hold float16 where the weights fit, numbers and no pickle. They stay at home when a run is exported.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import RunError
from mnist_core.files import replacing

FOLDER = "snapshots"
MOST = 20
MOST_BYTES = 32_000_000  # of one run; a single network of 20 million parameters takes more, and keeps its two

Weights = list[NDArray[Any]]

_NAME = re.compile(r"(\d{4,6})\.npz")
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def snapshot_epochs(folder: Path) -> list[int]:
    """Finished epochs of each snapshot of a run, in order; 0 is before the first step. Empty where there are none."""
    found = (_NAME.fullmatch(path.name) for path in (folder / FOLDER).glob("*.npz"))
    return sorted(int(match[1]) for match in found if match)


def write_snapshot(folder: Path, epoch: int, weights: Sequence[NDArray[Any]]) -> None:
    """Adds a snapshot, and removes what is too many.

    Args:
        folder: the run's directory.
        epoch: finished epochs. Snapshots of later ones are removed: they are of a training that is done once more.
        weights: as `model.get_weights` gives them.

    Raises:
        OSError: it cannot be written. Those before it are still there.
    """
    halves = [_half(value) for value in weights]
    path = _path(folder, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        np.savez(temporary, *halves)
    kept = thinned([each for each in snapshot_epochs(folder) if each <= epoch], most_of(halves))
    for each in snapshot_epochs(folder):
        if each not in kept:
            _path(folder, each).unlink(missing_ok=True)


def read_snapshot(folder: Path, epoch: int) -> Weights:
    """The weights after so many epochs, float32. Raises RunError where there are none, or the file is broken."""
    path = _path(folder, epoch)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[f"arr_{index}"].astype(np.float32) for index in range(len(arrays.files))]
    except _BROKEN as error:
        why = " ".join(str(error).split())[:200]
        raise RunError(f"{path} cannot be read ({why}). Delete the folder {FOLDER}, or train the run again.") from None


def most_of(weights: Sequence[NDArray[Any]]) -> int:
    """How many snapshots of such weights are kept: MOST, fewer of large ones, never less than two."""
    return max(2, min(MOST, MOST_BYTES // max(1, sum(value.nbytes for value in weights))))


def kept_of(parameters: int) -> int:
    """How many snapshots are kept of a network of so many parameters, as `most_of` counts in float16."""
    return max(2, min(MOST, math.floor(MOST_BYTES / (2 * max(1, parameters)))))


def thinned(found: Sequence[int], most: int) -> list[int]:
    """At most so many of these ascending numbers, 2 or more: the first, the last, and every second, fourth, … one."""
    step, kept = 1, list(found)
    while len(kept) > max(2, most):
        step *= 2
        kept = [each for each in found if each % step == 0 or each in (found[0], found[-1])]
    return kept


def _half(value: NDArray[Any]) -> NDArray[Any]:
    """As float16, where no number of it is too large for that."""
    with np.errstate(over="ignore"):
        half = np.asarray(value).astype(np.float16)
    return half if np.isfinite(half).all() else np.asarray(value, np.float32)


def _path(folder: Path, epoch: int) -> Path:
    return folder / FOLDER / f"{epoch:04d}.npz"
