"""Writes the table of docs/reproduction.md from a results file of `digitlab reproduce --seeds`.

    digitlab reproduce --seeds 5 --results benchmarks/reproduction.jsonl     # hours; continues where it was stopped
    python benchmarks/reproduction.py

Accuracies do not depend on how busy the machine is, so this needs no idle one.
"""

from __future__ import annotations

import re
from pathlib import Path

from mnist_core.recipes.recipes import RECIPES
from mnist_core.reproduction.comparison import reproductions
from mnist_core.reproduction.results import Training, read_trainings
from mnist_core.reproduction.table import COLUMNS, table_row

RESULTS = Path(__file__).with_name("reproduction.jsonl")
PAGE = Path(__file__).parents[1] / "docs" / "reproduction.md"
PLACE = re.compile(r"(?<=<!-- table -->\n).*?(?=\n<!-- /table -->)", re.DOTALL)


def table(trainings: list[Training]) -> str:
    """The table in Markdown: the published recipes with all of their epochs on the full MNIST."""
    recipes = [recipe for recipe in RECIPES.values() if recipe.published]
    epochs = {recipe.name: recipe.settings.epochs for recipe in recipes}
    whole = [each for each in trainings if each.data == "full" and each.epochs == epochs.get(each.recipe)]
    rows = [table_row(each) for each in reproductions(recipes, whole)]
    lines = [COLUMNS, ["---"] * len(COLUMNS), *([row[name] for name in COLUMNS] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Replaces the table in the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda _: table(read_trainings(RESULTS)), page), encoding="utf-8")


if __name__ == "__main__":
    main()
