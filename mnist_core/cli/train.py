"""Commands that train one run: train, resume; and recipes."""

from __future__ import annotations

import subprocess  # noqa: S404 - the type of a worker
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click

from mnist_core import owners
from mnist_core.cli.main import main
from mnist_core.cli.options import backend_option, data_option, json_option, recipe_option, seed_option
from mnist_core.cli.output import print_json, print_table, run_result
from mnist_core.cli.progress import on_signals, show_progress, time_left
from mnist_core.config import max_running
from mnist_core.errors import RunError
from mnist_core.jobs import routing
from mnist_core.jobs.lifecycle import conclude_run, prepare_resume, resume_run, start_run
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.jobs.slots import Slots, release
from mnist_core.networks.library import resolve_network
from mnist_core.recipes.overrides import add_overrides
from mnist_core.recipes.recipe import Recipe
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import OPTIMIZERS
from mnist_core.runs.disk_space import check_room
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, find_run

WAIT_POLL_SECONDS = 0.3
"""How often a training that waits for others asks for a slot."""
WAITING_FOR_SLOT = (
    "Waiting: as many runs train on this machine as DIGITLAB_MAX_RUNNING allows, which is {}. Ctrl-C cancels. Raise "
    "DIGITLAB_MAX_RUNNING to train more at once."
)


@main.command()
@json_option
def recipes(json_output: bool) -> None:
    """Lists the recipes: parameters, epochs, batch size, published result."""
    rows = [_recipe_row(recipe) for recipe in RECIPES.values()]
    if json_output:
        print_json(rows)
    else:
        print_table(rows, ("name", "parameters", "epochs", "batch_size", "published"))


def _recipe_row(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "parameters": recipe.parameters,
        "epochs": recipe.settings.epochs,
        "batch_size": recipe.settings.batch_size,
        "published": recipe.published.text if recipe.published else None,
        "published_accuracy": recipe.published.accuracy if recipe.published else None,
        "title": recipe.title,
        "source": recipe.source,
        "note": recipe.note,
    }


@main.command()
@recipe_option
@click.option("--network", metavar="NAME", help="Replaces the recipe's layers: a saved network, or a Keras JSON file.")
@click.option("--epochs", type=int, help="Number of passes over the training images.")
@click.option("--batch-size", type=int, help="Images per step.")
@click.option("--learning-rate", type=float, help="Learning rate; its peak if the recipe has a schedule.")
@click.option("--optimizer", type=click.Choice(list(OPTIMIZERS)), help="Optimizer. The recipe's learning rate is kept.")
@click.option("--dropout", type=float, help="Rate of all dropout layers, 0 to 0.95.")
@click.option(
    "--augmentation/--no-augmentation", default=None, help="Rotate, shear and warp the training images, or not."
)
@click.option("--patience", type=int, help="Stop after this many epochs without a lower validation loss.")
@click.option("--time-budget", type=float, metavar="SECONDS", help="Stop after this many seconds.")
@click.option("--target-accuracy", type=float, help="Stop at this validation accuracy, 0 to 1.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting: --set beta_1=0.8.")
@seed_option
@data_option
@backend_option
@json_option
def train(
    recipe: str,
    network: str | None,
    seed: int,
    data: str,
    settings: tuple[str, ...],
    augmentation: bool | None,
    backend: str | None,
    json_output: bool,
    **given: Any,
) -> None:
    """Trains a recipe with a progress bar. Ctrl-C stops the training and keeps the model."""
    overrides = {name: value for name, value in given.items() if value is not None}
    if augmentation is not None:
        overrides["augmentation"] = "hand" if augmentation else "none"
    overrides = add_overrides(overrides, settings)
    if network is not None:
        overrides = {**resolve_network(network).overrides, **overrides}
    _print_result(train_recipe(recipe, overrides, data, seed, backend or routing.default_backend()), json_output)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--epochs", type=int, help="New total number of epochs. Default: unchanged.")
@backend_option
@json_option
def resume(run_id: str, epochs: int | None, backend: str | None, json_output: bool) -> None:
    """Resumes a run that has ended, from its last checkpoint, or from the beginning if there is none."""
    run = find_run(run_id)
    cluster = _connect(backend or routing.default_backend())
    if cluster is None:
        prepare_resume(run, epochs)
    else:
        resume_run(cluster, run, epochs)
    _train_with_progress(run, cluster)
    _print_result(run, json_output)


