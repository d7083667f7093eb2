"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mnist_core.data.mnist import DATA_SETS
from mnist_core.recipes.recipes import DEFAULT_RECIPE
from mnist_core.sweeps.plan import BACKENDS


def _absolute_data(_: click.Context, __: click.Parameter, data: str) -> str:
    """Returns `--data` as a run stores it: a run may be resumed from another folder."""
    return data if data in DATA_SETS else str(Path(os.path.expanduser(data)).absolute())  # noqa: PTH111 - as read_mnist


json_option = click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
recipe_option = click.option(
    "--recipe", default=DEFAULT_RECIPE, show_default=True, help="What to train; `recipes` lists all recipes."
)
data_option = click.option(
    "--data",
    default="full",
    show_default=True,
    callback=_absolute_data,
    help="`full`, `sample` (5,000 digits), or the path of MNIST data.",
)
seed_option = click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed for initial weights, image order, dropout and augmentation.",
)
backend_option = click.option(
    "--backend", type=click.Choice(BACKENDS), help="Where to train. Default: `ray` if DIGITLAB_RAY_ADDRESS is set."
)
