"""Trainings and a sweep on a real Ray cluster: placed on its nodes, steered, stopped, killed; none lost with a node."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from mnist_core.errors import ClusterError
from mnist_core.jobs import routing
from mnist_core.jobs.lifecycle import resume_run, start_run
from mnist_core.jobs.ray import client, cluster
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs import claims
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import list_runs
from mnist_core.sweeps.launch import launch_sweep
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.space_parser import parse_space
from mnist_core.sweeps.store import Sweep, create_sweep, list_sweeps
from mnist_core.sweeps.study import Study
from mnist_core.training import live_snapshot
from tests.cluster.nodes import CORES, RayCluster, free_port
from tests.faults.report import is_long
from tests.support import ROOT, command_line, environment, hears_signals, wait_until

TINY = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), batch_size=500, epochs=3, learning_rate=0.01)
SECONDS = 240.0
"""A generous limit: trainings restart on the two cores that everything else here uses, too."""


@pytest.fixture
def backend(on_cluster: RayCluster) -> Iterator[RayBackend]:
    made = routing.connect_to_cluster()
    yield made
    made.close()


def spec(epochs: int = 3, seed: int = 0) -> RunSpec:
    return RunSpec("fast", replace(TINY, epochs=epochs), "sample", seed)


def ended(run: Run, backend: RayBackend) -> str:
    wait_until(lambda: not backend.holds(run), f"the end of {run.id}: {run.status()}", SECONDS)
    return run.status().state


def arguments_of(process: psutil.Process) -> list[str]:
    """Its command line; empty if it has just ended, as Ray's short-lived processes do."""
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def epochs_of(run: Run) -> list[int]:
    """The epochs that ended, as its reports tell."""
    return [row["epoch"] for row in run.metrics().rows if "val_accuracy" in row]


def test_a_run_is_trained_on_a_node_steered_and_resumed(backend: RayBackend, on_cluster: RayCluster) -> None:
    run = start_run(backend, spec(epochs=900))
    wait_until(lambda: run.status().epoch > 0, "the first epoch", SECONDS)
    worker = psutil.Process(run.status().pid)
    nodes = [process.pid for node in on_cluster.nodes for process in node.processes]
    assert worker.pid in nodes and worker.environ()["TF_NUM_INTRAOP_THREADS"] == "1"
    assert live_snapshot.read_live_snapshot(run) is None, "nobody watches"
    live_snapshot.watch(run)
    wait_until(lambda: live_snapshot.read_live_snapshot(run), "the network in training, for a browser", 60)
    run.update_control(paused=True)
    wait_until(lambda: run.status().state == "paused", "the pause", 60)
    run.update_control(paused=False, learning_rate=0.02)
    wait_until(lambda: any("changed" in row for row in run.metrics().rows), "another learning rate", 60)
    backend.request_stop(run)
    assert ended(run, backend) == "stopped" and run.has_model
    assert live_snapshot.read_live_snapshot(run) is None
    before = run.status().epoch
    resume_run(backend, run, before + 2)
    assert ended(run, backend) == "finished"
    assert epochs_of(run) == list(range(1, before + 3))
    assert psutil.Process(run.status().pid) == worker, "it was loaded already"
    assert list(on_cluster.jobs.values()) == ["RUNNING"], "the driver"


def test_a_run_is_killed(backend: RayBackend) -> None:
    run = start_run(backend, spec(epochs=900))
    wait_until(lambda: run.status().step > 0, "the first batch", SECONDS)
    worker = psutil.Process(run.status().pid)
    backend.kill(run)
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "its end", 30)
    assert ended(run, backend) == "interrupted" and not run.has_model


