"""Commands on the runs there are: look, compare, take home, bring in, delete."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mnist_core.cli.main import as_json, main, result_of, table
from mnist_core.errors import RunError
from mnist_core.export import formats as exporting
from mnist_core.export.archive import unpack_run
from mnist_core.runs import history
from mnist_core.runs.comparison import settings_table
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run, list_runs
from mnist_core.runs.trash import move_to_trash, restore_from_trash

FIGURES = ("test_accuracy", "test_loss", "parameters", "train_seconds", "images_per_second")


@main.command()
@as_json
def runs(json_output: bool) -> None:
    """The runs there are, newest first."""
    rows = [result_of(run) for run in list_runs()]
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    table(rows, ("run", "state", "test_accuracy", "test_loss", "train_seconds"))


@main.command()
@click.argument("run_id", metavar="RUN")
@as_json
def show(run_id: str, json_output: bool) -> None:
    """One run: what it trained and what became of it."""
    run = find_run(run_id)
    spec, status, card = run.spec(), run.status(), run.card()
    if json_output:
        metrics = run.metrics()
        shown = {"spec": spec.to_json(), "status": asdict(status), "card": card, "reports": len(metrics.rows)}
        return click.echo(json.dumps({"run": run.id, **shown}, indent=1))
    click.echo(f"{run.id}: {status.state}. {status.message}")
    click.echo(f"recipe {spec.recipe}, changed: {dict(spec.overrides) or 'nothing'}, seed {spec.seed}")
    click.echo(f"data: {status.data or spec.data}")
    table([asdict(row) for row in spec.settings.architecture.summary()], ("layer", "output_shape", "parameters"))
    if {"test_accuracy", "test_loss"} <= card.keys():
        click.echo(f"test accuracy {card['test_accuracy']:.4f}, loss {card['test_loss']:.4f}")


@main.command()
@click.argument("run_ids", metavar="RUN RUN...", nargs=-1, required=True)
@as_json
def compare(run_ids: tuple[str, ...], json_output: bool) -> None:
    """Runs side by side: the settings that differ, and what each came to."""
    chosen = [find_run(run_id) for run_id in dict.fromkeys(run_ids)]
    if len(chosen) < 2:
        raise RunError(f"{len(chosen)} run was given, and two or more different ones can be compared.")
    settings = {
        row["setting"]: row["values"] for row in settings_table([run.spec() for run in chosen]) if row["differs"]
    }
    rows = [
        _compared(run, {name: values[place] for name, values in settings.items()}) for place, run in enumerate(chosen)
    ]
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    measures = {name: [row[name] for row in rows] for name in ("state", *FIGURES)}
    lines = [
        {"": name, **dict(zip(map(str, range(1, len(rows) + 1)), values, strict=True))}
        for name, values in {"run": [run.id for run in chosen], **settings, **measures}.items()
    ]
    table(lines, tuple(lines[0]))


def _compared(run: Run, settings: dict[str, str]) -> dict[str, Any]:
    found = history.history_row(run)
    return {
        "run": run.id,
        "name": found["name"],
        "settings": settings,
        **{name: found[name] for name in ("state", *FIGURES)},
    }


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--format", "name", type=click.Choice(list(exporting.FORMATS)), required=True, help="What of it to take home."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="By default named after the run, here.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@as_json
def export(run_id: str, name: str, output: Path | None, force: bool, json_output: bool) -> None:
    """Writes a run's model, reports, curves, Keras script, or the whole of it."""
    run = find_run(run_id)
    written = exporting.write_export(run, name, output or Path(exporting.export_filename(run, name)), force)
    if json_output:
        return click.echo(json.dumps({"run": run.id, "format": name, "files": [str(path) for path in written]}))
    for path in written:
        click.echo(path)


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
def bring_in(file: Path, json_output: bool) -> None:
    """Takes in a run that was exported as a zip, here or elsewhere."""
    run = unpack_run(file)
    click.echo(json.dumps({"run": run.id, "state": run.status().state}) if json_output else run.id)


@main.command()
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def delete(run_ids: tuple[str, ...], yes: bool, json_output: bool) -> None:
    """Moves runs to the bin, where they lie for a day: `restore` has them back."""
    chosen = [find_run(run_id) for run_id in dict.fromkeys(run_ids)]
    for run in chosen:
        if not run.status().final:  # all of them, or none
            raise RunError(f"The run {run.id} is {run.status().state}. Stop it before you delete it.")
    if not yes:
        click.confirm(f"Delete {', '.join(run.id for run in chosen)}?", abort=True, err=True)
    for run in chosen:
        move_to_trash(run)
    _name(chosen, json_output)


@main.command()
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@as_json
def restore(run_ids: tuple[str, ...], json_output: bool) -> None:
    """Takes deleted runs out of the bin."""
    _name([restore_from_trash(run_id) for run_id in dict.fromkeys(run_ids)], json_output)


def _name(chosen: list[Run], json_output: bool) -> None:
    if json_output:
        return click.echo(json.dumps([{"run": run.id} for run in chosen]))
    for run in chosen:
        click.echo(run.id)
