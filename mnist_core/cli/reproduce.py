"""The command reproduce: published recipes, trained once or with several seeds, next to their published results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mnist_core.cli.main import main
from mnist_core.cli.options import data_option, json_option, seed_option
from mnist_core.cli.output import print_json, print_table, run_result
from mnist_core.cli.repeat import repeat_trainings
from mnist_core.cli.train import train_recipe, validation_accuracies, was_stopped
from mnist_core.config import runs_dir
from mnist_core.data.mnist import load_mnist
from mnist_core.errors import RunError, SettingError
from mnist_core.recipes.recipe import Recipe
from mnist_core.recipes.recipes import RECIPES, find_recipe
from mnist_core.reproduction.comparison import measured_on, reproductions
from mnist_core.reproduction.plan import plan_trainings
from mnist_core.reproduction.results import FILE_NAME
from mnist_core.reproduction.table import COLUMNS, table_row, to_json
from mnist_core.runs.run import Run


@main.command()
@click.argument("names", nargs=-1, metavar="[RECIPE]...")
@data_option
@seed_option
@click.option(
    "--seeds",
    type=int,
    metavar="N",
    help="Train with N seeds, and as often with plain Keras: prints means with confidence intervals. If it is "
    "stopped, the same command continues.",
)
@click.option(
    "--results",
    "results_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"With --seeds: keeps every finished training. Default: {FILE_NAME} in the folder of runs.",
)
@click.option("--epochs", type=int, help="Fewer epochs than published, for a quick look.")
@json_option
def reproduce(
    names: tuple[str, ...],
    data: str,
    seed: int,
    seeds: int | None,
    results_file: Path | None,
    epochs: int | None,
    json_output: bool,
) -> None:
    """Trains published recipes, all by default, and prints published and measured results side by side."""
    chosen = [find_recipe(name) for name in dict.fromkeys(names)] or [
        recipe for recipe in RECIPES.values() if recipe.published
    ]
    overrides = {} if epochs is None else {"epochs": epochs}
    if seeds is not None:
        planned = plan_trainings(chosen, overrides, data, seed, seeds)
        trainings = repeat_trainings(planned, load_mnist(data), results_file or runs_dir() / FILE_NAME)
        found = reproductions(chosen, trainings)
        if json_output:
            print_json([to_json(each) for each in found])
        else:
            print_table([table_row(each) for each in found], COLUMNS)
    elif results_file is not None:
        raise SettingError("--results keeps trainings with several seeds: add --seeds 5, or leave it out.")
    else:
        _reproduce_once(chosen, overrides, data, seed, json_output)


def _reproduce_once(
    chosen: Sequence[Recipe], overrides: Mapping[str, Any], data: str, seed: int, json_output: bool
) -> None:
    """Raises RunError if a training has failed, once all others are printed."""
    rows: list[dict[str, Any]] = []
    for recipe in chosen:
        run = train_recipe(recipe.name, overrides, data, seed)
        rows.append({"recipe": recipe.name, "parameters": recipe.parameters, **_comparison(recipe, run)})
        if was_stopped(run):  # Ctrl-C stops all of them
            break
    if json_output:
        print_json(rows)
    else:
        print_table(rows, ("recipe", "parameters", "published", "measured_on", "measured", "holds", "test_accuracy"))
    failed = [row for row in rows if row["state"] not in ("finished", "stopped")]
    if failed:
        raise RunError(" ".join(f"{row['run']} {row['state']}: {row['message']}" for row in failed))


def _comparison(recipe: Recipe, run: Run) -> dict[str, Any]:
    """The published and the measured accuracy, on the images that the published one was measured on."""
    published, result = recipe.published, run_result(run)
    validated = validation_accuracies(run)
    measured = result["test_accuracy"] if measured_on(recipe) == "test" else validated[-1] if validated else None
    holds = None
    if published is not None and published.accuracy is not None and measured is not None:
        holds = measured >= published.accuracy - published.tolerance
    return {
        "published": published.text if published else None,
        "measured_on": measured_on(recipe),
        "measured": measured,
        "holds": holds,
        **result,
    }
