"""Commands on the runs there are."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from mnist_core.cli import as_json, main, result_of, table
from mnist_core.runs import find_run, list_runs


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
