"""Sweeps: by grid, at random and by TPE with real trainings, and what becomes of them when somebody pulls the plug."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from click.testing import CliRunner

from mnist_core import __main__ as cli
from mnist_core.data.splits import split_mnist as split_data
from mnist_core.errors import RunError, RunNotFoundError, SettingError, SweepError, SweepNotFoundError
from mnist_core.files import read_json, write_json
from mnist_core.jobs import persistent_worker
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.worker_process import start_worker
from mnist_core.networks.layers import Dense, Dropout, Flatten, Rescaling
from mnist_core.networks.library import save_network
from mnist_core.processes import cpu_count
from mnist_core.recipes.settings import Settings
from mnist_core.runs import history
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, find_run, list_runs
from mnist_core.sweeps import study, trial_runs
from mnist_core.sweeps.objective import best_trial, trial_value
from mnist_core.sweeps.plan import HELD_OUT_SPLIT, SweepPlan, describe_plan, make_plan, plan_title
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.runner import PAUSED_RUN, SweepRunner, describe_failures
from mnist_core.sweeps.space_parser import parse_space
from mnist_core.sweeps.store import (
    SWEEPS_FOLDER,
    Sweep,
    create_sweep,
    find_sweep,
    launch_sweep,
    list_sweeps,
    resume_sweep,
    summarize_sweep,
    trial_mark,
)
from mnist_core.sweeps.study import Study, explain_database_error
from mnist_core.sweeps.trial_runs import OtherRuns
from tests.support import ROOT, command_line, end_workers, environment, hears_signals, wait_until

TINY = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), batch_size=500, epochs=1, learning_rate=0.01)
RATES = "learning_rate=1e-4..1e-1:log"


def plan(vary: list[str], **how: Any) -> SweepPlan:
    """Of a network that trains in a moment."""
    base = RunSpec("fast", replace(TINY, epochs=how.pop("epochs", 1)), "sample")
    return SweepPlan(base, parse_space(vary), **{"retrain_seeds": 0, "created": time.time(), **how})


@pytest.fixture(autouse=True)
def nothing_is_left(runs_root: Path) -> Iterator[None]:
    """No process of a sweep outlives its test."""
    yield
    for folder in (runs_root / SWEEPS_FOLDER).glob("*"):
        with contextlib.suppress(Exception):
            process = psutil.Process(int(read_json(folder / "status.json")["pid"]))
            if str(folder.resolve()) in process.cmdline():
                for child in process.children(recursive=True):
                    child.kill()
                process.kill()
    end_workers(runs_root)


class Oracle:
    """A backend that trains nothing: it writes what a worker would have, by a function of the run's settings.

    Args:
        accuracies: the validation accuracy at the end of each epoch; None for a run that fails.
    """

    def __init__(self, accuracies: Callable[[Settings], list[float] | None]) -> None:
        self.accuracies, self.submitted = accuracies, Counter[str]()
        self.left: dict[str, list[float]] = {}
        self.stopped: list[str] = []

    def submit(self, run: Run) -> None:
        self.submitted[run.id] += 1
        values = self.accuracies(run.spec().settings)
        if values is None:
            run.write_status(
                stamp_status(replace(run.status(), state="failed", message="The loss became nan at step 7."))
            )
            return
        self.left[run.id] = list(values)
        self._go_on(run)

    def _go_on(self, run: Run) -> None:
        """One epoch for each look; the sweep looks while it asks for the position of nothing."""
        values = self.left[run.id]
        for epoch, value in enumerate(values, 1):
            run.append_metrics(
                {"step": epoch, "epoch": epoch, "val_accuracy": value, "val_loss": 1 - value, "elapsed": epoch / 10}
            )
        write_json(run.path / "card.json", {"test_accuracy": 0.123, "test_loss": 9.0})
        (run.path / "model.tflite").write_bytes(b"-")
        run.write_status(stamp_status(replace(run.status(), state="finished", message="Finished")))

    def request_stop(self, run: Run) -> None:
        self.stopped.append(run.id)

    def kill(self, run: Run) -> None:
        run.write_status(stamp_status(replace(run.status(), state="interrupted")))

    def position(self, run: Run) -> int:
        return 0

    def prepare(self) -> None:
        """Nothing to warm."""


class Slow(Oracle):
    """One epoch whenever its thread of control is asked to: trials are seen while they run."""

    def _go_on(self, run: Run) -> None:
        run.write_status(stamp_status(replace(run.status(), state="running")))

    def tick(self, root: Path) -> None:
        """Every run one epoch further, or at its end."""
        for run_id, values in list(self.left.items()):
            run = Run(root / run_id)
            done = sum("val_accuracy" in row for row in run.metrics().rows)
            if run_id in self.stopped or done == len(values):
                del self.left[run_id]
                state = "stopped" if run_id in self.stopped else "finished"
                (run.path / "model.tflite").write_bytes(b"-")
                run.write_status(stamp_status(replace(run.status(), state=state, message=state)))
                continue
            run.append_metrics(
                {
                    "step": done + 1,
                    "epoch": done + 1,
                    "val_accuracy": values[done],
                    "val_loss": 1 - values[done],
                    "elapsed": done + 1.0,
                }
            )


def conduct(sweep: Sweep, backend: Any) -> SweepRunner:
    """The sweep in this process, to its end."""
    heart = Heartbeat(sweep.files)
    conductor = SweepRunner(sweep, heart, backend)
    conductor.run()
    return conductor


@pytest.fixture
def handlers(signals: None) -> None:
    """The conductor takes the signals over; the tests want them back."""


# by real processes


def run_sweep(made: Sweep, seconds: float = 900) -> Sweep:
    """A sweep in its own process, to its end."""
    launch_sweep(made)
    wait_until(lambda: not made.live, "the end of the sweep", seconds)
    assert made.status().state == "finished", (made.status().message, made.log.read_text())
    return made


def test_grid_of_four_tries_each_point_once_and_trains_the_winner_anew(runs_root: Path, sample: Any) -> None:
    asked = plan(["batch_size=100,500", "learning_rate=0.0001,0.01"], sampler="grid", trials=4, retrain_seeds=2)
    made = run_sweep(create_sweep(asked))
    trials = made.trials()
    points = [(row["settings"]["batch_size"], row["settings"]["learning_rate"]) for row in trials]
    assert sorted(points) == [(100, 0.0001), (100, 0.01), (500, 0.0001), (500, 0.01)]
    assert {row["state"] for row in trials} == {"finished"}
    for row in trials:  # a trial is a run like any other
        run = find_run(row["run"])
        spec = run.spec()
        assert spec.overrides == row["settings"] and spec.settings.batch_size == row["settings"]["batch_size"]
        validated = [report["val_accuracy"] for report in run.metrics().rows if "val_accuracy" in report]
        assert row["value"] == validated[-1] and row["values"] == [[1, validated[0]]]
        assert sweep_mark(run) == {"sweep": made.id, "trial": row["trial"], "part": ""}
    best = max(trials, key=lambda row: row["value"])
    found = made.retrained_best()
    assert found["trial"] == best["trial"] and found["settings"] == best["settings"]
    assert [row["seed"] for row in found["runs"]] == [1, 2]
    values = [row["value"] for row in found["runs"]]
    assert found["mean"] == pytest.approx(sum(values) / 2)
    assert found["spread"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    chosen = find_run(found["run"])
    assert found["test_accuracy"] == chosen.card()["test_accuracy"]
    assert len(list_runs()) == 6, "none but the trials and the winner's"
    rows = {row["run"]: row["sweep"] for row in history.history_rows()}
    assert rows[best["run"]] == f"{made.id} trial {best['trial']}"
    assert rows[chosen.id] == f"{made.id} trial {best['trial']}, winner"


@pytest.mark.parametrize("how", ["random", "tpe"])
def test_twenty_trials_on_the_offline_sample(how: str, runs_root: Path) -> None:
    made = run_sweep(create_sweep(plan([RATES, "batch_size=250,500,1000"], how=how, trials=20)))
    trials = made.trials()
    assert [row["trial"] for row in trials] == list(range(20))
    assert {row["state"] for row in trials} <= {"finished", "pruned"}
    assert all(1e-4 <= row["settings"]["learning_rate"] <= 1e-1 for row in trials)
    assert len({row["settings"]["learning_rate"] for row in trials}) == 20, "the sampler repeats itself"
    assert len({row["run"] for row in trials}) == 20 == len(list_runs())
    studied = optuna.load_study(study_name=made.id, storage=study.study_url(made, made.plan()))
    assert [trial.value for trial in studied.trials] == [row["value"] for row in trials]
    assert studied.best_value == max(row["value"] for row in trials)
    assert made.status().step == made.status().steps == 20


def test_killed_in_the_middle_it_goes_on_and_nothing_is_lost_or_doubled(runs_root: Path) -> None:
    made = create_sweep(plan(["learning_rate=0.001,0.003,0.01,0.03"], sampler="grid", trials=4, epochs=120))
    process = launch_sweep(made)
    wait_until(lambda: any(row["values"] for row in made.trials()), "the first epoch of a trial", 300)
    process.kill()
    process.wait()
    (run_id,) = [row["run"] for row in made.trials() if row["state"] == "running"]
    before = json.loads((made.path / "trials.json").read_text())["trials"]
    worker = psutil.Process(find_run(run_id).status().pid)
    worker.kill()  # and the machine lost its power altogether
    wait_until(lambda: made.status().state == "interrupted", "it is seen to be gone", 60)
    assert "Resume it" in made.status().message
    resume_sweep(made)
    wait_until(lambda: not made.live, "the end", 900)
    trials = made.trials()
    assert made.status().state == "finished", made.log.read_text()
    assert [row["run"] for row in trials][: len(before)] == [row["run"] for row in before]
    assert sorted(row["settings"]["learning_rate"] for row in trials) == [0.001, 0.003, 0.01, 0.03]
    assert len(list_runs()) == 4 and all(run.status().state == "finished" for run in list_runs())
    epochs = [epoch for epoch, _ in next(row for row in trials if row["run"] == run_id)["values"]]
    assert epochs == list(range(1, 121)), "each epoch once"


def test_runs_that_outlive_the_sweep_are_taken_over(runs_root: Path) -> None:
    made = create_sweep(plan(["learning_rate=0.001,0.01"], sampler="grid", trials=1, epochs=400))
    process = launch_sweep(made)
    wait_until(lambda: any(row["values"] for row in made.trials()), "the first epoch of a trial", 300)
    process.kill()
    process.wait()
    pid = list_runs()[0].status().pid
    wait_until(lambda: made.status().state == "interrupted", "it is seen to be gone", 60)
    resume_sweep(made)
    wait_until(lambda: not made.live, "the end", 900)
    assert made.status().state == "finished", made.log.read_text()
    assert len(list_runs()) == 1 and list_runs()[0].status().pid == pid, "the same worker trained it to its end"
    assert [row["state"] for row in made.trials()] == ["finished"]


def test_paused_extended_and_stopped(runs_root: Path) -> None:
    made = create_sweep(plan([RATES], sampler="random", trials=3, epochs=100))
    process = launch_sweep(made)
    wait_until(lambda: any(row["values"] for row in made.trials()), "the first epoch of a trial", 300)
    made.ask(paused=True)
    assert process.wait(60) == 0
    assert made.status().state == "paused" and not made.live
    (going,) = [row for row in made.trials() if row["state"] == "running"]
    assert find_run(going["run"]).status().message == PAUSED_RUN
    resume_sweep(made, trials=4)
    wait_until(lambda: len([row for row in made.trials() if row["state"] == "finished"]) >= 2, "two trials", 900)
    assert resume_sweep(made, trials=50) is None, "it runs: extending starts no second process"
    wait_until(lambda: made.status().steps == 50, "it has heard", 60)
    made.ask(stop=True)
    wait_until(lambda: not made.live, "it stops", 300)
    assert made.status().state == "stopped"
    trials = made.trials()
    assert {row["state"] for row in trials} <= {"finished", "pruned"} and len(trials) < 50
    assert trials[0]["run"] == going["run"] and len({row["run"] for row in trials}) == len(trials) == len(list_runs())


def test_one_worker_trains_all_and_as_a_process_of_its_own_would(runs_root: Path) -> None:
    """Bit for bit: TensorFlow is loaded once, and nothing of a run stays behind."""
    backend = LocalBackend(running=1, stay=True)
    runs = [create_run(RunSpec("fast", TINY, "sample", seed=5)) for _ in range(2)]
    alone = create_run(RunSpec("fast", TINY, "sample", seed=5))
    pids = []
    for run in runs:
        backend.submit(run)
        wait_until(lambda run=run: run.status().final, "the end of a run", 300)
        pids.append(run.status().pid)
        assert run.status().state == "finished", run.log.read_text()
    assert pids[0] == pids[1]
    assert start_worker(alone, cpu_count()).wait() == 0, alone.log.read_text()
    losses = [[row["loss"] for row in run.metrics().rows] for run in (*runs, alone)]
    assert losses[0] == losses[1]
    assert runs[0].model.read_bytes() == runs[1].model.read_bytes() == alone.model.read_bytes()
    for worker in backend._steady:
        worker.end()


def test_steady_worker_goes_on_after_a_failed_run_and_is_replaced_when_it_dies(runs_root: Path) -> None:
    worker = persistent_worker.PersistentWorker(1)
    bad = create_run(RunSpec("fast", replace(TINY, batch_size=60_000), "sample"))
    turn = worker.take(bad)
    wait_until(lambda: turn.poll() is not None, "the end of the failed run", 300)
    assert bad.status().state == "failed" and "batch_size" in bad.status().message
    good = create_run(RunSpec("fast", TINY, "sample"))
    turn = worker.take(good)
    wait_until(lambda: turn.poll() is not None, "the end of the good run", 300)
    assert good.status().state == "finished" and good.status().pid == bad.status().pid
    turn.kill()
    wait_until(lambda: turn._process.poll() is not None, "the end of the worker")
    other = create_run(RunSpec("fast", TINY, "sample"))
    turn = worker.take(other)
    wait_until(lambda: turn.poll() is not None, "the end of another", 300)
    assert other.status().state == "finished" and other.status().pid != good.status().pid
    worker.end()


# in this process, with an oracle in place of a training


def peaked(settings: Settings) -> list[float]:
    """Best at a learning rate of 0.01."""
    import math

    return [1 - 0.1 * abs(math.log10(settings.learning_rate) + 2)]


def test_the_best_is_found_and_the_test_set_is_read_once(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = Run.card
    monkeypatch.setattr(Run, "card", lambda run: read.append(run.id) or real(run))
    made = create_sweep(plan(["learning_rate=1e-4..1:log:5"], sampler="grid", trials=5, retrain_seeds=3))
    conduct(made, Oracle(peaked))
    assert made.retrained_best()["settings"] == {"learning_rate": 0.01}
    assert made.retrained_best()["mean"] == pytest.approx(1.0) and made.retrained_best()["spread"] == pytest.approx(0.0)
    assert len(made.retrained_best()["runs"]) == 3 and made.retrained_best()["test_accuracy"] == 0.123
    assert read == [made.retrained_best()["run"]], "no card but that of the winner's best model"
    assert "0.123" not in (made.path / "trials.json").read_text()


def test_loss_is_made_small(handlers: None) -> None:
    made = create_sweep(plan(["learning_rate=0.001,0.01,0.1"], sampler="grid", trials=3, measure="loss"))
    conduct(made, Oracle(peaked))
    best = best_trial(made.trials(), made.plan())
    assert best is not None and best["settings"] == {"learning_rate": 0.01} and best["value"] == pytest.approx(0)


def test_validation_never_is_the_test_set(sample: Any) -> None:
    """The recipe `fast` validates on the test images: a sweep of it must not."""
    found = make_plan("fast", [RATES], data="sample").base
    parts = split_data(sample, found.settings.split)
    validation = {image.tobytes() for image in parts.x_validation}
    assert not validation & {image.tobytes() for image in sample.x_test}
    assert found.overrides["split"] == HELD_OUT_SPLIT


def test_all_failing_stops_after_three_with_the_common_cause(handlers: None) -> None:
    made = create_sweep(plan([RATES], sampler="random", trials=20))
    with pytest.raises(SweepError) as caught:
        conduct(made, Oracle(lambda settings: None))
    assert "All for the same reason: The loss became nan at step 7." in str(caught.value)
    assert [row["state"] for row in made.trials()] == ["failed"] * 3


def test_some_failing_does_not_stop_it(handlers: None) -> None:
    made = create_sweep(plan([RATES], sampler="random", trials=20))
    conduct(made, Oracle(lambda settings: None if settings.learning_rate > 0.05 else peaked(settings)))
    states = Counter(row["state"] for row in made.trials())
    assert states["failed"] >= 1 and states["finished"] >= 10 and sum(states.values()) == 20


def test_causes_that_differ_are_all_told() -> None:
    trials = [study.Trial(number, {}, "failed", message=text) for number, text in enumerate(("a 1", "b", "a 2"))]
    assert describe_failures(trials) == "For different reasons: (0) a 1 (1) b (2) a 2"
    assert describe_failures([trials[0], trials[2]]) == "All for the same reason: a 2"


def test_a_bad_trial_is_pruned_and_marked(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four good ones, then bad ones: those are asked to stop after their first epoch."""
    made = create_sweep(plan(["learning_rate=0.01,0.02,0.03,0.04,0.5,0.6"], sampler="grid", trials=6, epochs=3))
    backend = Slow(lambda settings: [0.1] * 3 if settings.learning_rate > 0.1 else [0.9, 0.91, 0.92])
    monkeypatch.setattr(time, "sleep", lambda _: backend.tick(made.root))
    monkeypatch.setattr(trial_runs, "max_running", lambda: 1)
    conduct(made, backend)
    states = {row["settings"]["learning_rate"]: row["state"] for row in made.trials()}
    assert [states[rate] for rate in (0.01, 0.02, 0.03, 0.04)] == ["finished"] * 4
    assert states[0.5] == states[0.6] == "pruned"
    (row,) = [row for row in made.trials() if row["settings"]["learning_rate"] == 0.5]
    assert row["message"].startswith("Pruned after epoch 1") and row["value"] == 0.1 and len(row["values"]) < 3
    assert sorted(backend.stopped) == sorted(r["run"] for r in made.trials() if r["state"] == "pruned")


