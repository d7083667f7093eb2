"""The documents are true: commands in them parse and run, tables match the code, links and pictures exist."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mnist_core.__main__ import main
from mnist_core.export.formats import FORMATS
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.recipes.recipes import RECIPES
from pages.ui.shared import advanced_settings, navigation

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
}
RUNS_AT_ONCE = ("recipes", "runs", "sweep show")
"""Documented commands that need no run and train nothing: they are run, the others only parsed."""


def code_lines() -> Iterator[str]:
    """Every line of a fenced code block, and every inline `digitlab ...`, without its comment."""
    for text in DOCUMENTS.values():
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        yield from (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
        yield from re.findall(r"`((?:digitlab|make|python -m mnist_core) [^`]+)`", text)


def table(document: str, header: str) -> list[list[str]]:
    """The cells of each row of the table whose header begins with `header`."""
    lines = DOCUMENTS[document].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {header} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def names(cells: list[str]) -> set[str]:
    """The words in backticks."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def documented_commands() -> list[list[str]]:
    """The arguments of each `digitlab` line that is an example, not a pattern such as `digitlab COMMAND`."""
    lines = [
        re.sub(r"^(digitlab|python -m mnist_core) ", "", line) for line in code_lines() if "mnist_core." not in line
    ]
    started = [line for line in lines if line.split(" ")[0] in main.commands]
    return [shlex.split(line) for line in dict.fromkeys(started) if "NAME" not in line and "RUN…" not in line]


