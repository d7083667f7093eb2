"""Snapshots: the weights before the first step, within the first epoch and at the end of epochs, to look back on.

    RUN_DIR/snapshots/0000.npz           before the first step
    RUN_DIR/snapshots/step-000021.npz    after 21 steps of the first epoch
    RUN_DIR/snapshots/0007.npz           after seven epochs

A network learns most in its first steps, so those within the first epoch are spaced on a log scale. Of the others, a
run keeps at most MAX_SNAPSHOTS and MAX_BYTES: when there are more, snapshots between the first and the last are deleted
so that the rest are evenly spaced. The files hold float16 where the weights fit, and no pickles. They are not part of
an exported run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import RunError
from mnist_core.files.folders import delete_file, make_subfolder
from mnist_core.files.read import MODEL_BYTES, load_arrays
from mnist_core.files.write import write_arrays

SNAPSHOT_FOLDER = "snapshots"
MAX_SNAPSHOTS = 20
MAX_BYTES = 32_000_000
"""Limit for the snapshots at the end of epochs. A network of more than 5 million parameters still keeps its first and
last."""
MAX_STEP_SNAPSHOTS = 10
"""Snapshots within the first epoch."""
STEPS_PER_SNAPSHOT = 4
"""Steps of the first epoch for each snapshot within it, at least: a training of a second must not take longer."""
MAX_STEP_BYTES = 10_000_000
"""Limit for the snapshots within the first epoch. A network of more than 5 million parameters has none."""
BYTES_PER_WEIGHT = 2
"""Size of a float16."""

Weights = list[NDArray[Any]]

_EPOCH_FILE = re.compile(r"(\d{4,6})\.npz")
_STEP_FILE = re.compile(r"step-(\d{6,9})\.npz")


class Moment(NamedTuple):
    """A moment of a training.

    Attributes:
        epoch: finished epochs.
        step: steps trained in the first epoch; 0 at the end of an epoch and before the first.
    """

    epoch: int
    step: int = 0


def snapshot_moments(folder: Path) -> list[Moment]:
    """Returns when the snapshots were taken, in order.

    Args:
        folder: the run's directory.
    """
    names = [path.name for path in (folder / SNAPSHOT_FOLDER).glob("*.npz")]
    steps = [Moment(0, int(match[1])) for name in names if (match := _STEP_FILE.fullmatch(name))]
    return sorted([*steps, *(Moment(int(match[1])) for name in names if (match := _EPOCH_FILE.fullmatch(name)))])


def snapshot_epochs(folder: Path) -> list[int]:
    """Returns the epochs after whose end there is a snapshot, ascending; 0 is before the first step.

    Args:
        folder: the run's directory.
    """
    return [moment.epoch for moment in snapshot_moments(folder) if not moment.step]


def first_epoch_steps(per_epoch: int, parameters: int) -> list[int]:
    """Picks the steps of the first epoch after which to take a snapshot, on a log scale: 1, 2, 3, 6, 11, 21, …

    Args:
        per_epoch: steps per epoch.
        parameters: of the network, trainable or not.
    """
    affordable = MAX_STEP_BYTES // (BYTES_PER_WEIGHT * max(1, parameters))
    count = min(MAX_STEP_SNAPSHOTS, per_epoch // STEPS_PER_SNAPSHOT, affordable)
    steps = {round(per_epoch ** (place / count)) for place in range(count)}
    return sorted(step for step in steps if step < per_epoch - 1)


def write_snapshot(folder: Path, moment: Moment, weights: Sequence[NDArray[Any]]) -> None:
    """Adds a snapshot and deletes those that are too many.

    Args:
        folder: the run's directory.
        moment: when it is taken. Later snapshots are deleted: that part is being trained again.
        weights: as `model.get_weights` returns them.

    Raises:
        OSError: the file cannot be written, or the run was deleted. Earlier snapshots are still there.
    """
    compact = [_to_float16(value) for value in weights]
    path = _snapshot_path(folder, moment)
    make_subfolder(path.parent)
    write_arrays(path, *compact)
    delete_later_snapshots(folder, moment)
    epochs = snapshot_epochs(folder)
    keep = thin_out(epochs, max_snapshots(sum(value.nbytes for value in compact)))
    for epoch in set(epochs) - set(keep):
        delete_file(_snapshot_path(folder, Moment(epoch)))


def delete_later_snapshots(folder: Path, moment: Moment) -> None:
    """Deletes the snapshots that were taken after a moment from which a run is trained again.

    Args:
        folder: the run's directory.
        moment: the last one whose snapshot stays.

    Raises:
        OSError: a file cannot be deleted.
    """
    for each in snapshot_moments(folder):
        if each > moment:
            delete_file(_snapshot_path(folder, each))


def read_snapshot(folder: Path, moment: Moment) -> Weights:
    """Reads the weights of a snapshot.

    Args:
        folder: the run's directory.
        moment: when it was taken.

    Returns:
        float32 arrays, in the order of `model.get_weights`.

    Raises:
        RunError: there is no such snapshot, or its file is broken.
    """
    path = _snapshot_path(folder, moment)
    try:
        arrays = load_arrays(path, MODEL_BYTES)
        return [arrays[f"arr_{index}"].astype(np.float32) for index in range(len(arrays))]
    except (OSError, ValueError, KeyError, TypeError) as error:
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


def _snapshot_path(folder: Path, moment: Moment) -> Path:
    name = f"step-{moment.step:06d}" if moment.step else f"{moment.epoch:04d}"
    return folder / SNAPSHOT_FOLDER / f"{name}.npz"
