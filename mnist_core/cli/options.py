"""Options that several commands share."""

from __future__ import annotations

import click

from mnist_core.recipes.recipes import DEFAULT_RECIPE
from mnist_core.sweeps.plan import BACKENDS

json_option = click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
recipe_option = click.option(
    "--recipe", default=DEFAULT_RECIPE, show_default=True, help="What to train; `recipes` lists all recipes."
)
data_option = click.option(
    "--data", default="full", show_default=True, help="`full`, `sample` (5,000 digits), or the path of MNIST data."
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
