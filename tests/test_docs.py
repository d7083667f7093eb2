"""The README names everything there is to choose: a new recipe, page, command or setting without a word fails here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mnist_core.__main__ import main
from mnist_core.export.formats import FORMATS
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.recipes.recipes import RECIPES
from pages.ui.shared import advanced_settings, navigation

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipe_has_its_row(name: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    recipe = RECIPES[name]
    assert [cell.strip() for cell in row.split("|")[2:5]] == [
        f"{recipe.parameters:,}",
        str(recipe.settings.epochs),
        f"{recipe.settings.batch_size:,}",
    ]


@pytest.mark.parametrize("command", list(main.commands))
def test_command_is_named(command: str) -> None:
    assert re.search(rf"`{command}\b", README)
    assert main.commands[command].help


OPTIONS = [
    (command, option)
    for command, made in main.commands.items()
    for given in made.params
    for option in (*given.opts, *given.secondary_opts)
    if option.startswith("--") and option != "--json"
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_option_is_named(command: str, option: str) -> None:
    assert option in README


@pytest.mark.parametrize("name", advanced_settings.KEYS)
def test_setting_has_its_row(name: str) -> None:
    assert any(f"`{name}`" in line.split("|")[1] for line in README.splitlines() if line.startswith("| `"))


@pytest.mark.parametrize("name", list(FORMATS))
def test_format_has_its_row(name: str) -> None:
    section = README.partition("## Taking a run home")[2].partition("\n## ")[0]
    assert any(f"`{name}`" in line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))


@pytest.mark.parametrize("page", list(navigation.PAGES))
def test_page_is_named_and_goes_through_the_app(page: str) -> None:
    assert page in README
    assert "navigation.through_app()" in (ROOT / page).read_text(encoding="utf-8")


def test_every_environment_variable_is_in_the_table() -> None:
    sources = [*ROOT.glob("mnist_core/**/*.py"), *ROOT.glob("pages/**/*.py")]
    used = {name for path in sources for name in re.findall(r"DIGITLAB_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert used
    assert {name for name in used if f"| `{name}` |" not in README} == set()


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert pictures and all((ROOT / picture).stat().st_size > 10_000 for picture in pictures)


def test_shipped_model_is_small_and_has_a_card() -> None:
    card = json.loads(DEFAULT_MODEL.with_name("card.json").read_text())
    assert DEFAULT_MODEL.stat().st_size < 8_000_000
    assert sum(path.stat().st_size for path in DEFAULT_MODEL.parent.iterdir()) < 10_000_000
    assert card["test_accuracy"] >= 0.995
    assert set(card["pen"]["accuracy"]) == set(DRAWING_CONDITIONS)
    assert all(accuracy >= 0.985 for accuracy in card["pen"]["accuracy"].values())
    assert not set(card["pen"]["trained_on_writers"]) & set(card["pen"]["measured_on_writers"])
    assert {"recipe", "data", "seed", "versions", "date"} <= card.keys()
    assert f"{100 * card['test_accuracy']:.2f} %" in README


def test_map_names_every_package() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where things are")[2]
    rows = [line.split("|")[1] for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w/]+)/?`", row)]
    packages = [path.name for path in (ROOT / "mnist_core").iterdir() if path.is_dir() and path.name[0] != "_"]
    assert sorted(name.rstrip("/") for name in named if "/" not in name.rstrip("/")) == sorted(packages)
