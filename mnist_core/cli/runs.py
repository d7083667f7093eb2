"""Commands on existing runs: runs, show, compare, export, import, delete, restore."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mnist_core.cli.main import main
from mnist_core.cli.options import json_option
from mnist_core.cli.output import cell_text, print_json, print_table, run_result
from mnist_core.errors import RunError
from mnist_core.export.archive import unpack_run
from mnist_core.export.formats import FORMATS, MODEL_FILES, export_filename, write_export
from mnist_core.export.html_card import PRECISIONS, PagePrecision
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.runs import history
from mnist_core.runs.comparison import live_changes, settings_table
from mnist_core.runs.imports import read_import
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run, list_runs
from mnist_core.runs.trash import move_to_trash, restore_from_trash

COMPARED = ("state", "test_accuracy", "test_loss", "parameters", "train_seconds", "images_per_second")
"""Columns of the history that `compare` prints below the settings."""


@main.command()
@json_option
def runs(json_output: bool) -> None:
    """Lists all runs, newest first."""
    rows = [run_result(run) for run in list_runs()]
    if json_output:
        print_json(rows)
    else:
        print_table(rows, ("run", "state", "test_accuracy", "test_loss", "train_seconds"))


@main.command()
@click.argument("run_id", metavar="RUN")
@json_option
def show(run_id: str, json_output: bool) -> None:
    """Shows one run: what it trained and how it ended."""
    run = find_run(run_id)
    spec, status, card, mark = run.spec(), run.status(), run.card(), read_import(run.path)
    if json_output:
        values = {"spec": spec.to_json(), "status": asdict(status), "card": card, "reports": run.count_reports()}
        print_json({"run": run.id, **values, "imported": asdict(mark) if mark else None})
        return
    click.echo(f"{run.id}: {status.state}. {status.message}")
    click.echo(f"recipe {spec.recipe}, overrides: {dict(spec.overrides) or 'none'}, seed {spec.seed}")
    click.echo(f"data: {status.data or spec.data}")
    print_table([asdict(row) for row in spec.settings.architecture.summary()], ("layer", "output_shape", "parameters"))
    if {"test_accuracy", "test_loss"} <= card.keys():
        whose = " according to its zip" if mark else ""
        click.echo(f"test accuracy{whose} {card['test_accuracy']:.4f}, loss {card['test_loss']:.4f}")
    if mark:
        scores = ", ".join(f"{name} {cell_text(value)}" for name, value in mark.measured.items())
        click.echo(f"imported; measured here: {scores or f'nothing yet, see `evaluate --model {run.id} --record`'}")


@main.command()
@click.argument("run_ids", metavar="RUN RUN...", nargs=-1, required=True)
@json_option
def compare(run_ids: tuple[str, ...], json_output: bool) -> None:
    """Compares runs: the settings that differ, and the results."""
    compared = _find_runs(run_ids)
    if len(compared) < 2:
        raise RunError("1 run was given. Give at least two different runs to compare.")
    specs = [run.spec() for run in compared]
    table = settings_table(specs, [live_changes(run.sampled_metrics().rows) for run in compared])
    settings = {row["setting"]: row["values"] for row in table if row["differs"]}
    rows = []
    for index, run in enumerate(compared):
        summary = history.history_row(run)
        own_settings = {name: values[index] for name, values in settings.items()}
        own_results = {name: summary[name] for name in COMPARED}
        rows.append({"run": run.id, "name": summary["name"], "settings": own_settings, **own_results})
    if json_output:
        print_json(rows)
        return
    lines = {
        "run": [run.id for run in compared],
        **settings,
        **{name: [row[name] for row in rows] for name in COMPARED},
    }
    columns = [str(number) for number in range(1, len(rows) + 1)]
    print_table(
        [{"": name, **dict(zip(columns, values, strict=True))} for name, values in lines.items()], ("", *columns)
    )


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--format", "name", type=click.Choice(list(FORMATS)), required=True, help="What to export.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Default: a file in the current folder, named after the run.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option(
    "--precision",
    type=click.Choice(list(PRECISIONS)),
    help="Of the weights in `html`. Default: float16. With int8 the file is half as large.",
)
@json_option
def export(
    run_id: str, name: str, output: Path | None, force: bool, precision: PagePrecision | None, json_output: bool
) -> None:
    """Exports a run: its model, a web page that reads drawings, reports, curves, a Keras script, or all of it.

    RUN is the id of a run, or `default` for the model that comes with Digit Lab.
    """
    if precision and name != "html":
        raise click.UsageError(f"--precision is for --format html, not for {name}.")
    run = _exported_run(run_id, name)
    target = output or Path(export_filename(run, name))
    files = [str(path) for path in write_export(run, name, target, force, precision or "float16")]
    if json_output:
        print_json({"run": run.id, "format": name, "files": files})
    else:
        click.echo("\n".join(files))


def _exported_run(run_id: str, name: str) -> Run:
    """The run to export; for `default` the folder of the shipped model, which has a model and nothing else."""
    if run_id != "default":
        return find_run(run_id)
    if name not in MODEL_FILES:
        raise RunError(f"The shipped model can be exported as {', '.join(MODEL_FILES)}; {name} is for runs.")
    return Run(DEFAULT_MODEL.parent)


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_run(file: Path, json_output: bool) -> None:
    """Imports a run that was exported as `zip`, here or on another machine."""
    run = unpack_run(file)
    if json_output:
        print_json({"run": run.id, "state": run.status().state})
    else:
        click.echo(run.id)


@main.command()
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def delete(run_ids: tuple[str, ...], yes: bool, json_output: bool) -> None:
    """Moves runs to the trash, where they stay for a day. `restore` takes them out again."""
    deleted = _find_runs(run_ids)
    for run in deleted:
        if not run.status().final:  # checked first: either all are deleted or none
            raise RunError(f"The run {run.id} is {run.status().state}. Stop it before you delete it.")
    if not yes:
        click.confirm(f"Delete {', '.join(run.id for run in deleted)}?", abort=True, err=True)
    for run in deleted:
        move_to_trash(run)
    _print_ids(deleted, json_output)


@main.command()
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@json_option
def restore(run_ids: tuple[str, ...], json_output: bool) -> None:
    """Takes deleted runs out of the trash."""
    _print_ids([restore_from_trash(run_id) for run_id in dict.fromkeys(run_ids)], json_output)


def _find_runs(run_ids: Iterable[str]) -> list[Run]:
    """The runs, each once."""
    return [find_run(run_id) for run_id in dict.fromkeys(run_ids)]


def _print_ids(printed: list[Run], json_output: bool) -> None:
    rows: list[dict[str, Any]] = [{"run": run.id} for run in printed]
    if json_output:
        print_json(rows)
    else:
        click.echo("\n".join(run.id for run in printed))
