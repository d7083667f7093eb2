"""From a click on Train to the first point of the chart: with a new worker, and with one that is loaded already.

python benchmarks/first_point.py [--times N]
"""

from __future__ import annotations

import os
import tempfile
import time

import click
import results

from mnist_core.jobs.worker_process import WarmWorker, start_worker
from mnist_core.processes import cpu_count
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run

SETTLE_SECONDS = 15  # a waiting worker has loaded TensorFlow by then


def seconds(recipe: str, warm: bool) -> float:
    """Until the first report is there to be drawn, with all cores."""
    worker = WarmWorker(cpu_count()) if warm else None
    if worker is not None:
        time.sleep(SETTLE_SECONDS)
    began = time.perf_counter()
    run = create_run(make_spec(recipe, {"epochs": 1}))
    process = (worker.take(run) if worker is not None else None) or start_worker(run, cpu_count())
    while not run.metrics().rows:
        if process.poll() is not None:
            raise RuntimeError(run.status().message)
        time.sleep(0.02)
    elapsed = time.perf_counter() - began
    process.kill()
    process.wait()
    return elapsed


@click.command()
@click.option("--times", default=5, show_default=True)
def main(times: int) -> None:
    """Prints the seconds for two recipes: one on MNIST alone, and `canvas`, which also trains on drawings."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITLAB_RUNS"] = folder
        for recipe in ("fleming-cnn", "canvas"):
            seconds(recipe, warm=False)  # drawings are made once, and files are read from the disk
            for warm, target in ((False, "≤ 8"), (True, "≤ 3")):
                how = "with a warm worker" if warm else "with a new worker"
                found = [seconds(recipe, warm) for _ in range(times)]
                results.figure(f"{recipe}: from Train to the first point, {how}", found, "s", target)


if __name__ == "__main__":
    main()
