"""Peak resident memory of a worker on the full MNIST with augmentation.

python benchmarks/memory.py [--recipe NAME]
"""

from __future__ import annotations

import os
import tempfile
import time

import click
import psutil
import results

from mnist_core.jobs.worker_process import start_worker
from mnist_core.processes import cpu_count
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run


@click.command()
@click.option("--recipe", default="fleming-cnn", show_default=True)
def main(recipe: str) -> None:
    """Samples ten times per second until the worker has ended, including test and conversion."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIGITLAB_RUNS"] = folder
        run = create_run(make_spec(recipe, {"epochs": 1, "augmentation": "hand"}))
        worker, most = start_worker(run, cpu_count()), 0
        process = psutil.Process(worker.pid)
        while worker.poll() is None:
            try:
                most = max(most, process.memory_info().rss)
            except psutil.Error:
                break
            time.sleep(0.1)
        worker.wait()
        if run.status().state != "finished":
            raise RuntimeError(run.status().message)
    results.figure(f"{recipe}, augmented: memory of the worker", [most / 1e6], "MB", "≤ 1200")


if __name__ == "__main__":
    main()
