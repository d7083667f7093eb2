"""The results file of `digitlab reproduce --seeds`: one line of JSON for each finished training.

A training is appended as soon as it has ended, so that whatever stops the command loses only the training that was
running. Several commands may append to one file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mnist_core.errors import RunError
from mnist_core.fields import AMOUNT, COUNT, SHARE, Choice, Text, allowed, name_errors, rule_violations, shorten
from mnist_core.files.folders import make_folder
from mnist_core.files.json_reader import parse_lines
from mnist_core.files.read import read_file, read_tail
from mnist_core.files.write import append_line, open_log
from mnist_core.files.write_errors import explain_write_error

FILE_NAME = "reproduction.jsonl"
"""In RUNS_DIR, unless the user names another file."""
SCHEMA = 1
"""Version of the lines that this code reads and writes."""
OURS, KERAS = "digitlab", "keras"
"""Who trained: a worker of this program, or the plain Keras script of the recipe."""
TRAINERS = (OURS, KERAS)
Key = tuple[str, str, int, int, str]
"""Recipe, trainer, seed, epochs and data of a training."""


@dataclass(frozen=True)
class Training:
    """One finished training.

    Attributes:
        recipe: its name.
        trainer: one of TRAINERS.
        seed: of the training.
        epochs: trained.
        data: the name or source of the data set, see `data.mnist.Mnist`.
        seconds: from the start to the end of the process.
        test_accuracy: after the last epoch, 0..1.
        val_accuracy: at the end of each epoch, 0..1.
    """

    recipe: str = allowed(Text(100))
    trainer: str = allowed(Choice(TRAINERS))
    seed: int = allowed(COUNT)
    epochs: int = allowed(COUNT)
    data: str = allowed(Text(1_000))
    seconds: float = allowed(AMOUNT)
    test_accuracy: float = allowed(SHARE)
    val_accuracy: tuple[float, ...] = ()

    @property
    def key(self) -> Key:
        """What was trained: two trainings with the same key repeat each other."""
        return self.recipe, self.trainer, self.seed, self.epochs, self.data


def read_trainings(path: Path) -> list[Training]:
    """Returns the trainings in a results file, oldest first and none twice; none if there is no file.

    A line that a crash has cut short is left out: its training is repeated.

    Raises:
        RunError: the file cannot be read, is something else, or is of another version of Digit Lab.
    """
    try:
        content = read_file(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"The results file {path} cannot be read: {error}.") from None
    rows, _, broken = parse_lines(content)
    if broken and not rows:
        raise RunError(
            f"{path} is not a results file of `reproduce --seeds`: it has no line of JSON. Name another file."
        )
    found = dict[Key, Training]()
    for row in rows:
        training = _parse(path, row)
        found.setdefault(training.key, training)
    return list(found.values())


def _parse(path: Path, row: Mapping[str, Any]) -> Training:
    values = {name: value for name, value in row.items() if name != "schema"}
    if row.get("schema") != SCHEMA:
        raise RunError(
            f"{path} is of another version of Digit Lab: it has a line with schema {shorten(repr(row.get('schema')))}, "
            f"expected {SCHEMA}. Name another file, which will be created."
        )
    problems = name_errors(Training, values)
    if not problems:
        curve = values.get("val_accuracy")
        if not isinstance(curve, list) or not curve or not all(map(SHARE.accepts, curve)):
            problems = [f"val_accuracy is {shorten(repr(curve))}, expected a list of numbers from 0 to 1"]
        else:
            training = Training(**{**values, "val_accuracy": tuple(curve)})
            problems = rule_violations(training)
    if problems:
        raise RunError(f"{path} has a line that cannot be used: {problems[0]}. Delete that line, or name another file.")
    return training


def prepare_file(path: Path) -> None:
    """Creates the file if there is none. Raises RunError if results cannot be written to it."""
    with _explained(path):
        make_folder(path.parent)
        open_log(path).close()


def append_training(path: Path, training: Training) -> None:
    """Adds a training: the whole line, or nothing if RunError is raised because the file cannot be written."""
    curve = [round(accuracy, 6) for accuracy in training.val_accuracy]
    line = json.dumps({"schema": SCHEMA, **asdict(training), "val_accuracy": curve})
    with _explained(path):
        cut_short = read_tail(path, 1) not in (b"", b"\n")  # by a crash
        append_line(path, f"\n{line}" if cut_short else line)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = explain_write_error(error, path.parent, "name a file on another disk with --results")
        raise RunError(f"Results cannot be written to {path}. {reason}") from None
