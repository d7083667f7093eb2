"""The runner of a sweep, in this process and with a backend that trains nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from mnist_core.errors import SweepError
from mnist_core.files.write import write_json
from mnist_core.jobs import other_runs, worker_pool
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import stamp_status
from mnist_core.runs.store import create_run, find_run, list_runs
from mnist_core.sweeps import runner
from mnist_core.sweeps.launch import resume_sweep
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.progress import rounds_left
from mnist_core.sweeps.runner import PAUSED_RUN, STOPPED_RUN, describe_failures, make_backend
from mnist_core.sweeps.store import Sweep, create_sweep, trial_mark
from mnist_core.sweeps.study import Study, Trial, study_url
from mnist_core.sweeps.trial_runs import TrialRuns
from tests.sweeps.fakes import (
    RATES,
    InstantBackend,
    SteppingBackend,
    best_at_one_hundredth,
    make_plan_of_tiny,
    run_sweep_here,
    write_epoch,
    write_state,
)

pytestmark = pytest.mark.usefixtures("signals")  # the runner takes them over

SIX_RATES = "learning_rate=0.01,0.02,0.03,0.04,0.5,0.6"


def by_rate(sweep: Sweep, key: str) -> dict[float, Any]:
    """One column of the trials, by learning rate."""
    return {row["settings"]["learning_rate"]: row[key] for row in sweep.trials()}


def two_bad_rates(settings: Any) -> list[float]:
    """Three epochs; learning rates above 0.1 are clearly worse."""
    return [0.1] * 3 if settings.learning_rate > 0.1 else [0.9, 0.91, 0.92]


# sampling


def test_a_grid_tries_every_point_once_in_a_run_of_its_own() -> None:
    space = ("batch_size=100,500", "learning_rate=0.0001,0.01")
    sweep = create_sweep(make_plan_of_tiny(*space, sampler="grid", trials=4))
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth))
    trials = sweep.trials()
    points = [(row["settings"]["batch_size"], row["settings"]["learning_rate"]) for row in trials]
    assert sorted(points) == [(100, 0.0001), (100, 0.01), (500, 0.0001), (500, 0.01)]
    for row in trials:
        spec = find_run(row["run"]).spec()
        assert spec.overrides == row["settings"] and spec.settings.batch_size == row["settings"]["batch_size"]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_twenty_trials_are_all_different_and_in_optunas_database(sampler: str) -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, "batch_size=250,500,1000", sampler=sampler, trials=20))
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth, slots=2))
    trials = sweep.trials()
    assert [row["trial"] for row in trials] == list(range(20))
    assert {row["state"] for row in trials} <= {"finished", "pruned"}
    assert all(1e-4 <= row["settings"]["learning_rate"] <= 1e-1 for row in trials)
    assert len({row["settings"]["learning_rate"] for row in trials}) == 20, "the sampler repeats itself"
    assert len({row["run"] for row in trials}) == 20 == len(list_runs())
    stored = optuna.load_study(study_name=sweep.id, storage=study_url(sweep, sweep.plan()))
    assert [trial.value for trial in stored.trials] == [row["value"] for row in trials]
    assert stored.best_value == max(row["value"] for row in trials)
    assert sweep.status().step == sweep.status().steps == 20


def test_a_loss_is_minimized() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.001,0.01,0.1", sampler="grid", trials=3, measure="loss"))
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth))
    best = best_trial(sweep.trials(), sweep.plan())
    assert best is not None and best["settings"] == {"learning_rate": 0.01} and best["value"] == pytest.approx(0)


# the best trial


def test_the_best_trial_is_retrained_and_only_the_best_of_these_models_is_tested() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=1e-4..1:log:5", sampler="grid", trials=5, retrain_seeds=3))
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth))
    best = sweep.retrained_best()
    assert best["settings"] == {"learning_rate": 0.01}
    assert best["mean"] == pytest.approx(1.0) and best["spread"] == pytest.approx(0.0)
    assert [row["seed"] for row in best["runs"]] == [1, 2, 3] and best["test_accuracy"] == 0.123
    assert [find_run(row["run"]).spec().seed for row in best["runs"]] == [1, 2, 3]
    assert [run.id for run in list_runs() if "test_accuracy" in run.card()] == [best["run"]]
    assert ": 0.123" not in (sweep.path / "trials.json").read_text()
    assert sweep.status().state == "finished" and f"Trial {best['trial']} " in sweep.status().message


def test_mean_and_spread_are_of_the_retrained_models() -> None:
    accuracies = iter([0.5, 0.6, 0.9])
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.1", sampler="grid", trials=1, retrain_seeds=2))
    run_sweep_here(sweep, InstantBackend(lambda _: [next(accuracies)]))
    best = sweep.retrained_best()
    assert [row["value"] for row in best["runs"]] == [0.6, 0.9]
    assert best["mean"] == pytest.approx(0.75) and best["spread"] == pytest.approx(0.3 / 2**0.5)
    assert best["run"] == best["runs"][1]["run"]


def test_the_time_left_counts_down_while_the_best_trial_is_retrained() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.1", sampler="grid", trials=2, retrain_seeds=2))
    backend, left = SteppingBackend(best_at_one_hundredth), dict[str, float | None]()

    def note() -> None:
        left.setdefault(sweep.status().message, sweep.status().seconds_left)
        backend.tick()

    run_sweep_here(sweep, backend, note)
    before, halfway = (left[f"Retraining the best trial, {done} of 2 seeds done."] for done in (0, 1))
    assert before and halfway == pytest.approx(before / 2)


def test_the_time_left_counts_seeds_that_are_retrained_at_the_same_time_once() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.1", sampler="grid", trials=2, retrain_seeds=3))
    backend, left = SteppingBackend(best_at_one_hundredth, slots=2), dict[str, float | None]()

    def note() -> None:
        left.setdefault(sweep.status().message, sweep.status().seconds_left)
        backend.tick()

    run_sweep_here(sweep, backend, note)
    two_rounds, one_round = (left[f"Retraining the best trial, {done} of 3 seeds done."] for done in (0, 2))
    assert one_round and two_rounds == pytest.approx(2 * one_round)


@pytest.mark.parametrize(
    ("done", "total", "parallel", "rounds"),
    [(0, 3, 4, 1), (1.5, 3, 4, 0.5), (0, 3, 1, 3), (1.25, 3, 1, 1.75), (1, 3, 2, 1.5), (2, 3, 2, 1), (2.5, 3, 2, 0.5)]
    + [(3, 3, 2, 0), (2, 2, 2, 0), (0, 0, 2, 0)],
)
def test_rounds_left(done: float, total: int, parallel: int, rounds: float) -> None:
    assert rounds_left(done, total, parallel) == pytest.approx(rounds)


def test_a_failed_retraining_fails_the_sweep_and_names_the_run() -> None:
    results: list[list[float] | None] = [[0.5], None]
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.1", sampler="grid", trials=1, retrain_seeds=1))
    with pytest.raises(SweepError) as caught:
        run_sweep_here(sweep, InstantBackend(lambda _: results.pop(0)))
    assert list_runs()[0].id in str(caught.value) or list_runs()[1].id in str(caught.value)
    assert "nan at step 7" in str(caught.value)


def test_a_sweep_that_is_extended_while_it_retrains_runs_more_trials() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1, retrain_seeds=1))
    backend = SteppingBackend(best_at_one_hundredth)

    def extend() -> None:
        if sweep.retrained_best():
            sweep.update_control(trials=3)
        backend.tick()

    run_sweep_here(sweep, backend, extend)
    assert [row["state"] for row in sweep.trials()] == ["finished"] * 3


def test_test_scores_after_an_extension_are_marked_as_a_second_look() -> None:
    accuracies = iter([0.5, 0.5, 0.9, 0.9, 0.1])  # a trial and its retraining, twice; then a trial that is no better
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1, retrain_seeds=1))
    looks = []
    for trials in (1, 2, 3):
        sweep.update_control(trials=trials)
        run_sweep_here(sweep, InstantBackend(lambda _: [next(accuracies)]))
        looks.append((sweep.retrained_best()["mean"], sweep.retrained_best()["tested_before"]))
    assert looks == [(0.5, 0), (0.9, 1), (0.9, 1)]


# failures


def test_three_failures_at_the_start_abort_the_sweep_and_say_why() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=20))
    with pytest.raises(SweepError, match=r"The loss became nan at step 7\."):
        run_sweep_here(sweep, InstantBackend(lambda _: None))
    assert [row["state"] for row in sweep.trials()] == ["failed"] * 3


def test_six_failures_in_a_row_abort_a_sweep_that_has_worked() -> None:
    results = iter([[0.5], *[None] * 20])
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=20))
    with pytest.raises(SweepError):
        run_sweep_here(sweep, InstantBackend(lambda _: next(results)))
    assert Counter(row["state"] for row in sweep.trials()) == {"finished": 1, "failed": 6}


def test_some_failures_do_not_abort_the_sweep() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=20))
    run_sweep_here(
        sweep,
        InstantBackend(lambda settings: None if settings.learning_rate > 0.05 else best_at_one_hundredth(settings)),
    )
    states = Counter(row["state"] for row in sweep.trials())
    assert states["failed"] >= 1 and states["finished"] >= 10 and sum(states.values()) == 20


def test_failures_that_differ_are_all_described() -> None:
    trials = [Trial(number, {}, "failed", message=text) for number, text in enumerate(("a 1", "b", "a 2"))]
    different = describe_failures(trials)
    assert all(f"({number}) {text}" in different for number, text in enumerate(("a 1", "b", "a 2")))
    same = describe_failures([trials[0], trials[2]])
    assert "a 2" in same and "a 1" not in same, "messages that differ in a number are the same reason"


def test_a_run_that_is_deleted_fails_its_trial_only() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.02", sampler="grid", trials=2))
    backend = SteppingBackend(best_at_one_hundredth)

    def delete_the_first() -> None:
        for row in sweep.trials():
            if row["settings"]["learning_rate"] == 0.01 and row["run"] in backend.training:
                del backend.training[row["run"]]
                shutil.rmtree(sweep.root / row["run"])
        backend.tick()

    run_sweep_here(sweep, backend, delete_the_first)
    assert by_rate(sweep, "state") == {0.01: "failed", 0.02: "finished"}
    assert "deleted" in by_rate(sweep, "message")[0.01]


def test_a_run_that_died_with_a_model_but_without_a_checkpoint_fails_its_trial_only() -> None:
    """Stopped within its first epoch, and killed before its status said so. No run like it can be resumed."""

    class Backend(InstantBackend):
        def submit(self, run: Run) -> None:
            super().submit(run)
            if len(self.submitted) == 1:
                write_state(run, "interrupted", "Its process is gone.")

    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.02", sampler="grid", trials=2))
    run_sweep_here(sweep, Backend(best_at_one_hundredth))
    assert sorted(row["state"] for row in sweep.trials()) == ["failed", "finished"]
    assert sweep.status().state == "finished"


def test_a_run_whose_worker_died_is_started_again_once() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.02", sampler="grid", trials=2))
    backend = SteppingBackend(best_at_one_hundredth)
    first: list[str] = []

    def die() -> None:
        for run, _ in list(backend.training.values()):
            first[:] = first or [run.id]
            if run.id == first[0]:
                write_epoch(run, 1, 0.5)  # of an epoch that has no checkpoint
                backend.kill(run)
        backend.tick()

    run_sweep_here(sweep, backend, die)
    assert backend.submitted[first[0]] == 2
    assert Counter(row["state"] for row in sweep.trials()) == {"failed": 1, "finished": 1}


# pruning


def test_bad_trials_are_pruned_after_their_first_epoch() -> None:
    """Four good trials, then two bad ones."""
    sweep = create_sweep(make_plan_of_tiny(SIX_RATES, sampler="grid", trials=6, epochs=3))
    backend = SteppingBackend(two_bad_rates)
    run_sweep_here(sweep, backend)
    states = by_rate(sweep, "state")
    assert [states[rate] for rate in (0.01, 0.02, 0.03, 0.04, 0.5, 0.6)] == ["finished"] * 4 + ["pruned"] * 2
    assert "after epoch 1" in by_rate(sweep, "message")[0.5]
    assert by_rate(sweep, "value")[0.5] == 0.1 and len(by_rate(sweep, "values")[0.5]) < 3
    assert sorted(backend.stopped) == sorted(row["run"] for row in sweep.trials() if row["state"] == "pruned")


def test_a_pruned_trial_whose_worker_dies_before_it_has_stopped_is_stopped_again() -> None:
    sweep = create_sweep(make_plan_of_tiny(SIX_RATES, sampler="grid", trials=6, epochs=3))
    backend = SteppingBackend(two_bad_rates)

    def die_once() -> None:
        for run, _ in list(backend.training.values()):
            if run.id in backend.stopped and not backend.killed:
                backend.kill(run)
        backend.tick()

    run_sweep_here(sweep, backend, die_once)
    assert backend.submitted[backend.killed[0]] == 2
    states = by_rate(sweep, "state")
    assert (states[0.5], states[0.6]) == ("pruned", "pruned")


def test_without_pruning_no_trial_is_stopped() -> None:
    sweep = create_sweep(make_plan_of_tiny(SIX_RATES, sampler="grid", trials=6, epochs=3, prune=False))
    backend = SteppingBackend(two_bad_rates, slots=6)
    run_sweep_here(sweep, backend)
    assert backend.stopped == [] and {row["state"] for row in sweep.trials()} == {"finished"}


# control


def test_a_trial_that_is_stopped_in_its_first_epoch_has_not_failed() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.02", sampler="grid", trials=2))
    backend = SteppingBackend(best_at_one_hundredth)

    def stop() -> None:
        sweep.update_control(stop=True)
        if backend.stopped:
            backend.tick()

    run_sweep_here(sweep, backend, stop)
    assert sweep.status().state == "stopped"
    (row,) = sweep.trials()
    assert (row["state"], row["value"]) == ("pruned", None) and "first epoch" in row["message"]
    assert "after 1 trial." in sweep.status().message


@pytest.mark.parametrize("by", ["control", "signal"])
def test_a_paused_sweep_continues_with_the_same_runs(by: str) -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=2, epochs=3))
    backend = SteppingBackend(lambda _: [0.1, 0.2, 0.3])

    def pause_after_an_epoch() -> None:
        if any(row["values"] for row in sweep.trials()):  # a slow disk delays trials.json
            sweep.update_control(paused=True) if by == "control" else os.kill(os.getpid(), signal.SIGTERM)
        elif not any(run.metrics().rows for run in list_runs()):
            backend.tick()

    run_sweep_here(sweep, backend, pause_after_an_epoch)
    assert sweep.status().state == "paused" and not sweep.live
    (row,) = sweep.trials()
    assert row["state"] == "running" and find_run(row["run"]).status().message == PAUSED_RUN
    assert backend.killed == [row["run"]]
    sweep.update_control(paused=False)
    running: list[int] = []

    def count_running() -> None:
        running.append(sum(row["state"] == "running" for row in sweep.trials()))
        backend.tick()

    run_sweep_here(sweep, backend, count_running)
    assert max(running) == 1, "the second trial waits for the first, which is resumed"
    trials = sweep.trials()
    assert [row["state"] for row in trials] == ["finished"] * 2 and trials[0]["run"] == row["run"]
    assert [epoch for epoch, _ in trials[0]["values"]] == [1, 2, 3]
    assert len(list_runs()) == 2


def test_a_running_sweep_is_extended_without_a_second_process_and_stopped() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1))
    backend = SteppingBackend(best_at_one_hundredth)
    steps: set[int] = set()

    def extend_then_stop() -> None:
        steps.add(sweep.status().steps)
        if sweep.status().steps == 1:
            assert sweep.live and resume_sweep(sweep, trials=50) is None
        elif len(sweep.trials()) > 2:
            sweep.update_control(stop=True)
        backend.tick()

    run_sweep_here(sweep, backend, extend_then_stop)
    trials = sweep.trials()
    assert sweep.status().state == "stopped" and steps >= {1, 50}
    assert {row["state"] for row in trials} <= {"finished", "pruned"} and 2 < len(trials) < 50
    assert len({row["run"] for row in trials}) == len(trials) == len(list_runs())


def test_stopping_while_the_best_trial_is_retrained_puts_that_run_aside() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.1", sampler="grid", trials=1, retrain_seeds=1))
    backend = SteppingBackend(best_at_one_hundredth)

    def stop_the_retraining() -> None:
        if sweep.retrained_best():
            sweep.update_control(stop=True)
        backend.tick()

    run_sweep_here(sweep, backend, stop_the_retraining)
    assert sweep.status().state == "stopped" and len(backend.killed) == 1
    assert find_run(backend.killed[0]).status().message == STOPPED_RUN


def test_the_status_says_what_the_sweep_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1))
    backend = InstantBackend(best_at_one_hundredth)
    rooms, messages = iter([False] * 20), []
    monkeypatch.setattr(backend, "room", lambda: next(rooms, True))
    run_sweep_here(sweep, backend, lambda: messages.append(sweep.status().message))
    assert backend.crowded_message in messages and sweep.status().state == "finished"


def test_a_trial_starts_only_while_fewer_runs_than_the_limit_train_or_wait(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_MAX_RUNNING", "2")
    monkeypatch.setattr(other_runs, "RECOUNT_SECONDS", 0.0)
    backend = make_backend("local")
    trial_runs = TrialRuns(backend, runs_root, "")
    theirs = [create_run(make_spec("fast")) for _ in range(2)]
    for states, room in (
        (("running", "queued"), False),
        (("running", "paused"), True),
        (("finished", "running"), True),
        (("queued", "running"), False),
        (("failed", "interrupted"), True),
    ):
        for run, state in zip(theirs, states, strict=True):
            write_state(run, state)
        assert trial_runs.has_room() is room, states
        assert trial_runs.waiting_for == ("" if room else backend.crowded_message)


# what an earlier process left


class PowerCutError(Exception):
    """Ends the runner as a kill would: nothing is tidied up."""


def test_after_a_kill_no_trial_is_lost_or_trained_twice() -> None:
    sweep = create_sweep(make_plan_of_tiny(SIX_RATES, sampler="grid", trials=6, epochs=3))
    first = SteppingBackend(lambda _: [0.1, 0.2, 0.3], slots=2)

    def cut_the_power() -> None:
        first.tick()
        if sum(row["state"] == "finished" for row in sweep.trials()) >= 2 and first.training:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        run_sweep_here(sweep, first, cut_the_power)
    before = sweep.trials()
    for run, _ in first.training.values():
        write_state(run, "interrupted")
    second = SteppingBackend(lambda _: [0.1, 0.2, 0.3], slots=2)
    run_sweep_here(sweep, second)
    trials = sweep.trials()
    assert [row["run"] for row in trials][: len(before)] == [row["run"] for row in before]
    assert sorted(by_rate(sweep, "state")) == [0.01, 0.02, 0.03, 0.04, 0.5, 0.6]
    assert len(list_runs()) == 6 and {row["state"] for row in trials} == {"finished"}
    assert all([epoch for epoch, _ in row["values"]] == [1, 2, 3] for row in trials), "each epoch once"


def test_a_resumed_sweep_proposes_new_settings() -> None:
    """The sampler does not repeat itself, and a trial whose run was never created gets one."""
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=6))
    first = Study(sweep, sweep.plan())
    for _ in range(2):
        first.end(first.ask(), "finished", 0.5)
    lost = first.ask()  # then the process was killed
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth))
    trials = sweep.trials()
    assert len(trials) == 6 and all(row["state"] == "finished" for row in trials)
    assert trials[2]["settings"] == lost.settings and trials[2]["run"]
    assert len({row["settings"]["learning_rate"] for row in trials}) == 6
    assert len(list_runs()) == 4


def test_a_run_that_was_created_but_not_recorded_is_found_by_its_mark() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1))
    trial = Study(sweep, sweep.plan()).ask()
    run = create_run(sweep.plan().trial_spec(trial.settings, 0), mark=trial_mark(sweep, 0))
    backend = InstantBackend(best_at_one_hundredth)
    backend.submit(run)
    run_sweep_here(sweep, backend)
    assert [row["run"] for row in sweep.trials()] == [run.id] and len(list_runs()) == 1
    assert backend.submitted[run.id] == 1


def test_the_duration_of_an_adopted_trial_leaves_out_the_time_before_that_it_did_not_train() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1))
    study = Study(sweep, sweep.plan())
    trial = study.ask()
    run = create_run(sweep.plan().trial_spec(trial.settings, 0), mark=trial_mark(sweep, 0))
    study.update(trial, run=run.id, began=time.time() - 1000)
    backend = InstantBackend(best_at_one_hundredth)
    backend.submit(run)  # reports one second of training
    run_sweep_here(sweep, backend)
    (row,) = sweep.trials()
    assert row["run"] == run.id and 1 <= row["ended"] - row["began"] < 100


def test_a_worker_that_outlived_its_sweep_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(worker_pool.WorkerPool, "start", lambda _, run, __: started.append(run.id))
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.1", sampler="grid", trials=1))
    study = Study(sweep, sweep.plan())
    trial = study.ask()
    run = create_run(sweep.plan().trial_spec(trial.settings, 0), mark=trial_mark(sweep, 0))
    study.update(trial, run=run.id)
    worker = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    run.write_status(replace(stamp_status(run.status()), state="running", pid=worker.pid))
    write_epoch(run, 1, 0.7)
    backend, held = make_backend("local"), list[bool]()

    def train_another_epoch() -> None:
        held.append(backend.holds(run))
        if len(held) == 3:
            write_epoch(run, 2, 0.8)
            write_state(run, "finished")
            worker.communicate(b"\n")
        threading.Event().wait(0.01)

    run_sweep_here(sweep, backend, train_another_epoch)
    assert held[:3] == [True] * 3 and started == [] and worker.returncode == 0
    (row,) = sweep.trials()
    assert (row["run"], row["state"], row["values"]) == (run.id, "finished", [[1, 0.7], [2, 0.8]])
    assert list_runs() == [run]


def test_failures_under_an_earlier_process_do_not_abort_a_resumed_sweep() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=5))
    with pytest.raises(SweepError):
        run_sweep_here(sweep, InstantBackend(lambda _: None))
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth))
    assert Counter(row["state"] for row in sweep.trials()) == {"failed": 3, "finished": 2}


def test_a_sweep_of_which_no_trial_has_finished_has_no_best() -> None:
    sweep = create_sweep(make_plan_of_tiny("learning_rate=0.01,0.02", sampler="grid", trials=2))
    with pytest.raises(SweepError, match="nan at step 7"):
        run_sweep_here(sweep, InstantBackend(lambda _: None))
    assert sweep.retrained_best() == {}


def test_values_of_a_control_file_that_make_no_sense_are_ignored() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=1))
    write_json(sweep.path / "control.json", {"stop": "no", "paused": 1, "trials": "many", "backend": "cloud"})
    run_sweep_here(sweep, InstantBackend(best_at_one_hundredth))
    assert sweep.status().state == "finished" and sweep.backend_name(sweep.plan()) == "local"


# the process


def test_the_exit_status_says_how_the_sweep_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    for accuracies, exit_status, state in ((best_at_one_hundredth, 0, "finished"), (lambda _: None, 1, "failed")):
        backend = InstantBackend(accuracies, slots=3)
        monkeypatch.setattr(runner, "make_backend", lambda _, backend=backend: backend)
        sweep = create_sweep(make_plan_of_tiny(RATES, sampler="random", trials=3))
        assert runner.main([str(sweep.path)]) == exit_status
        assert sweep.status().state == state
    assert "nan at step 7" in sweep.status().message
    assert runner.main([]) == 2


def test_a_second_process_of_a_running_sweep_ends_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES))
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as other:
        sweep.files.write_status(replace(stamp_status(sweep.files.status()), state="running", pid=other.pid))
        assert runner.main([str(sweep.path)]) == 2
        other.communicate(b"\n")
    assert str(other.pid) in capsys.readouterr().err and sweep.files.status().pid == other.pid
