"""Commands for sweeps: sweep, sweep show, sweep resume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
from click.core import ParameterSource

from mnist_core.cli.main import main, program_name
from mnist_core.cli.options import backend_option, data_option, json_option
from mnist_core.cli.output import print_json, print_table
from mnist_core.cli.progress import on_signals, show_progress, time_left
from mnist_core.errors import SettingError, SweepError
from mnist_core.jobs import routing
from mnist_core.runs.status import Status
from mnist_core.sweeps import findings, launch, store
from mnist_core.sweeps.ineffective import ineffective_settings
from mnist_core.sweeps.objective import best_trial, best_unless_retrained
from mnist_core.sweeps.plan import BACKENDS, MEASURES, RETRAIN_SEEDS, SAMPLERS, describe_plan, make_plan, plan_title
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.store import Sweep
from mnist_core.wording import plural


@main.group(invoke_without_command=True)
@click.option("--base", metavar="NAME", help="What every trial starts from: a recipe, a run id, or network:NAME.")
@click.option(
    "--vary", multiple=True, metavar="SETTING=VALUES", help="learning_rate=1e-4..1e-1:log or epochs=1,2,4. Repeatable."
)
@click.option("--trials", type=int, help="Number of trials. Default: 20, or every point of a grid.")
@click.option(
    "--how", "sampler", type=click.Choice(SAMPLERS), default="tpe", show_default=True, help="How settings are chosen."
)
@click.option("--epochs", type=int, help="Epochs of every trial. Default: those of the base.")
@data_option
@click.option(
    "--measure",
    type=click.Choice(list(MEASURES)),
    default="accuracy",
    show_default=True,
    help="What to optimize on the validation images. The test set is used once, for the retrained best trial.",
)
@click.option(
    "--prune/--no-prune", default=True, show_default=True, help="Stop trials early that are worse than the median."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sampler and of every trial.")
@click.option(
    "--seeds",
    "retrain_seeds",
    type=int,
    default=RETRAIN_SEEDS,
    show_default=True,
    help="How many seeds retrain the best trial.",
)
@backend_option
@click.option("--storage", metavar="URL", default="", help="Optuna's database. Default: a file in the sweep's folder.")
@click.option(
    "--ready", type=click.Choice(list(PRESETS)), help="A sweep that is ready to start, on the offline sample."
)
@json_option
@click.pass_context
def sweep(context: click.Context, /, json_output: bool, ready: str | None, base: str | None, **given: Any) -> None:
    """Searches for better settings: trains many trials, then retrains the best. Ctrl-C pauses the sweep."""
    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
            raise click.UsageError(f"Put the options after the command: sweep {context.invoked_subcommand} [OPTIONS].")
        return
    if (ready is None) == (base is None):
        raise SettingError("Give either --base NAME with --vary SETTING=VALUES, or --ready NAME.")
    if ready and any(
        context.get_parameter_source(name) is not ParameterSource.DEFAULT for name in given if name != "backend"
    ):
        raise SettingError("--ready NAME has all settings already: leave out the others, or use --base NAME.")
    backend = given["backend"] = given["backend"] or routing.default_backend()
    plan = replace(PRESETS[ready].plan(), backend=backend) if ready else make_plan(str(base), **given)
    if backend == "ray":
        routing.connect_to_cluster().close()  # fails now, not later in the sweep's process
    for sentence in ineffective_settings(plan.space, plan.base.settings):
        click.echo(f"Warning: {sentence}", err=True)
    created = store.create_sweep(plan)
    click.echo(f"{created.id}: {plan_title(plan)}, {plural(plan.trials, 'trial')}. Ctrl-C pauses it.", err=True)
    launch.launch_sweep(created)
    _follow(created)
    _print_result(created, json_output)


@sweep.command("show")
@click.argument("sweep_id", metavar="[SWEEP]", required=False)
@json_option
def show_sweep(sweep_id: str | None, json_output: bool) -> None:
    """Lists all sweeps, or shows one with all its trials."""
    if sweep_id is not None:
        _print_sweep(store.find_sweep(sweep_id), json_output)
        return
    rows = [store.summarize_sweep(sweep) for sweep in store.list_sweeps()]
    if json_output:
        print_json(rows)
    else:
        print_table(rows, ("sweep", "title", "state", "trials", "of", "best"))


@sweep.command("resume")
@click.argument("sweep_id", metavar="SWEEP")
@click.option("--trials", type=int, help="New total number of trials. Default: unchanged.")
@click.option("--backend", type=click.Choice(BACKENDS), help="Where to train from now on. Default: unchanged.")
@json_option
def resume_sweep(sweep_id: str, trials: int | None, backend: str | None, json_output: bool) -> None:
    """Resumes a sweep that is paused or has ended. --trials extends it."""
    resumed = store.find_sweep(sweep_id)
    launch.resume_sweep(resumed, trials, backend)
    _follow(resumed)
    _print_result(resumed, json_output)


def _follow(sweep: Sweep) -> None:
    """Shows a progress bar until the sweep's process has ended. Signals pause the sweep."""

    def describe(status: Status) -> str:
        return f"{status.step}/{plural(status.steps, 'trial')}{time_left(status)}. {status.message}"

    with on_signals(lambda: sweep.update_control(paused=True)):
        show_progress(lambda: sweep.live, sweep.status, describe)


def _print_result(sweep: Sweep, json_output: bool) -> None:
    """Prints how a sweep ended. Raises SweepError if it has failed."""
    _print_sweep(sweep, json_output)
    status = sweep.status()
    if status.state in ("failed", "interrupted"):
        raise SweepError(f"{sweep.id} {status.state}: {status.message}")
    if status.state in ("paused", "stopped"):
        click.echo(f"Continue with: {program_name()} sweep resume {sweep.id}", err=True)


def _print_sweep(sweep: Sweep, json_output: bool) -> None:
    status, plan, trials, retrained = sweep.status(), sweep.plan(), sweep.trials(), sweep.retrained_best()
    if json_output:
        print_json(
            {
                "sweep": sweep.id,
                "state": status.state,
                "message": status.message,
                "seconds_left": status.seconds_left,
                "plan": describe_plan(plan),
                "trials": trials,
                "best": best_trial(trials, plan),
                "winner": retrained,
            }
        )
        return
    click.echo(f"{sweep.id}: {status.state}. {status.message}")
    names = [dimension.name for dimension in plan.space]
    rows = [{**row, **{name: row["settings"].get(name) for name in names}} for row in trials]
    print_table(rows, ("trial", "state", "value", *names, "seconds", "run"))
    if retrained.get("run"):
        spread = f" ± {retrained['spread']:.4f}" if retrained.get("spread") is not None else ""
        better = best_unless_retrained(trials, plan, retrained)
        title = f"Best trial {retrained['trial']}, retrained"
        if better is not None:
            title = f"Retrained earlier: trial {retrained['trial']},"
            click.echo(f"Best trial {better['trial']}: {MEASURES[plan.measure]} {better['value']:.4f}")
        click.echo(
            f"{title} with {plural(len(retrained['runs']), 'seed')}: "
            f"{MEASURES[plan.measure]} {retrained['mean']:.4f}{spread}"
        )
        if retrained.get("test_accuracy") is not None:  # None between the retraining and the test
            click.echo(
                f"Test accuracy of the best of these models, {retrained['run']}: {retrained['test_accuracy']:.4f}"
            )
        if retrained.get("tested_before"):
            click.echo(findings.repeated_test(retrained["tested_before"]))
