"""Commands that search: sweep, sweep show, sweep resume."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click

from mnist_core.cli.main import as_json, main, table
from mnist_core.cli.progress import signals_ask, watch
from mnist_core.errors import SettingError, SweepError
from mnist_core.jobs import routing
from mnist_core.runs.status import Status
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import BACKENDS, MEASURES, RETRAIN_SEEDS, SAMPLERS, describe_plan, make_plan, plan_title
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.store import Sweep, create_sweep, find_sweep, launch_sweep, list_sweeps, summarize_sweep
from mnist_core.sweeps.store import resume_sweep as store_resume_sweep


@main.group(invoke_without_command=True)
@click.option("--base", metavar="NAME", help="What trials begin with: a recipe, the id of a run, or network:NAME.")
@click.option("--vary", multiple=True, metavar="SETTING=VALUES", help="learning_rate=1e-4..1e-1:log, epochs=1,2,4.")
@click.option("--trials", type=int, help="How many; by default 20, and the whole of a grid.")
@click.option(
    "--how", "sampler", type=click.Choice(SAMPLERS), default="tpe", show_default=True, help="Who proposes what to try."
)
@click.option("--epochs", type=int, help="Of each trial; by default as the base.")
@click.option("--data", default="full", show_default=True, help="`full`, `sample`, or a path.")
@click.option(
    "--measure",
    type=click.Choice(list(MEASURES)),
    default="accuracy",
    show_default=True,
    help="On the validation images; the test set is never looked at, but once for the winner.",
)
@click.option("--prune/--no-prune", default=True, show_default=True, help="End trials early that most are better than.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the search, and of every trial.")
@click.option(
    "--seeds",
    "retrain_seeds",
    type=int,
    default=RETRAIN_SEEDS,
    show_default=True,
    help="To train the winner anew with.",
)
@click.option("--backend", type=click.Choice(BACKENDS), help="Who trains; by default the cluster, where one is named.")
@click.option("--storage", metavar="URL", default="", help="Optuna's database; by default a file of the sweep's own.")
@click.option("--ready", type=click.Choice(list(PRESETS)), help="A sweep that needs no choice, on the offline sample.")
@as_json
@click.pass_context
def sweep(context: click.Context, /, json_output: bool, ready: str | None, base: str | None, **given: Any) -> None:
    """Searches settings: tries many, trains the best anew. Ctrl-C pauses it; `sweep show`, `sweep resume`."""
    if context.invoked_subcommand is not None:
        return
    if (ready is None) == (base is None):
        raise SettingError("Give --base NAME with --vary SETTING=VALUES, or --ready NAME; `sweep --help` tells more.")
    given["backend"] = given["backend"] or routing.default_backend()
    plan = replace(PRESETS[ready].plan(), backend=given["backend"]) if ready else make_plan(str(base), **given)
    if plan.backend == "ray":
        routing.connect_to_cluster().close()  # said here and now, where it cannot be reached
    made = create_sweep(plan)
    click.echo(f"{made.id}: {plan_title(plan)}, {plan.trials} trials. Ctrl-C pauses it.", err=True)
    launch_sweep(made)
    _follow(made)
    _tell(made, json_output)


@sweep.command("show")
@click.argument("sweep_id", metavar="[SWEEP]", required=False)
@as_json
def show_sweep(sweep_id: str | None, json_output: bool) -> None:
    """The sweeps there are; one of them, with all its trials."""
    if sweep_id is not None:
        return _print(find_sweep(sweep_id), json_output)
    rows = [summarize_sweep(one) for one in list_sweeps()]
    if json_output:
        return click.echo(json.dumps(rows, indent=1))
    table(rows, ("sweep", "title", "state", "trials", "of", "best"))


@sweep.command("resume")
@click.argument("sweep_id", metavar="SWEEP")
@click.option("--trials", type=int, help="How many in all from now on; by default as before.")
@click.option("--backend", type=click.Choice(BACKENDS), help="Who trains from now on; by default as before.")
@as_json
def resume_sweep(sweep_id: str, trials: int | None, backend: str | None, json_output: bool) -> None:
    """Goes on with a sweep that is paused or has ended; with more trials where that is asked for."""
    found = find_sweep(sweep_id)
    store_resume_sweep(found, trials, backend)
    _follow(found)
    _tell(found, json_output)


def _follow(found: Sweep) -> None:
    """A progress bar until the sweep's process has ended. Signals pause the sweep: its runs are put aside, not lost."""
    with signals_ask(lambda: found.ask(paused=True)):
        watch(lambda: found.live, found.status, _line)


def _line(status: Status) -> str:
    left = f", {status.seconds_left:.0f} s left" if status.seconds_left is not None else ""
    return f"{status.step}/{status.steps} trials{left}. {status.message}"


def _tell(found: Sweep, json_output: bool) -> None:
    """Prints what became of a sweep. Raises SweepError where it has failed."""
    _print(found, json_output)
    status = found.status()
    if status.state in ("failed", "interrupted"):
        raise SweepError(f"{found.id} {status.state}: {status.message}")
    if status.state in ("paused", "stopped"):
        click.echo(f"`sweep resume {found.id}` goes on with it.", err=True)


def result_of(found: Sweep) -> dict[str, Any]:
    """What --json prints of a sweep: `sweep`, `state`, `message`, `plan`, `trials`, `best`, `winner`."""
    status, plan, trials = found.status(), found.plan(), found.trials()
    return {
        "sweep": found.id,
        "state": status.state,
        "message": status.message,
        "seconds_left": status.seconds_left,
        "plan": describe_plan(plan),
        "trials": trials,
        "best": best_trial(trials, plan),
        "winner": found.retrained_best(),
    }


def _print(found: Sweep, json_output: bool) -> None:
    result = result_of(found)
    if json_output:
        return click.echo(json.dumps(result))
    click.echo(f"{found.id}: {result['state']}. {result['message']}")
    names = [vary.name for vary in found.plan().space]
    rows = [{**row, **{name: row["settings"].get(name) for name in names}} for row in result["trials"]]
    table(rows, ("trial", "state", "value", *names, "seconds", "run"))
    winner = result["winner"]
    if winner.get("run"):
        spread = f" ± {winner['spread']:.4f}" if winner.get("spread") is not None else ""
        measure = MEASURES[found.plan().measure]
        click.echo(
            f"The winner, trial {winner['trial']}, with {len(winner['runs'])} other seeds: "
            f"{measure} {winner['mean']:.4f}{spread}"
        )
        click.echo(f"Its best model, {winner['run']}, on the test set: {winner['test_accuracy']:.4f}")