def _connect(backend: str) -> RayBackend | None:
    """The cluster; None for this machine. Raises ClusterError if the cluster cannot be reached."""
    return routing.connect_to_cluster() if backend == "ray" else None


def train_recipe(recipe: str, overrides: Mapping[str, Any], data: str, seed: int, backend: str = "local") -> Run:
    """Trains a new run to its end, with a progress bar. Raises as `make_spec`, `check_room` and `create_run` do."""
    spec, cluster = make_spec(recipe, overrides, data, seed), _connect(backend)
    if cluster is None:
        check_room(owners.NOBODY)
        run = create_run(spec)
    else:
        run = start_run(cluster, spec)
    click.echo(f"{run.id}: {recipe}, seed {seed}. Ctrl-C stops it and keeps the model.", err=True)
    _train_with_progress(run, cluster)
    return run


def _train_with_progress(run: Run, cluster: RayBackend | None) -> None:
    if cluster is None:
        train_in_foreground(run)
    else:
        _follow_on_cluster(run, cluster)


def train_in_foreground(run: Run) -> None:
    """Trains a run on this machine to its end, with a progress bar. Signals stop it and keep the model.

    It waits until fewer than DIGITLAB_MAX_RUNNING runs train on this machine.
    """
    from mnist_core.jobs.worker_process import start_worker
    from mnist_core.processes import cpu_count

    process: subprocess.Popen[bytes] | None = None

    def stop() -> None:
        try:
            _request_stop(run)
        except RunError:  # a full disk
            if process is None:
                raise
            process.terminate()  # a signal stops it just as well

    with on_signals(stop):
        limit = Slots(max_running())
        if not _wait_for_slot(run, limit):
            return
        process = start_worker(run, cpu_count())
        try:
            limit.assign(run, process.pid)
            show_progress(lambda: process.poll() is None, run.status, _describe)
        finally:  # a full disk, a closed terminal: the worker is not left behind
            if process.poll() is None:
                process.terminate()
                process.wait()
            with suppress(OSError, RunError):  # a full disk: the slot is free anyway once the worker is gone
                release(run)
    conclude_run(run, process.returncode, process.pid)


def _wait_for_slot(run: Run, slots: Slots) -> bool:
    """Waits until the run may start. Returns False if it was stopped before."""
    if slots.take(run):
        return True
    waiting = replace(run.status(), message=WAITING_FOR_SLOT.format(max_running()))
    write_stamped_status(run, waiting)
    click.echo(waiting.message, err=True)
    try:
        while run.control().get("stop") is not True:
            time.sleep(WAIT_POLL_SECONDS)
            run.keep_alive()
            if slots.take(run):
                return True
    finally:
        slots.stop_waiting()
    write_stamped_status(run, replace(run.status(), state="stopped", message="Stopped before its turn came."))
    return False


def _follow_on_cluster(run: Run, cluster: RayBackend) -> None:
    def is_running() -> bool:
        if run.control().get("stop") is True:  # a queued run ends at once
            cluster.request_stop(run)
        return cluster.holds(run)

    with on_signals(lambda: _request_stop(run)):
        show_progress(is_running, run.status, _describe)
    cluster.close()


def _request_stop(run: Run) -> None:
    run.update_control(stop=True, paused=False)


def _describe(status: Status) -> str:
    """The text behind the progress bar."""
    if not status.step or not status.epochs:
        return status.message
    epoch = min(status.epoch + 1, status.epochs)
    return f"epoch {epoch}/{status.epochs}, {status.images_per_second:,.0f} images/s{time_left(status)}"


def _print_result(run: Run, json_output: bool) -> None:
    """Prints how a run ended. Raises RunError if it has failed."""
    result = run_result(run)
    if json_output:
        print_json(result)
    else:
        click.echo(run.id)
        click.echo(result["message"], err=True)
    if result["state"] not in ("finished", "stopped"):
        raise RunError(f"{run.id} {result['state']}: {result['message']}")


def was_stopped(run: Run) -> bool:
    """True if a stop was requested, even one that came too late, while the model was scored and saved."""
    return run.status().state == "stopped" or run.control().get("stop") is True


def validation_accuracies(run: Run) -> list[float]:
    """The validation accuracy at the end of each epoch, 0..1."""
    return [row["val_accuracy"] for row in run.metrics().rows if "val_accuracy" in row]
