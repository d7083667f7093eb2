"""The command `sweep`: what it refuses."""

from __future__ import annotations

import pytest

from mnist_core.files.write import write_json
from mnist_core.runs.status import Status, stamp_status
from mnist_core.sweeps import launch
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import Sweep, create_sweep
from tests.cli.calling import call, call_error


@pytest.mark.parametrize("arguments", [("--json", "show"), ("--trials", "5", "resume", "some-sweep")])
def test_options_before_a_subcommand_are_refused(arguments: tuple[str, ...]) -> None:
    assert "after the command: sweep " in call_error("sweep", *arguments)


RATES = [0.001, 0.01, 0.1]


def made(values: list[float], retrained: int) -> Sweep:
    """A stopped sweep with a finished trial for each value, one of which was retrained with one seed."""
    sweep = create_sweep(make_plan("fast", [f"learning_rate={','.join(map(str, RATES))}"], trials=len(values)))
    trials = [
        {"trial": number, "state": "finished", "value": value, "values": [], "settings": {"learning_rate": rate}}
        for number, (value, rate) in enumerate(zip(values, RATES, strict=False))
    ]
    write_json(sweep.path / "trials.json", {"sweep": sweep.id, "trials": trials})
    runs = [{"run": "20260101-000000-fast-00000000", "seed": 1, "value": 0.5}]
    summary = {"mean": 0.5, "spread": None, "run": runs[0]["run"], "test_accuracy": 0.4, "test_loss": 1.0}
    best = {"trial": retrained, "settings": trials[retrained]["settings"], "of": 1, "runs": runs}
    write_json(sweep.path / "winner.json", {**best, **summary, "tested_before": 0})
    sweep.files.write_status(stamp_status(Status("stopped", "Stopped.", step=len(values), steps=len(values))))
    return sweep


def test_one_trial_and_one_seed_are_singular(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "launch_sweep", lambda sweep: sweep.files.write_status(stamp_status(Status("stopped"))))
    started = call("sweep", "--base", "fast", "--vary", "epochs=1..3", "--trials", "1", "--data", "sample")
    assert ", 1 trial. Ctrl-C" in started.stderr and "no effect" not in started.stderr, started.output
    shown = call("sweep", "show", made([0.9], 0).id).output
    assert "Best trial 0, retrained with 1 seed: validation accuracy 0.5000" in shown


def test_a_better_trial_of_an_extension_comes_before_the_one_that_was_retrained() -> None:
    shown = call("sweep", "show", made([0.9, 0.95], 0).id).output
    better, retrained = "Best trial 1: validation accuracy 0.9500", "Retrained earlier: trial 0, with 1 seed"
    assert shown.index(better) < shown.index(retrained)


def test_a_setting_without_effect_is_warned_of_but_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "launch_sweep", lambda sweep: sweep.files.write_status(stamp_status(Status("stopped"))))
    started = call("sweep", "--base", "fast", "--vary", "momentum=0.5,0.9", "--data", "sample")
    assert "Momentum has no effect with Adam" in started.stderr and started.exit_code == 0, started.output
