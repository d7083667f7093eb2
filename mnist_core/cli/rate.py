"""The command that finds a learning rate."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import Any

import click

from mnist_core.cli.main import as_json, main
from mnist_core.cli.train import follow
from mnist_core.errors import RunError
from mnist_core.recipes.overrides import parse_override
from mnist_core.recipes.settings import OPTIMIZERS
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run


@main.command()
@click.option("--recipe", default="canvas", show_default=True, help="Which recipe; `recipes` lists them.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--optimizer", type=click.Choice(list(OPTIMIZERS)), help="In place of the recipe's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting: --set momentum=0.5.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, order, dropout and augmentation.")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@as_json
def rate(recipe: str, settings: tuple[str, ...], seed: int, data: str, json_output: bool, **given: Any) -> None:
    """Finds a learning rate in seconds, by a range test; prints it."""
    from mnist_core.training import rate_finder

    overrides = {name: value for name, value in given.items() if value is not None}
    overrides |= dict(parse_override(text) for text in settings)
    test = create_run(make_spec(recipe, overrides, data, seed), rate_finder.tests_folder())
    try:
        follow(test)
        result = _result(test)
    finally:  # what it found is printed; nobody looks into the folder again
        shutil.rmtree(test.path, ignore_errors=True)
    if result["state"] not in ("finished", "stopped"):
        raise RunError(f"The test {result['state']}: {result['message']}")
    click.echo(result["message"], err=True)
    if json_output:
        return click.echo(json.dumps({"recipe": recipe, **result}))
    click.echo("-" if result["suggestion"] is None else f"{result['suggestion']:g}")


def _result(test: Run) -> dict[str, Any]:
    from mnist_core.training import rate_finder

    status, points = test.status(), rate_finder.read_points(test)
    found = rate_finder.suggest_rate(points)
    return {
        "state": status.state,
        "suggestion": found and found.rate,
        "lowest": found and found.lowest,
        "seconds": status.train_seconds,
        "message": status.message,
        "points": [asdict(point) for point in points],
    }
