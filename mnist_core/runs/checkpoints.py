"""Checkpoints: the state of a training after an epoch, from which it resumes exactly.

RUN_DIR/checkpoint/state.npz holds every variable of the model (weights, moving statistics, the state of its random
generators) and of its optimizer, and how far the training has come. It is replaced atomically. No pickles are written
or read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import RunError
from mnist_core.files.folders import make_subfolder
from mnist_core.files.read import load_arrays
from mnist_core.files.write import write_arrays

Variables = list[NDArray[Any]]
"""Values of all variables of a model and of its optimizer."""

CHECKPOINT_FILE = Path("checkpoint") / "state.npz"
MAX_BYTES = 800_000_000
"""Largest size of its arrays: twice the weights of the largest network and of its optimizer."""


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training has come. The names of the fields are part of the file's format.

    Attributes:
        epoch: finished epochs.
        epochs: epochs to train in all, including those the user added.
        step: trained batches.
        learning_rate: peak of the schedule, which the user may have changed.
        train_seconds: time spent in the training loop, without evaluation.
        elapsed: seconds since the training began, without pauses and interruptions.
        best_loss: lowest validation loss so far.
        best_epoch: number of finished epochs when it was reached.
        extended_epoch: finished epochs when more were requested of the training after it had ended; 0 if none were.
        extended_elapsed: likewise, its elapsed seconds.
        asked: counters in control.json that have been handled, name -> count.
        data: number of the training images and a checksum of their labels; empty in a checkpoint of an earlier version.
    """

    epoch: int = 0
    epochs: int = 0
    step: int = 0
    learning_rate: float = 0.0
    train_seconds: float = 0.0
    elapsed: float = 0.0
    best_loss: float = float("inf")
    best_epoch: int = 0
    extended_epoch: int = 0
    extended_elapsed: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)
    data: str = ""


def write_checkpoint(folder: Path, variables: Variables, progress: TrainingProgress, best: Variables) -> None:
    """Replaces the checkpoint of a run.

    Args:
        folder: the run's directory.
        variables: of the model and its optimizer, from `copy_weights`.
        progress: how far its training has come.
        best: the variables after its best epoch, if they are to be restored at the end; otherwise empty.

    Raises:
        OSError: the file cannot be written, or the run was deleted. The earlier checkpoint is still there.
    """
    arrays: dict[str, Any] = {"place": np.frombuffer(json.dumps(asdict(progress)).encode(), np.uint8)}
    for group, members in {"model": variables, "best": best}.items():
        arrays |= {f"{group}-{index}": value for index, value in enumerate(members)}
    make_subfolder(folder / CHECKPOINT_FILE.parent)
    write_arrays(folder / CHECKPOINT_FILE, **arrays)


def has_checkpoint(folder: Path) -> bool:
    """True if the run in this directory can be resumed."""
    return (folder / CHECKPOINT_FILE).is_file()


def read_checkpoint(folder: Path, model: Any) -> tuple[TrainingProgress, Variables]:
    """Restores the model and its optimizer from the checkpoint of a run.

    Args:
        folder: the run's directory.
        model: compiled, with the same network and optimizer.

    Returns:
        How far the training had come, and the variables after its best epoch, which may be empty.

    Raises:
        RunError: the file is missing, broken, or of another network or optimizer. The model is unchanged.
    """
    path = folder / CHECKPOINT_FILE
    try:
        arrays = load_arrays(path, MAX_BYTES)
        progress = TrainingProgress(**json.loads(arrays["place"].tobytes()))
        current, best = _read_group(arrays, "model"), _read_group(arrays, "best")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{path} cannot be read ({reason}). Train this again from the beginning.") from None
    expected = [value.shape for value in copy_weights(model)]
    for variables in (current, best or current):
        if [value.shape for value in variables] != expected:
            raise RunError(
                f"{path} is of another network or optimizer: it has {len(variables)} arrays, and {len(expected)} with "
                "other shapes were expected. Train this again from the beginning."
            )
    restore_weights(model, current)
    return progress, best


def copy_weights(model: Any) -> Variables:
    """Copies every variable of a compiled model and of its optimizer."""
    return [np.array(variable) for variable in _variables(model)]


def restore_weights(model: Any, arrays: Variables) -> None:
    """Sets every variable to its value in a copy from `copy_weights`."""
    for variable, value in zip(_variables(model), arrays, strict=True):
        variable.assign(value)


def _variables(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _read_group(arrays: Mapping[str, Any], group: str) -> Variables:
    """The arrays `<group>-0`, `<group>-1`, …"""
    count = sum(name.startswith(f"{group}-") for name in arrays)
    return [arrays[f"{group}-{index}"] for index in range(count)]
