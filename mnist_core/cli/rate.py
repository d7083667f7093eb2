"""The command `rate`: finds a learning rate."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from mnist_core import owners
from mnist_core.cli.main import main
from mnist_core.cli.options import data_option, json_option, recipe_option, seed_option
from mnist_core.cli.output import print_json
from mnist_core.cli.train import train_in_foreground
from mnist_core.errors import RunError
from mnist_core.files.folders import delete_folder
from mnist_core.recipes.overrides import add_overrides
from mnist_core.recipes.settings import OPTIMIZERS
from mnist_core.runs.disk_space import check_room
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run


@main.command()
@recipe_option
@click.option("--batch-size", type=int, help="Images per step.")
@click.option("--optimizer", type=click.Choice(list(OPTIMIZERS)), help="Optimizer. Default: that of the recipe.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting: --set momentum=0.5.")
@seed_option
@data_option
@json_option
def rate(recipe: str, settings: tuple[str, ...], seed: int, data: str, json_output: bool, **given: Any) -> None:
    """Finds a learning rate with a range test of a few seconds and prints it."""
    from mnist_core.training import rate_finder

    overrides = add_overrides({name: value for name, value in given.items() if value is not None}, settings)
    spec = make_spec(recipe, overrides, data, seed)
    check_room(owners.NOBODY)
    run = create_run(spec, rate_finder.tests_folder())
    try:
        train_in_foreground(run)
        result = _result(run)
    finally:  # the result is printed; nothing needs the folder any more
        delete_folder(run.path)
    if result["state"] not in ("finished", "stopped"):
        raise RunError(f"The range test {result['state']}: {result['message']}")
    click.echo(result["message"], err=True)
    if json_output:
        print_json({"recipe": recipe, **result})
    else:
        click.echo("-" if result["suggestion"] is None else f"{result['suggestion']:g}")


def _result(run: Run) -> dict[str, Any]:
    from mnist_core.training import rate_finder

    status, points = run.status(), rate_finder.read_points(run)
    suggestion = rate_finder.suggest_rate(points)
    return {
        "state": status.state,
        "suggestion": suggestion and suggestion.rate,
        "lowest": suggestion and suggestion.lowest,
        "seconds": status.train_seconds,
        "message": status.message,
        "points": [asdict(point) for point in points],
    }
