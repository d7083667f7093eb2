"""The overhead of a trial on a Ray cluster, and the trials per hour that follow from it for 2, 16 and 1,000 cores.

    make test-cluster ARGS=--collect-only              # installs Ray
    .venv/bin/python benchmarks/cluster.py [--trials N]

Measured on this machine: runs and then a sweep on a head and one node with two cores, one at a time, so that each has
both cores; and, without a cluster, what the sweep's process computes per trial. Simulated from these figures, event by
event: the same process with many nodes. docs/cluster.md explains the results.
"""

from __future__ import annotations

import heapq
import itertools
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import psutil
import results

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]

from mnist_core.config import runs_dir  # noqa: E402
from mnist_core.jobs import routing  # noqa: E402
from mnist_core.jobs.lifecycle import start_run  # noqa: E402
from mnist_core.jobs.ray import driver  # noqa: E402
from mnist_core.jobs.ray.backend import RayBackend  # noqa: E402
from mnist_core.jobs.ray.holds import Holds  # noqa: E402
from mnist_core.networks.layers import Dense, Flatten, Rescaling  # noqa: E402
from mnist_core.recipes.settings import Settings  # noqa: E402
from mnist_core.runs.spec import RunSpec  # noqa: E402
from mnist_core.runs.status import Status, stamp_status  # noqa: E402
from mnist_core.runs.store import create_run  # noqa: E402
from mnist_core.sweeps import progress, runner  # noqa: E402
from mnist_core.sweeps.launch import launch_sweep  # noqa: E402
from mnist_core.sweeps.plan import SweepPlan, make_plan  # noqa: E402
from mnist_core.sweeps.space_parser import parse_space  # noqa: E402
from mnist_core.sweeps.store import create_sweep  # noqa: E402
from mnist_core.sweeps.study import Study  # noqa: E402

SPACE = ("learning_rate=1e-4..1e-1:log", "dropout=0..0.6")
CORES_EACH = 2
TRAINING = (20.0, 120.0)  # seconds of a trial on two cores: `fast` for two epochs of the sample, and for one of MNIST
EPOCHS = 4
LAYERS = (Rescaling(1 / 255), Flatten(), Dense(10, "softmax"))
SMALL = RunSpec("fast", Settings(LAYERS, batch_size=500, epochs=EPOCHS), "sample")
HOUR = 3600.0
FAR_SECONDS = 0.001
"""Assumed, not measured: of opening, or asking after, one file on storage that is reached over a network."""
FAR_FILES = 4  # of a run, once around: status twice, reports, control


@dataclass(frozen=True)
class Costs:
    """Seconds. Of one trial, but for those that say otherwise.

    Attributes:
        first: from the submission of a run to its first batch where nothing is loaded: the driver's job, a process of
            Ray's, Python, the images, TensorFlow.
        next: the same in a process that has trained a run.
        finish: from the last batch to the end: test, model, its conversion.
        look: at one run that trains, once around, by the sweep's process.
        listen: the same by the driver.
        ask, ask_growth: for one proposal, and what each trial before it adds.
        report: an epoch.
        tell: the end of a trial.
        publish: trials.json, for each trial in it.
    """

    first: float
    next: float
    finish: float
    look: float
    listen: float
    ask: float
    ask_growth: float
    report: float
    tell: float
    publish: float


# measured


def one_run(backend: RayBackend) -> tuple[float, float]:
    """Seconds of one run from its submission to its first batch, and from its last batch to its end."""
    base, seen = make_plan("fast", SPACE, 1, data="sample", epochs=2).base, {}
    began = time.time()
    run = start_run(backend, replace(base, created=began))
    while run.recorded_state not in ("finished", "failed"):
        if run.recorded_state == "running":
            status = run.status()
            if status.step:
                seen.setdefault("batch", status.started)
            if status.message.startswith("Scoring"):
                seen.setdefault("scored", time.time())
        time.sleep(0.005)
    return seen["batch"] - began, time.time() - seen["scored"]


def a_sweep(trials: int) -> tuple[list[float], float]:
    """Of a sweep on the cluster: seconds between the beginnings of two trials above the training of the first, and
    those that its process computed, a trial."""
    plan = make_plan(
        "fast", SPACE, trials, data="sample", epochs=2, sampler="random", retrain_seeds=0, prune=False, backend="ray"
    )
    made = create_sweep(plan)
    process, used = psutil.Process(launch_sweep(made).pid), 0.0
    while made.live:
        times = process.cpu_times()
        used = times.user + times.system
        time.sleep(0.2)
    if made.status().state != "finished":
        raise RuntimeError(made.status().message)
    rows = made.trials()
    pairs = zip(rows[1:-1], rows[2:], strict=True)
    return [after["began"] - before["began"] - before["seconds"] for before, after in pairs], used / trials


def of_the_process(trials: int = 400) -> dict[str, float]:
    """Seconds that the sweep's process computes per trial, without a cluster."""
    plan = SweepPlan(SMALL, parse_space(SPACE), trials=trials, created=time.time())
    made = create_sweep(plan)
    study, seconds = Study(made, plan), {name: [] for name in ("ask", "report", "tell", "publish")}  # type: ignore
    for number in range(trials):
        began = time.perf_counter()
        trial = study.ask()
        seconds["ask"].append(time.perf_counter() - began)
        for epoch in range(1, EPOCHS + 1):
            began = time.perf_counter()
            study.report(trial, epoch, 0.9)
            seconds["report"].append(time.perf_counter() - began)
        began = time.perf_counter()
        study.end(trial, "finished", 0.9)
        seconds["tell"].append(time.perf_counter() - began)
        began = time.perf_counter()
        study.publish()
        seconds["publish"].append((time.perf_counter() - began) / (number + 1))
    quarter = trials // 4
    early, late = statistics.median(seconds["ask"][quarter : 2 * quarter]), statistics.median(seconds["ask"][-quarter:])
    growth = max(0.0, (late - early) / (2 * quarter))
    return {
        "ask": max(0.0, early - growth * 1.5 * quarter),
        "ask_growth": growth,
        **{name: statistics.median(seconds[name]) for name in ("report", "tell")},
        "publish": statistics.median(seconds["publish"][-quarter:]),
    }


