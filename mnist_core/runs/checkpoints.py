"""Where a training stands after its last finished epoch: enough to go on as if nothing had happened.

One file, RUN_DIR/checkpoint/state.npz, replaced whole: every variable of the model (weights, moving statistics, the
state of its random generators) and of its optimizer, and the place in the training. No pickle is written or read.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import RunError
from mnist_core.files import replacing

Variables = list[NDArray[Any]]

CHECKPOINT_FILE = Path("checkpoint") / "state.npz"


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands.

    Attributes:
        epoch: finished epochs; epochs: of so many, which may have been extended.
        step: batches trained.
        learning_rate: the peak, which may have been changed.
        train_seconds: spent in the training loop, evaluation left out.
        elapsed: seconds since it began, pauses and interruptions left out.
        best_loss: the lowest validation loss so far, and best_epoch: finished epochs then.
        asked: what was asked by counters in control.json and is done: name -> count.
    """

    epoch: int = 0
    epochs: int = 0
    step: int = 0
    learning_rate: float = 0.0
    train_seconds: float = 0.0
    elapsed: float = 0.0
    best_loss: float = float("inf")
    best_epoch: int = 0
    asked: dict[str, int] = field(default_factory=dict)


def write_checkpoint(folder: Path, model: Any, place: TrainingProgress, best: Variables) -> None:
    """Replaces the checkpoint of a run.

    Args:
        folder: the run's directory.
        model: the compiled Keras model.
        place: where its training stands.
        best: a snapshot of its best epoch, where that is to be restored at the end; else nothing.
    """
    arrays: dict[str, Any] = {"place": np.frombuffer(json.dumps(asdict(place)).encode(), np.uint8)}
    groups = {"model": copy_weights(model), "best": best}
    for group, members in groups.items():
        arrays |= {f"{group}-{index}": value for index, value in enumerate(members)}
    (folder / CHECKPOINT_FILE).parent.mkdir(exist_ok=True)
    with replacing(folder / CHECKPOINT_FILE) as temporary:
        np.savez(temporary, **arrays)


def has_checkpoint(folder: Path) -> bool:
    """Whether the run has a checkpoint."""
    return (folder / CHECKPOINT_FILE).is_file()


def read_checkpoint(folder: Path, model: Any) -> tuple[TrainingProgress, Variables]:
    """Puts the model and its optimizer where the checkpoint left them.

    Args:
        folder: the run's directory.
        model: compiled, of the same network and optimizer.

    Returns:
        Where the training stands, and the snapshot of its best epoch, which may be empty.

    Raises:
        RunError: the file is missing, broken, or of another network or optimizer. The model is as it was.
    """
    path = folder / CHECKPOINT_FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            place = TrainingProgress(**json.loads(arrays["place"].tobytes()))
            found, best = (_group(arrays, group) for group in ("model", "best"))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        why = " ".join(str(error).split())[:200]
        raise RunError(f"{path} cannot be read ({why}). Train this again from the beginning.") from None
    expected = [value.shape for value in copy_weights(model)]
    for arrays_found in (found, best or found):
        if [value.shape for value in arrays_found] != expected:
            raise RunError(
                f"{path} is of another network or optimizer: it has {len(arrays_found)} arrays, and {len(expected)} of "
                "certain shapes were expected. Train this again from the beginning."
            )
    restore_weights(model, found)
    return place, best


def copy_weights(model: Any) -> Variables:
    """A copy of every variable of a compiled model and of its optimizer."""
    return [np.array(variable) for variable in _variables(model)]


def restore_weights(model: Any, arrays: Variables) -> None:
    """Gives each variable its value of a snapshot."""
    for variable, value in zip(_variables(model), arrays, strict=True):
        variable.assign(value)


def _variables(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _group(arrays: Any, group: str) -> Variables:
    count = sum(name.startswith(f"{group}-") for name in arrays.files)
    return [arrays[f"{group}-{index}"] for index in range(count)]