def test_without_pruning_nothing_is_ended(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_sweep(
        plan(["learning_rate=0.01,0.02,0.03,0.04,0.5,0.6"], sampler="grid", trials=6, epochs=3, prune=False)
    )
    backend = Slow(lambda settings: [0.1] * 3 if settings.learning_rate > 0.1 else [0.9, 0.91, 0.92])
    monkeypatch.setattr(time, "sleep", lambda _: backend.tick(made.root))
    conduct(made, backend)
    assert backend.stopped == [] and {row["state"] for row in made.trials()} == {"finished"}


def test_value_is_of_the_model_that_is_kept() -> None:
    made = plan([RATES])
    rows = [
        {"epoch": 1, "val_accuracy": 0.7, "val_loss": 0.3},
        {"epoch": 1, "loss": 0.1},
        {"epoch": 2, "val_accuracy": 0.9, "val_loss": 0.2},
        {"epoch": 3, "val_accuracy": 0.8, "val_loss": 0.4},
    ]
    assert trial_value(rows, made, TINY) == 0.8
    assert trial_value(rows, made, replace(TINY, patience=1)) == 0.9
    assert trial_value(rows, replace(made, measure="loss"), TINY) == 0.4
    assert trial_value([{"epoch": 1, "val_accuracy": float("nan")}], made, TINY) is None


def test_taken_up_again_it_asks_for_what_was_not_tried_yet(handlers: None) -> None:
    """The sampler does not repeat itself, and a trial whose run was never made gets one."""
    made = create_sweep(plan([RATES], sampler="random", trials=6))
    first = Study(made, made.plan())
    for _ in range(2):
        trial = first.ask()
        first.end(trial, "finished", 0.5)
    lost = first.ask()  # and then the power went
    conduct(made, Oracle(peaked))
    trials = made.trials()
    assert len(trials) == 6 and all(row["state"] == "finished" for row in trials)
    assert trials[2]["settings"] == lost.settings and trials[2]["run"]
    assert len({row["settings"]["learning_rate"] for row in trials}) == 6
    assert len(list_runs()) == 4


def test_a_run_that_was_made_but_not_noted_is_found_by_its_mark(handlers: None) -> None:
    made = create_sweep(plan([RATES], sampler="random", trials=1))
    trial = Study(made, made.plan()).ask()
    run = create_run(made.plan().trial_spec(trial.settings, 0), mark=trial_mark(made, 0))
    oracle = Oracle(peaked)
    oracle.submit(run)
    conduct(made, oracle)
    assert [row["run"] for row in made.trials()] == [run.id] and len(list_runs()) == 1
    assert oracle.submitted[run.id] == 1


def test_a_deleted_trial_has_failed_and_the_others_go_on(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_sweep(plan(["learning_rate=0.01,0.02"], sampler="grid", trials=2))
    backend = Slow(peaked)

    def tick(_: float) -> None:
        for row in made.trials():
            if row["settings"]["learning_rate"] == 0.01 and row["state"] == "running" and row["run"] in backend.left:
                del backend.left[row["run"]]
                shutil.rmtree(made.root / row["run"])
        backend.tick(made.root)

    monkeypatch.setattr(time, "sleep", tick)
    conduct(made, backend)
    found = {row["settings"]["learning_rate"]: (row["state"], row["message"]) for row in made.trials()}
    assert found == {0.01: ("failed", "Its run was deleted."), 0.02: ("finished", "")}


def test_a_trial_that_is_stopped_in_its_first_epoch_has_not_failed(
    handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_sweep(plan(["learning_rate=0.01,0.02"], sampler="grid", trials=2))
    backend = Slow(peaked)

    def tick(_: float) -> None:
        made.ask(stop=True)
        if backend.stopped:
            backend.tick(made.root)

    monkeypatch.setattr(time, "sleep", tick)
    monkeypatch.setattr(trial_runs, "max_running", lambda: 1)
    conduct(made, backend)
    assert made.status().state == "stopped"
    (row,) = made.trials()
    assert (row["state"], row["value"], row["message"]) == (
        "pruned",
        None,
        "Stopped before the end of its first epoch.",
    )


def test_it_goes_last_where_others_train(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_MAX_RUNNING", "1")
    backend = LocalBackend(running=1, warm=False)
    made = trial_runs.TrialRuns(backend, runs_root, "")
    assert made.has_room()
    other = create_run(make_spec("fast"))
    other.write_status(stamp_status(Status("running")))
    crowd = OtherRuns(runs_root)
    assert crowd.count(set()) == 1 and OtherRuns(runs_root).count({other.id}) == 0
    assert not trial_runs.TrialRuns(backend, runs_root, "").has_room()
    other.write_status(stamp_status(Status("finished")))
    assert OtherRuns(runs_root).count(set()) == 0
    other.write_status(stamp_status(Status("paused")))
    assert OtherRuns(runs_root).count(set()) == 0, "it uses no core"
    other.write_status(replace(stamp_status(Status("running")), host="elsewhere"))
    assert OtherRuns(runs_root).count(set()) == 0


# files


def test_plan_is_written_and_read_again() -> None:
    made = make_plan(
        "fast",
        [RATES, "optimizer=Adam,SGD"],
        trials=7,
        epochs=2,
        data="sample",
        sampler="random",
        measure="loss",
        prune=False,
        seed=3,
        retrain_seeds=1,
        storage="postgresql://me:secret@there/db",
    )
    found = create_sweep(made)
    assert found.plan() == made
    assert "secret" not in json.dumps(describe_plan(made))
    assert find_sweep(found.id) == found and list_sweeps() == [found]


def test_a_network_of_ones_own_is_a_base() -> None:
    layers = (Flatten(), Dense(7, "relu"), Dropout(0.1), Dense(10, "softmax"))
    kept = save_network("seven", layers)
    made = make_plan("network:seven", ["dropout=0..0.5", "batch_size=32,64"], epochs=1, data="sample")
    assert made.base.settings.layers == layers and made.base.settings.epochs == 1
    by_id = make_plan(f"network:{kept.id}", ["batch_size=32,64"], epochs=1, data="sample")
    assert by_id.base.settings == made.base.settings
    trial = made.trial_spec({"dropout": 0.4, "batch_size": 64}, 0).settings
    assert trial.layers == (*layers[:2], Dropout(0.4), layers[3]) and trial.batch_size == 64
    assert plan_title(made) == "your own network: dropout × batch size"
    assert create_sweep(made).plan() == made, "it stands in the sweep: the library may lose it"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"base": "nonsense"}, "'nonsense' is not a recipe"),
        ({"base": "network:nonsense"}, "'nonsense'"),
        ({"sampler": "magic"}, "expected one of grid, random, tpe"),
        ({"trials": 0}, "trials is 0, expected a whole number from 1 to 10,000"),
        ({"measure": "test"}, "expected one of accuracy, loss"),
        ({"seed": -1}, "seed is -1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 3, "vary": ["epochs=1..5"]}, "epochs is 3"),
        ({"vary": ["batch_size=1..1000", "epochs=1..1000"], "sampler": "grid"}, "1,000,000 points"),
        ({"backend": "cloud"}, "expected one of"),
    ],
)
def test_bad_plans_are_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises((SettingError, RunError)) as caught:
        make_plan(**{"base": "fast", "vary": [RATES], **given})
    assert complaint in str(caught.value)


def test_base_can_be_a_run() -> None:
    run = create_run(make_spec("fast", {"optimizer": "SGD"}, "sample"))
    found = make_plan(run.id, [RATES], data="sample")
    assert found.base.settings.optimizer == "SGD" and found.base.overrides["optimizer"] == "SGD"


def test_grid_is_as_many_trials_as_points() -> None:
    assert make_plan("fast", ["batch_size=32,64,128"], sampler="grid").trials == 3
    assert make_plan("fast", ["batch_size=32,64,128"], trials=10, sampler="grid").trials == 3
    assert make_plan("fast", ["batch_size=32,64,128"], trials=2, sampler="grid").trials == 2


def test_unreadable_sweeps_say_so() -> None:
    made = create_sweep(plan([RATES]))
    (made.path / "sweep.json").write_text("{}")
    with pytest.raises(SweepError, match="schema is None"):
        made.plan()
    assert summarize_sweep(made)["state"] == "unreadable"
    write_json(made.path / "trials.json", {"trials": [1, {"trial": "x"}, None]})
    assert made.trials() == []
    for name in ("..", "nonsense", "../../etc", "20260101-000000-00000000"):
        with pytest.raises(SweepNotFoundError):
            find_sweep(name)
    with pytest.raises(RunNotFoundError):
        find_run("sweeps")


def test_damaged_study_is_told_in_plain_words(handlers: None) -> None:
    made = create_sweep(plan([RATES]))
    (made.path / study.STUDY_FILE).write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(SweepError, match="is damaged and cannot be read"):
        Study(made, made.plan())


def test_locked_study_is_told_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "LOCK_SECONDS", 0.2)
    made = create_sweep(plan([RATES]))
    opened = Study(made, made.plan())
    with contextlib.closing(sqlite3.connect(made.path / study.STUDY_FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SweepError, match=r"study.db is locked by another program. Close it"):
            opened.ask()


def test_study_of_another_version_is_told_in_plain_words() -> None:
    made = create_sweep(plan([RATES]))
    Study(made, made.plan())
    with contextlib.closing(sqlite3.connect(made.path / study.STUDY_FILE)) as other:
        other.execute("UPDATE version_info SET schema_version = 99")
        other.execute("UPDATE alembic_version SET version_num = 'v9.9.9.a'")
        other.commit()
    with pytest.raises(SweepError, match="another version of Optuna"):
        Study(made, made.plan())


def test_anything_else_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    text = explain_database_error(OSError("strange"), tmp_path / "study.db")
    assert "study.db cannot be used (OSError: strange)" in text and "then resume" in text


# the command line


def call(*arguments: str) -> Any:
    return CliRunner().invoke(cli.main, list(arguments))


def test_command_line_sweeps_shows_and_extends(runs_root: Path) -> None:
    options = (
        "--base",
        "lesson08-mlp",
        "--vary",
        "batch_size=500,1000",
        "--how",
        "grid",
        "--epochs",
        "1",
        "--data",
        "sample",
        "--seeds",
        "0",
        "--json",
    )
    done = subprocess.run(
        command_line("sweep", *options),
        cwd=ROOT,
        env=environment(runs_root),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["state"] == "finished" and [row["state"] for row in printed["trials"]] == ["finished"] * 2
    assert printed["best"]["value"] == max(row["value"] for row in printed["trials"])
    assert "2/2 trials" in done.stderr or "Ctrl-C pauses it" in done.stderr
    shown = call("sweep", "show", printed["sweep"], "--json")
    assert shown.exit_code == 0 and json.loads(shown.stdout) == printed
    lines = call("sweep", "show", printed["sweep"]).stdout.splitlines()
    assert lines[1].split() == ["trial", "state", "value", "batch_size", "seconds", "run"] and len(lines) == 4
    (row,) = json.loads(call("sweep", "show", "--json").stdout)
    assert (row["sweep"], row["state"], row["trials"]) == (printed["sweep"], "finished", 2)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no Ctrl-C for a single process")
def test_ctrl_c_pauses_and_resume_goes_on(runs_root: Path) -> None:
    options = (
        "--base",
        "lesson08-mlp",
        "--vary",
        RATES,
        "--how",
        "random",
        "--trials",
        "2",
        "--epochs",
        "15",
        "--data",
        "sample",
        "--seeds",
        "0",
    )
    process = subprocess.Popen(
        command_line("sweep", *options),
        cwd=ROOT,
        env=environment(runs_root),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hears_signals,
    )
    (made,) = wait_until(lambda: list_sweeps(runs_root), "the sweep")
    wait_until(lambda: any(row["values"] for row in made.trials()), "the first epoch of a trial", 300)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "paused" in out and f"sweep resume {made.id}" in err
    assert made.status().state == "paused"
    done = subprocess.run(
        command_line("sweep", "resume", made.id, "--json"),
        cwd=ROOT,
        env=environment(runs_root),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert [row["state"] for row in json.loads(done.stdout)["trials"]] == ["finished"] * 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "Give --base NAME with --vary"),
        (("--base", "fast"), "Nothing to vary"),
        (("--base", "fast", "--vary", "learning_rate=0..1:log"), "learning_rate ends at 0"),
        (("--base", "fast", "--vary", "dropout=0..0.5:log"), "dropout starts at 0"),
        (("--base", "fast", "--vary", "epochs=5..1"), "is empty"),
        (("--base", "fast", "--vary", "batch_size=1..1000", "--vary", "epochs=1..1000", "--how", "grid"), "1,000,000"),
        (("--base", "fast", "--ready", "batch-size-and-learning-rate"), "Give --base NAME"),
        (("show", "nonsense"), "There is no sweep 'nonsense'"),
        (("resume", "../.."), "There is no sweep"),
    ],
)
def test_command_line_refuses(arguments: tuple[str, ...], complaint: str, runs_root: Path) -> None:
    result = call("sweep", *arguments)
    assert result.exit_code == 2 and result.stdout == "" and complaint in result.stderr
    assert not (runs_root / SWEEPS_FOLDER).exists(), "nothing is left behind"


@pytest.mark.parametrize("name", list(PRESETS))
def test_ready_sweeps_are_small(name: str) -> None:
    """Whether they end within three minutes is measured by benchmarks/sweep.py; here, that nobody made them large."""
    made = PRESETS[name].plan()
    images = 4000 * 5 // 6 * made.base.settings.epochs * (made.trials + made.retrain_seeds)
    assert made.base.data == "sample" and images <= 200_000
