"""Commands that train: recipes, train, resume, reproduce."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import click

from mnist_core.cli.main import as_json, main, result_of, table
from mnist_core.cli.progress import signals_ask, watch
from mnist_core.errors import RunError
from mnist_core.jobs import routing
from mnist_core.jobs.lifecycle import conclude_run, prepare_resume, resume_run, start_run
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.networks.library import resolve_network
from mnist_core.recipes.overrides import parse_override
from mnist_core.recipes.recipe import Recipe
from mnist_core.recipes.recipes import RECIPES, find_recipe
from mnist_core.recipes.settings import OPTIMIZERS
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, find_run
from mnist_core.sweeps.plan import BACKENDS

on_backend = click.option(
    "--backend", type=click.Choice(BACKENDS), help="Who trains; by default the cluster, where one is named."
)


@main.command()
@as_json
def recipes(json_output: bool) -> None:
    """Every recipe: parameters, epochs, batch size, published figure."""
    rows = [_recipe_row(recipe) for recipe in RECIPES.values()]
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    table(rows, ("name", "parameters", "epochs", "batch_size", "published"))


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
@click.option("--recipe", default="canvas", show_default=True, help="Which recipe; `recipes` lists them.")
@click.option("--network", metavar="NAME", help="In place of its layers: a kept network, or a file of Keras JSON.")
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--learning-rate", type=float, help="Of the optimizer; the peak of a schedule.")
@click.option("--optimizer", type=click.Choice(list(OPTIMIZERS)), help="Its learning rate stays the recipe's.")
@click.option("--dropout", type=float, help="Share of values left out in each step, 0 to 0.95.")
@click.option("--augmentation/--no-augmentation", default=None, help="Train on turned, slanted, bent copies, or not.")
@click.option("--patience", type=int, help="Stop after so many epochs without a lower validation loss.")
@click.option("--time-budget", type=float, metavar="SECONDS", help="Stop after so many seconds.")
@click.option("--target-accuracy", type=float, help="Stop at this validation accuracy, 0 to 1.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting: --set beta_1=0.8.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, order, dropout and augmentation.")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@on_backend
@as_json
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
    """Trains in the foreground. Ctrl-C stops cleanly and keeps the model."""
    overrides = {name: value for name, value in given.items() if value is not None}
    if augmentation is not None:
        overrides["augmentation"] = "hand" if augmentation else "none"
    overrides |= dict(parse_override(text) for text in settings)
    if network is not None:
        overrides = {**resolve_network(network).overrides, **overrides}
    _tell(_train(recipe, overrides, data, seed, backend or routing.default_backend()), json_output)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--epochs", type=int, help="How many in all from now on; by default as before.")
@on_backend
@as_json
def resume(run_id: str, epochs: int | None, backend: str | None, json_output: bool) -> None:
    """Goes on with a run that has ended, from its last finished epoch."""
    run = find_run(run_id)
    cluster = _cluster(backend or routing.default_backend())
    if cluster is None:
        prepare_resume(run, epochs)
    else:
        resume_run(cluster, run, epochs)
    follow(run, cluster)
    _tell(run, json_output)


def _cluster(backend: str) -> RayBackend | None:
    """None for this machine. Raises ClusterError where a cluster is asked for and cannot be reached."""
    return routing.connect_to_cluster() if backend == "ray" else None


def _train(recipe: str, overrides: dict[str, Any], data: str, seed: int, backend: str = "local") -> Run:
    spec, cluster = make_spec(recipe, overrides, data, seed), _cluster(backend)
    run = create_run(spec) if cluster is None else start_run(cluster, spec)
    click.echo(f"{run.id}: {recipe}, seed {seed}. Ctrl-C stops it and keeps the model.", err=True)
    follow(run, cluster)
    return run


def follow(run: Run, cluster: RayBackend | None = None) -> None:
    """Trains a run to its end, here or on a cluster, with a progress bar on standard error."""
    if cluster is not None:
        return _follow_afar(run, cluster)
    from mnist_core.jobs.worker_process import start_worker
    from mnist_core.processes import cpu_count

    with _stopped_by_signals(run):
        process = start_worker(run, cpu_count())
        try:
            watch(lambda: process.poll() is None, run.status, _line)
        finally:  # a full disk, a terminal that is gone: its worker is not left behind
            if process.poll() is None:
                process.terminate()
                process.wait()
    conclude_run(run, process.returncode)


def _follow_afar(run: Run, cluster: RayBackend) -> None:
    """A run that a cluster has."""

    def goes_on() -> bool:
        if run.control().get("stop") is True:  # one that still waits ends at once
            cluster.request_stop(run)
        return cluster.holds(run)

    with _stopped_by_signals(run):
        watch(goes_on, run.status, _line)
    cluster.close()


def _stopped_by_signals(run: Run) -> AbstractContextManager[None]:
    """Signals ask the run to stop: it keeps its model."""
    return signals_ask(lambda: run.update_control(stop=True, paused=False))


def _tell(run: Run, json_output: bool) -> None:
    """Prints what became of a run. Raises RunError where it has failed."""
    result = result_of(run)
    if json_output:
        click.echo(json.dumps(result))
    else:
        click.echo(run.id)
        click.echo(run.status().message, err=True)
    if result["state"] not in ("finished", "stopped"):
        raise RunError(f"{run.id} {result['state']}: {run.status().message}")


def _line(status: Status) -> str:
    if not status.step or not status.epochs:
        return status.message
    left = f", {status.seconds_left:.0f} s left" if status.seconds_left is not None else ""
    epoch = min(status.epoch + 1, status.epochs)
    return f"epoch {epoch}/{status.epochs}, {status.images_per_second:,.0f} images/s{left}"


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=int, help="Fewer epochs than published, for a quick look.")
@as_json
def reproduce(names: tuple[str, ...], data: str, seed: int, epochs: int | None, json_output: bool) -> None:
    """Trains published recipes (all nine without a name) and prints published beside measured."""
    chosen = [find_recipe(name) for name in names] or [recipe for recipe in RECIPES.values() if recipe.published]
    rows = []
    for recipe in chosen:
        run = _train(recipe.name, {} if epochs is None else {"epochs": epochs}, data, seed)
        rows.append({"recipe": recipe.name, "parameters": recipe.parameters, **_comparison(recipe, run)})
        if run.status().state == "stopped":  # Ctrl-C means all of them
            break
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    table(rows, ("recipe", "parameters", "published", "measured_on", "measured", "holds", "test_accuracy"))


def _comparison(recipe: Recipe, run: Run) -> dict[str, Any]:
    """What was published beside what the run reached, on the images it was published for."""
    published, result = recipe.published, result_of(run)
    on_test = published is None or published.measured_on == "test"
    validated = [row["val_accuracy"] for row in run.metrics().rows if "val_accuracy" in row]
    measured = result["test_accuracy"] if on_test else (validated or [None])[-1]
    holds = None
    if published is not None and published.accuracy is not None and measured is not None:
        holds = measured >= published.accuracy - published.tolerance
    return {
        "published": published.text if published else None,
        "measured_on": "test" if on_test else "validation",
        "measured": measured,
        "holds": holds,
        **result,
    }
