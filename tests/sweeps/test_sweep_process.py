"""Real trainings in real processes: a sweep that is killed twice, and one by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from mnist_core.runs import history, status
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.store import find_run, list_runs
from mnist_core.sweeps.launch import launch_sweep, resume_sweep
from mnist_core.sweeps.store import SWEEPS_FOLDER, Sweep, create_sweep, list_sweeps
from tests.cli.calling import call
from tests.support import ROOT, command_line, environment, hears_signals, wait_until
from tests.sweeps.fakes import make_plan_of_tiny

slow = pytest.mark.slow
MINUTES = 600.0
"""Longer than any of these takes on a busy machine."""


def new_run_paused_after_an_epoch(sweep: Sweep, known: set[str]) -> Run:
    """Waits for the sweep's next run, has it pause after its first epoch, and waits until the sweep has seen that."""
    (run,) = wait_until(lambda: [run for run in list_runs() if run.id not in known], "the next run", MINUTES)
    run.update_control(paused=True, whole_epochs=1)
    known.add(run.id)
    wait_until(
        lambda: any(row["run"] == run.id and row["values"] for row in sweep.trials()), "its first epoch", MINUTES
    )
    wait_until(lambda: run.status().state == "paused", "the pause")
    return run


@slow
def test_a_sweep_that_is_killed_twice_finishes_with_nothing_lost_or_trained_twice(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "STALE_SECONDS", 1.0)  # here only: the test notices a death sooner
    plan = make_plan_of_tiny(
        "learning_rate=0.001,0.01,0.1", sampler="grid", trials=3, epochs=4, prune=False, retrain_seeds=2
    )
    sweep, known = create_sweep(plan), set[str]()
    process = launch_sweep(sweep)
    first = new_run_paused_after_an_epoch(sweep, known)
    worker = first.status().pid

    process.kill()  # the worker lives on
    process.wait()
    wait_until(lambda: sweep.status().state == "interrupted", "the death is noticed", 60)
    resume_sweep(sweep)
    first.update_control(paused=False)
    second = new_run_paused_after_an_epoch(sweep, known)
    assert first.status().state == "finished" and first.status().pid == worker, "the same worker trained it to its end"

    psutil.Process(sweep.files.status().pid).kill()
    psutil.Process(second.status().pid).kill()  # now both, as in a power cut
    wait_until(lambda: sweep.status().state == "interrupted", "the death is noticed", 60)
    resume_sweep(sweep)
    wait_until(lambda: not sweep.live, "the end", MINUTES)

    assert sweep.status().state == "finished", (sweep.status().message, sweep.log.read_text())
    trials = sweep.trials()
    assert [row["run"] for row in trials][:2] == [first.id, second.id]
    assert sorted(row["settings"]["learning_rate"] for row in trials) == [0.001, 0.01, 0.1]
    for row in trials:  # a trial is an ordinary run
        run = find_run(row["run"])
        validated = [report["val_accuracy"] for report in run.metrics().rows if "val_accuracy" in report]
        assert row["state"] == "finished" and row["value"] == validated[-1]
        assert row["values"] == [[epoch, value] for epoch, value in enumerate(validated, 1)], "each epoch once"
        assert len(validated) == 4
        assert sweep_mark(run) == {"sweep": sweep.id, "trial": row["trial"], "part": ""}
    best = max(trials, key=lambda row: row["value"])
    retrained = sweep.retrained_best()
    assert (retrained["trial"], retrained["settings"]) == (best["trial"], best["settings"])
    assert [row["seed"] for row in retrained["runs"]] == [1, 2]
    workers = {find_run(row["run"]).status().pid for row in [trials[2], *retrained["runs"]]}
    assert len(workers) == 1, "one worker trains one run after another"
    assert retrained["test_accuracy"] == find_run(retrained["run"]).card()["test_accuracy"]
    assert len(list_runs()) == 5
    rows = {row["run"]: row["sweep"] for row in history.history_rows()}
    assert rows[best["run"]] == f"{sweep.id} trial {best['trial']}"
    assert rows[retrained["run"]].startswith(f"{sweep.id} trial {best['trial']}, ")


@slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no Ctrl-C for a single process")
def test_ctrl_c_pauses_a_sweep_and_the_command_line_resumes_and_shows_it(runs_root: Path) -> None:
    space = ("--base", "lesson08-mlp", "--vary", "batch_size=500,1000", "--how", "grid", "--data", "sample")
    process = subprocess.Popen(
        command_line("sweep", *space, "--epochs", "8", "--seeds", "0"),
        cwd=ROOT,
        env=environment(runs_root),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hears_signals,
    )
    (sweep,) = wait_until(lambda: list_sweeps(runs_root), "the sweep")
    wait_until(lambda: any(row["values"] for row in sweep.trials()), "the first epoch of a trial", MINUTES)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "paused" in out and f"sweep resume {sweep.id}" in err and "Ctrl-C" in err
    assert sweep.status().state == "paused"
    done = subprocess.run(
        command_line("sweep", "resume", sweep.id, "--json"),
        cwd=ROOT,
        env=environment(runs_root),
        capture_output=True,
        text=True,
        timeout=MINUTES,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["state"] == "finished" and [row["state"] for row in printed["trials"]] == ["finished"] * 2
    assert printed["best"]["value"] == max(row["value"] for row in printed["trials"])
    assert set(printed) == {"sweep", "state", "message", "seconds_left", "plan", "trials", "best", "winner"}
    shown = call("sweep", "show", sweep.id, "--json")
    assert shown.exit_code == 0 and json.loads(shown.stdout) == printed
    lines = call("sweep", "show", sweep.id).stdout.splitlines()
    assert lines[1].split() == ["trial", "state", "value", "batch_size", "seconds", "run"] and len(lines) == 4
    (row,) = json.loads(call("sweep", "show", "--json").stdout)
    assert (row["sweep"], row["state"], row["trials"]) == (sweep.id, "finished", 2)


REFUSED = {
    (): ["--base", "--ready"],
    ("--base", "fast"): ["learning_rate="],
    ("--base", "fast", "--vary", "learning_rate=0..1:log"): ["learning_rate", "0"],
    ("--base", "fast", "--vary", "dropout=0..0.5:log"): ["dropout", "0"],
    ("--base", "fast", "--vary", "epochs=5..1"): ["epochs=5..1"],
    ("--base", "fast", "--vary", "batch_size=1..1000", "--vary", "epochs=1..1000", "--how", "grid"): ["1,000,000"],
    ("--base", "fast", "--ready", "batch-size-and-learning-rate"): ["--base", "--ready"],
    ("--ready", "batch-size-and-learning-rate", "--trials", "5"): ["leave out", "--base"],
    ("show", "nonsense"): ["'nonsense'"],
    ("resume", "../.."): ["'../..'"],
}


def test_the_command_line_refuses_what_cannot_be_searched_and_leaves_nothing_behind(runs_root: Path) -> None:
    for arguments, mentioned in REFUSED.items():
        result = call("sweep", *arguments)
        assert result.exit_code == 2 and result.stdout == "", arguments
        assert all(words in result.stderr for words in mentioned), (arguments, result.stderr)
        assert not (runs_root / SWEEPS_FOLDER).exists()