def parse_command(arguments: list[str]) -> None:
    """Parses a command line as the program would, without running it."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and arguments and arguments[0] in command.commands:
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context("digitlab", list(arguments), parent=context, resilient_parsing=False)


def test_documented_commands_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FILE", "digit.png"):  # click checks that a file exists
        (tmp_path / name).touch()
    commands = documented_commands()
    assert {"train", "sweep", "classify", "recipes", "reproduce"} <= {arguments[0] for arguments in commands}
    for arguments in commands:
        parse_command(arguments)
    with pytest.raises(click.UsageError):
        parse_command(["train", "--no-such-option"])


def test_documented_commands_run() -> None:
    documented = {" ".join(arguments) for arguments in documented_commands()}
    for command in RUNS_AT_ONCE:
        assert command in documented
        done = CliRunner().invoke(main, shlex.split(command))
        assert done.exit_code == 0, done.output


def test_documented_make_targets_exist() -> None:
    made = [line.split()[1:] for line in code_lines() if re.match(r"make [a-z]", line)]
    targets = {word for words in made for word in words if re.fullmatch(r"[a-z-]+", word)}
    assert {"app", "test", "test-fast", "lint", "bench"} <= targets
    assert (
        targets - set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        == set()
    )
    if shutil.which("make"):
        listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert all(target in listed.stdout for target in targets)


def commands_and_groups() -> Iterator[tuple[str, click.Command]]:
    """Each command with its full name; a group as well as its subcommands."""
    for name, command in main.commands.items():
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", subcommand) for sub, subcommand in command.commands.items())


def test_the_table_of_commands_is_complete_and_each_has_a_help_text() -> None:
    documented = {
        re.sub(r" [A-Z].*", "", name) for name in names([row[0] for row in table("docs/command-line.md", "command")])
    }
    assert documented == {name for name, _ in commands_and_groups()}
    assert all(command.help for _, command in commands_and_groups())


def test_the_documented_options_are_those_that_exist() -> None:
    section = DOCUMENTS["docs/command-line.md"]
    options = {
        option
        for _, command in commands_and_groups()
        for given in command.params
        for option in (*given.opts, *given.secondary_opts)
    }
    options = {option for option in options if option.startswith("--")}
    assert set(re.findall(r"--[a-z][a-z-]+", section)) - {"--help"} == options - {"--help"}


def test_the_table_of_recipes_is_that_of_the_code() -> None:
    rows = {row[0].strip("`"): row[1:4] for row in table("docs/recipes.md", "recipe")}
    assert rows == {
        name: [f"{recipe.parameters:,}", str(recipe.settings.epochs), f"{recipe.settings.batch_size:,}"]
        for name, recipe in RECIPES.items()
    }


def test_every_advanced_setting_has_its_row() -> None:
    assert set(advanced_settings.KEYS) - names([row[0] for row in table("docs/recipes.md", "setting")]) == set()


def test_the_table_of_export_formats_is_that_of_the_code() -> None:
    assert names([row[0] for row in table("docs/export.md", "format")]) == set(FORMATS)


def test_the_table_of_environment_variables_is_that_of_the_code() -> None:
    sources = [*ROOT.glob("mnist_core/**/*.py"), *ROOT.glob("pages/**/*.py")]
    used = {name for path in sources for name in re.findall(r"DIGITLAB_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))}
    assert names([row[0] for row in table("docs/settings.md", "environment variable")]) == used


def test_every_page_has_its_row() -> None:
    documented = {row[0].strip("*") for row in table("README.md", "page")}
    assert documented == {entry.title for entry in navigation.PAGES.values()}
    assert all("navigation.ensure_app_ran()" in (ROOT / page).read_text(encoding="utf-8") for page in navigation.PAGES)


def test_links_and_pictures_exist() -> None:
    for document, text in DOCUMENTS.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith("http"):
                continue
            file, _, anchor = target.partition("#")
            path = (ROOT / document).parent / file if file else ROOT / document
            assert path.exists(), f"{document} links to {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, (
                    f"{document} links to {target}"
                )
    pictures = [
        (ROOT / document).parent / picture
        for document, text in DOCUMENTS.items()
        for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    ]
    assert pictures and all(picture.stat().st_size > 10_000 for picture in pictures)


def test_named_files_exist() -> None:
    for document, text in DOCUMENTS.items():
        for name in re.findall(r"`((?:mnist_core|pages|tests|benchmarks|docs|\.ci)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), f"{document} names {name}"


def test_the_map_names_every_package() -> None:
    packages = {path.name for path in (ROOT / "mnist_core").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert names([row[0] for row in table("CONTRIBUTING.md", "package")]) == packages


def defined_names(path: Path) -> set[str]:
    """Functions and classes of a module, and methods as `Class.method`; of JavaScript those at the start of a line."""
    text = path.read_text(encoding="utf-8")
    found = set()
    if path.suffix == ".js":
        kind = ""
        for name, class_name, method in re.findall(
            r"^(?:export )?(?:function (\w+)|class (\w+))|^  (?:async )?(\w+)\(.*\{$", text, re.MULTILINE
        ):
            kind = class_name or kind
            found.add(name or class_name or f"{kind}.{method}")
        return found
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{child.name}" for child in node.body if isinstance(child, ast.FunctionDef)}
    return found


def test_every_stop_of_the_walks_exists() -> None:
    walks = re.split(r"^\*\*From .*\*\*$", DOCUMENTS["CONTRIBUTING.md"], flags=re.MULTILINE)[1:]
    assert len(walks) == 4
    for walk in walks:
        stops = re.findall(r"^\d+\. `([^`]+)` · `([^`]+)`: ", walk, re.MULTILINE)
        assert 1 < len(stops) <= 10
        for file, name in stops:
            assert name in defined_names(ROOT / file), f"{file} has no {name}"


STILTED = re.compile(r"\b(mend|mended|beside|anew|stead|heed|hence|whatsoever|despair|crown)\b", re.IGNORECASE)
"""Words that an American engineer would not write without thinking."""


def test_texts_and_code_are_in_plain_english() -> None:
    found = []
    for folder in ("mnist_core", "pages", "benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != Path(__file__):
                text = path.read_text(encoding="utf-8").replace('"beside"', "")  # the name of a view in addresses
                found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in STILTED.finditer(text)]
    found += [f"{name}: {match.group()}" for name, text in DOCUMENTS.items() for match in STILTED.finditer(text)]
    assert found == []


def test_no_space_separates_a_number_and_its_percent_sign() -> None:
    """`99.2%`, as Americans write it. A line must not end between the two either."""
    found = [f"{name}: {line}" for name, text in DOCUMENTS.items() for line in re.findall(r".*\d %.*", text)]
    for folder in ("mnist_core", "pages", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                # In an f-string, what follows a value is a text of its own.
                if isinstance(node, ast.Constant) and re.search(r"(^|[\d'])\s%(?![\w(])", str(node.value)):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}")
    assert found == []


def test_the_shipped_model_is_as_documented() -> None:
    card = json.loads(DEFAULT_MODEL.with_name("card.json").read_text(encoding="utf-8"))
    assert sum(path.stat().st_size for path in DEFAULT_MODEL.parent.iterdir()) < 10_000_000
    accuracies = card["pen"]["accuracy"].values()
    text = DOCUMENTS["docs/model.md"]
    assert f"{card['test_accuracy']:.2%}" in text
    assert f"{100 * min(accuracies):.1f} to {max(accuracies):.1%}" in text
    assert not set(card["pen"]["trained_on_writers"]) & set(card["pen"]["measured_on_writers"])
    assert {"recipe", "data", "seed", "versions", "date"} <= card.keys()