def of_a_look(count: int = 100) -> tuple[float, float]:
    """Seconds that the sweep's process, and the driver, spend on a run that trains, once around."""
    made, holds = [create_run(SMALL) for _ in range(count)], Holds(runs_dir(), "driver")
    for run in made:
        holds.add(run)
        run.write_status(stamp_status(Status("running", step=1)))
        run.append_metrics({"step": 1, "epoch": 1, "loss": 1.0})
    seen = {run.id: run.metrics() for run in made}
    began = time.perf_counter()
    for run in made:
        run.status(), run.metrics(seen[run.id])
    look = (time.perf_counter() - began) / count
    began = time.perf_counter()
    for hold in holds.all():
        hold.run.control(), hold.withdrawn, hold.queued
    return look, (time.perf_counter() - began) / count


# simulated


def simulate(costs: Costs, cores: int, training: float, hours: float = 1.0) -> tuple[int, dict[str, float]]:
    """Returns the number of trials that end within these hours, and the share of the time that each part was busy.

    The sweep's process polls every POLL_SECONDS at best and does one thing at a time. The driver notices new runs
    every POLL_SECONDS of its own. Workers run in parallel. Nothing else is limited: neither storage nor network nor
    Ray.
    """
    places = cores // CORES_EACH
    now, trials, done = 0.0, 0, 0
    busy = {"process": 0.0, "driver": 0.0}
    free, fresh = 0, places  # workers that stay and have nothing to do; places without a worker yet
    reports: list[float] = []
    ends: list[float] = []
    publish_after = 0.0
    while now < hours * HOUR:
        going = len(ends)
        work = going * costs.look
        while reports and reports[0] <= now:
            heapq.heappop(reports)
            work += costs.report
        while ends and ends[0] <= now:
            heapq.heappop(ends)
            work += costs.tell
            done, free = done + 1, free + 1
        begun = 0
        while free + fresh > 0 and begun < places:
            work += costs.ask + costs.ask_growth * trials
            trials, begun = trials + 1, begun + 1
            if free:
                free, delay = free - 1, costs.next
            else:
                fresh, delay = fresh - 1, costs.first
            first = now + work + delay
            heapq.heappush(ends, first + training + costs.finish)
            for epoch in range(EPOCHS):
                heapq.heappush(reports, first + training * (epoch + 1) / EPOCHS)
        if now >= publish_after:  # as SweepRunner does: a tenth of its time at most
            spent = costs.publish * trials
            publish_after = now + work + spent * (1 + progress.PUBLISH_PAUSE)
            work += spent
        busy["process"] += work
        busy["driver"] += going * costs.listen * (work + runner.POLL_SECONDS) / driver.CHECK_SECONDS
        now += work + runner.POLL_SECONDS
    return done, {name: min(1.0, seconds / now) for name, seconds in busy.items()}


def cost_sheet(costs: Costs) -> None:
    """Trials an hour by cores."""
    far = FAR_FILES * FAR_SECONDS
    kinds = {
        "TPE": costs,
        "at random": replace(costs, ask_growth=0.0),
        "at random, far storage": replace(costs, ask_growth=0.0, look=costs.look + far, listen=costs.listen + far),
    }
    print("cores  seconds a trial  how                     trials an hour  of what trainings allow  process busy")
    for training, cores, (how, found) in itertools.product(TRAINING, (2, 16, 1000), kinds.items()):
        done, busy = simulate(found, cores, training)
        share = done / (HOUR / training * (cores // CORES_EACH))
        print(f"{cores:5,}  {training:15g}  {how:22}  {done:14,}  {share:23.0%}  {busy['process']:12.0%}")


@click.command()
@click.option("--trials", default=12, show_default=True, help="Trials of the measured sweep.")
@click.option("--runs", default=6, show_default=True, help="Measured single runs, the first of which loads everything.")
def main(trials: int, runs: int) -> None:
    """Prints what was measured, and the cost sheet."""
    from nodes import RayCluster

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(prefix="ray") as ray_folder:
        os.environ |= {"DIGITLAB_RUNS": folder, "DIGITLAB_RAY_CPUS": str(CORES_EACH)}
        process, (look, listen) = of_the_process(), of_a_look()
        ray_cluster = RayCluster(Path(ray_folder), nodes=1)
        try:
            os.environ["DIGITLAB_RAY_ADDRESS"] = ray_cluster.address
            backend = routing.connect_to_cluster()
            (cold, _), *measured = [one_run(backend) for _ in range(runs)]
            backend.close()
            warm, finish = (statistics.median(part) for part in zip(*measured, strict=True))
            above, computed = a_sweep(trials)
        finally:
            ray_cluster.close()
    results.figure("overhead of a first run on Ray", [cold + finish], "s")
    results.figure("overhead of a later run on Ray", [before + after for before, after in measured], "s")
    results.figure("overhead of a trial on Ray", above, "s", "≤ 6")
    costs = Costs(cold, warm, finish, look, listen, **process)
    for name, value in asdict(costs).items():
        print(f"{name:14} {1000 * value:10.3f} ms")
    print(f"the sweep's process computed {computed:.2f} s a trial")
    cost_sheet(costs)


if __name__ == "__main__":
    main()
