"""Trains recipes with several seeds, by worker and by plain Keras script, and keeps each result at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import click

from mnist_core.charts.common import format_duration
from mnist_core.cli.progress import on_signals, show_progress
from mnist_core.cli.train import train_recipe, validation_accuracies, was_stopped
from mnist_core.data.mnist import Mnist
from mnist_core.errors import RunError
from mnist_core.reproduction.plain_keras import running_script
from mnist_core.reproduction.plan import Planned, seconds_left
from mnist_core.reproduction.results import KERAS, OURS, Training, append_training, prepare_file, read_trainings
from mnist_core.runs.status import Status

TITLES = {OURS: "Digit Lab", KERAS: "plain Keras"}


def repeat_trainings(planned: Sequence[Planned], mnist: Mnist, path: Path) -> list[Training]:
    """Does the planned trainings that are not in the results file yet. A signal ends it with what is there.

    Args:
        planned: what the file should have.
        mnist: the images.
        path: of the results file.

    Returns:
        The planned trainings that are in the file in the end.

    Raises:
        RunError: the file cannot be used, or a run has failed.
        TrainingError: a script has failed.
    """
    finished = {training.key: training for training in read_trainings(path)}
    prepare_file(path)
    missing = [each for each in planned if each.key(mnist) not in finished]
    before = len(planned) - len(missing)
    click.echo(f"{mnist.notice or mnist.source}. {before} of {len(planned)} trainings are in {path}.", err=True)
    stopped: list[bool] = []
    with on_signals(lambda: stopped.append(True)):  # a run has its own handler
        for number, each in enumerate(missing):
            left = format_duration(seconds_left(missing[number:], finished.values(), mnist))
            click.echo(
                f"{before + number + 1} of {len(planned)}: {_describe(each)}. About {left} left in all.", err=True
            )
            training = _train(each, mnist, stopped)
            if training is not None:
                append_training(path, training)
                finished[training.key] = training
            if training is None or stopped:
                click.echo(f"Stopped. The same command continues: what is finished is in {path}.", err=True)
                break
    return [finished[each.key(mnist)] for each in planned if each.key(mnist) in finished]


def _describe(planned: Planned) -> str:
    return f"{planned.recipe.name}, {TITLES[planned.trainer]}, seed {planned.spec.seed}"


def _train(planned: Planned, mnist: Mnist, stopped: list[bool]) -> Training | None:
    """Trains to the end; None if a signal has stopped it. `stopped` is no longer empty after a signal."""
    began = monotonic()
    scores = _train_ours(planned, stopped) if planned.trainer == OURS else _train_with_keras(planned, mnist, stopped)
    if scores is None:
        return None
    val_accuracy, test_accuracy = scores
    return Training(*planned.key(mnist), round(monotonic() - began, 1), test_accuracy, val_accuracy)


def _train_ours(planned: Planned, stopped: list[bool]) -> tuple[tuple[float, ...], float] | None:
    spec = planned.spec
    run = train_recipe(spec.recipe, spec.overrides, spec.data, spec.seed)
    status = run.status()
    if was_stopped(run):
        stopped.append(True)
    if status.state == "stopped":
        return None
    if status.state != "finished":
        raise RunError(f"{run.id} {status.state}: {status.message}")
    return tuple(validation_accuracies(run)), run.card()["test_accuracy"]


def _train_with_keras(planned: Planned, mnist: Mnist, stopped: list[bool]) -> tuple[tuple[float, ...], float] | None:
    def describe(status: Status) -> str:
        return f"epoch {min(status.epoch + 1, status.epochs)}/{status.epochs}"

    with running_script(planned.spec, mnist) as script:
        show_progress(lambda: script.is_running() and not stopped, script.status, describe)
        return None if stopped else script.scores()