def test_the_app_restarts_meanwhile(backend: RayBackend, on_cluster: RayCluster) -> None:
    run = start_run(backend, spec(epochs=900))
    wait_until(lambda: run.status().step > 0, "the first batch", SECONDS)
    backend.close()
    later = routing.connect_to_cluster()
    later.adopt(reversed(list_runs()))
    assert later.holds(run)
    later.request_stop(run)
    assert ended(run, later) == "stopped"
    later.close()
    assert claims.read_claim(run).number == 2, "given to the cluster, and to a worker"


def test_the_driver_is_started_once_whoever_asks_and_again_when_it_is_gone(
    backend: RayBackend, on_cluster: RayCluster
) -> None:
    run = start_run(backend, spec(epochs=900))
    wait_until(lambda: run.status().epoch > 0, "the first epoch", SECONDS)
    made, before = client.connect(on_cluster.address), on_cluster.jobs
    made.start_driver(cluster.driver_name())
    assert on_cluster.jobs == before
    name = cluster.driver_name()
    (driver,) = [process for process in on_cluster.head.processes if arguments_of(process)[-2:] == ["--cluster", name]]
    driver.kill()
    wait_until(lambda: len(on_cluster.jobs) == len(before) + 1, "another driver", 60)
    wait_until(lambda: claims.read_claim(run).retried and run.recorded_state == "running", "its going on", SECONDS)
    run.update_control(epochs=run.status().epoch + 3)
    assert ended(run, backend) == "finished"
    assert epochs_of(run) == list(range(1, run.status().epoch + 1)), "each epoch once"


def test_the_capacity_is_shown(backend: RayBackend) -> None:
    wait_until(lambda: backend.capacity.cores == (2.0, 2.0), "two nodes of two cores", 60)
    assert backend.slots == 4
    assert routing.describe_capacity(backend.capacity, 0).startswith("Cluster: 2 nodes, ")


def test_connecting_to_the_cluster_does_not_load_tensorflow(on_cluster: RayCluster) -> None:
    code = """
import sys
from mnist_core.jobs.routing import connect_to_cluster
connect_to_cluster()
print({'tensorflow', 'keras'} & {*sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr


def test_the_command_line_trains_there(on_cluster: RayCluster, runs_root: Path) -> None:
    settings = {"DIGITLAB_RAY_ADDRESS": on_cluster.address, "DIGITLAB_RAY_CPUS": "1"}
    done = subprocess.run(
        command_line("train", "--recipe", "fast", "--epochs", "1", "--data", "sample", "--json"),
        env=environment(runs_root, **settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["state"] == "finished" and claims.read_claim(Run(runs_root / printed["run"])).number == 2


def test_ctrl_c_stops_it_there(on_cluster: RayCluster, runs_root: Path) -> None:
    settings = {"DIGITLAB_RAY_ADDRESS": on_cluster.address, "DIGITLAB_RAY_CPUS": "1"}
    command = command_line("train", "--recipe", "fast", "--epochs", "900", "--data", "sample", "--backend", "ray")
    process = subprocess.Popen(
        command,
        env=environment(runs_root, **settings),
        cwd=ROOT,
        preexec_fn=hears_signals,
    )
    try:
        (run,) = wait_until(lambda: list_runs(runs_root), "the run", 60)
        wait_until(lambda: run.status().step > 0, "the first batch", SECONDS)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
    assert run.status().state == "stopped" and run.has_model


@pytest.mark.parametrize("command", [["train", "--data", "sample"], ["sweep", "--ready", next(iter(PRESETS))]])
def test_out_of_reach_the_command_line_says_so_and_what_to_do(runs_root: Path, command: list[str]) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = subprocess.run(
        command_line(*command),
        env=environment(runs_root, DIGITLAB_RAY_ADDRESS=address),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and f"Ray at {address} cannot be reached." in done.stderr
    assert "--backend local" in done.stderr and "Traceback" not in done.stderr
    assert not list_runs(runs_root) and not list_sweeps(runs_root)


def test_a_head_that_takes_calls_and_never_answers_is_waited_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    from mnist_core.jobs.ray import client

    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"Ray at {url} does not answer"):
            client.connect(url)


# a sweep, and a node that is lost in the middle of it


def test_a_node_is_lost_in_the_middle_of_a_sweep_and_no_trial_with_it(on_cluster: RayCluster, runs_root: Path) -> None:
    plan = SweepPlan(
        RunSpec("fast", replace(TINY, epochs=4), "sample"),
        parse_space(["learning_rate=1e-4..1e-1:log"]),
        sampler="random",
        trials=12,
        prune=False,
        retrain_seeds=0,
        backend="ray",
        created=time.time(),
    )
    made = create_sweep(plan)
    process = launch_sweep(made)
    try:
        victims = wait_until(lambda: _trained_on(on_cluster, made, 1), "trials on the node that is to be lost", SECONDS)
        on_cluster.nodes[1].lose()
        wait_until(lambda: not made.live, "the end of the sweep", 2 * SECONDS)
    finally:
        process.kill()
        process.wait()
    assert made.status().state == "finished", (made.status().message, made.log.read_text()[-3000:])
    on_cluster.join()
    _none_lost_none_doubled(made, plan)
    resumed = [run for run in list_runs(runs_root) if claims.read_claim(run).retried]
    assert {run.id for run in victims} <= {run.id for run in resumed}, "those that were trained there"
    assert len(resumed) <= CORES, "and no others: that many a node trains"
    assert {claims.read_claim(run).number for run in resumed} == {3}, "given away, had back, given away once more"


def _trained_on(ray_cluster: RayCluster, made: Sweep, number: int) -> list[Run]:
    """The trials that train on a node at this moment; none, until some other trials have ended."""
    if sum(row["state"] == "finished" for row in made.trials()) < 3:
        return []
    there = {process.pid for process in ray_cluster.nodes[number].processes}
    runs = [Run(made.root / row["run"]) for row in made.trials() if row["state"] == "running" and row["run"]]
    return [run for run in runs if run.recorded_state == "running" and run.status().pid in there]


def _none_lost_none_doubled(made: Sweep, plan: SweepPlan) -> None:
    trials = made.trials()
    assert [row["trial"] for row in trials] == list(range(12))
    assert {row["state"] for row in trials} == {"finished"}, [row["message"] for row in trials]
    marks = Counter(sweep_mark(run)["trial"] for run in list_runs(made.root))
    assert marks == dict.fromkeys(range(12), 1), "one run for each trial"
    for run in list_runs(made.root):
        assert epochs_of(run) == [1, 2, 3, 4], f"{run.id}: each epoch once"
        assert run.status().state == "finished" and run.has_model
    study = Study(made, plan)
    states: Any = Counter(trial.state for trial in study._study.get_trials(deepcopy=False))
    assert states == {optuna.trial.TrialState.COMPLETE: 12}


@pytest.mark.skipif(not is_long(), reason="takes 35 seconds: DIGITLAB_FAULTS=long make test-cluster")
def test_the_head_is_lost_and_the_run_resumes_under_the_next_one(backend: RayBackend, on_cluster: RayCluster) -> None:
    run = start_run(backend, spec(epochs=900))
    wait_until(lambda: run.status().epoch > 0, "the first epoch", SECONDS)
    on_cluster.head.lose()
    wait_until(lambda: "cannot be reached" in backend.trouble or "not answer" in backend.trouble, "the loss", 60)
    assert backend.holds(run)
    for node in on_cluster.nodes:  # Ray sees on this machine that their head was another one, and starts none
        node.lose()
    on_cluster.start_head()
    on_cluster.join()
    wait_until(lambda: claims.read_claim(run).retried and run.recorded_state == "running", "its going on", SECONDS)
    run.update_control(epochs=run.status().epoch + 5)
    assert ended(run, backend) == "finished"
    assert epochs_of(run) == list(range(1, run.status().epoch + 1)), "each epoch once"
