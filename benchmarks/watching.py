"""What people who watch a training cost the server: its work for one update of one live page.

    python benchmarks/watching.py [--watching 10] [--seconds 20]

The training is played by this script, which writes a report twice a second as a worker does, so that no training takes
the cores. Every viewer speaks the websocket protocol of Streamlit (`streamlit_client`), as a browser does.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from typing import Any

import click
import live
import results
from streamlit_client import Tab

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import load_mnist
from mnist_core.files.write import write_arrays
from mnist_core.runs.probes import choose_probe_grid
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run

REPORT_SECONDS = 0.5
STEPS_PER_REPORT, STEPS_PER_EPOCH, EPOCHS = 10, 230, 20
WRITTEN_BEFORE = 120
"""Reports of the first minute, which every viewer finds."""


def reports() -> Iterator[dict[str, Any]]:
    """The reports of a training: loss falls, estimates of validation within an epoch, the probe grid once a second."""
    for number in range(1, EPOCHS * STEPS_PER_EPOCH // STEPS_PER_REPORT):
        step = number * STEPS_PER_REPORT
        loss = 2.3 * math.exp(-step / 300) + 0.05 + 0.01 * math.sin(number)
        report: dict[str, Any] = {"step": step, "epoch": step // STEPS_PER_EPOCH, "elapsed": number * REPORT_SECONDS}
        report |= {"loss": loss, "accuracy": 1 - loss / 3, "learning_rate": 0.001, "images_per_second": 5000.0}
        if number % 2 == 0:
            report["wall"] = "".join(str((index // 6 + (index % 7 == number % 7)) % 10) for index in range(60))
        if step % STEPS_PER_EPOCH == 0:
            report |= {"val_loss": loss + 0.02, "val_accuracy": 1 - loss / 2.9, "val_seconds": 0.2}
        elif number % 3 == 0:
            report |= {"estimated_val_loss": loss + 0.03, "estimated_val_accuracy": 1 - loss / 2.8}
        yield report


def write_report(run: Run, report: dict[str, Any]) -> None:
    """Writes what a worker writes with a report."""
    run.append_metrics(report)
    epoch, step = report["epoch"], report["step"]
    write_stamped_status(run, Status("running", "Training.", epoch, EPOCHS, step, EPOCHS * STEPS_PER_EPOCH))


def begin_run(app: live.App, written: Iterator[dict[str, Any]]) -> Run:
    """A run that has trained for a minute."""
    run = create_run(make_spec("fast", {"epochs": EPOCHS}, "sample"), root=app.runs)
    data = load_mnist("sample")
    grid = choose_probe_grid(data.x_test, data.y_test)
    assert len(grid.labels) == 6 * NUM_CLASSES
    write_arrays(run.path / "wall.npz", compressed=True, images=grid.images, labels=grid.labels)
    for _ in range(WRITTEN_BEFORE):
        write_report(run, next(written))
    return run


async def work_per_update(app: live.App, watching: int, seconds: float) -> tuple[float, int]:
    """Seconds of CPU time of the server for one update of one viewer, and the number of updates."""
    written = reports()
    run = begin_run(app, written)

    async def play() -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            write_report(run, next(written))

    async with contextlib.AsyncExitStack() as stack:
        training = asyncio.create_task(play())
        tabs = [await stack.enter_async_context(Tab.open(app.url, "train", f"run={run.id}")) for _ in range(watching)]
        await asyncio.gather(*(tab.watch(2) for tab in tabs))
        before = sum(app.process.cpu_times()[:2])
        updates = sum(map(len, await asyncio.gather(*(tab.watch(seconds) for tab in tabs))))
        used = sum(app.process.cpu_times()[:2]) - before
        training.cancel()
    return used / updates, updates


@click.command()
@click.option("--watching", default=10, show_default=True, help="People who watch the run.")
@click.option("--seconds", default=20.0, show_default=True, help="How long, three times.")
def main(watching: int, seconds: float) -> None:
    """Prints the figure."""
    work = []
    with live.app() as app:
        live.wait_healthy(app)
        for _ in range(3):
            work.append(1000 * asyncio.run(work_per_update(app, watching, seconds))[0])
    results.figure(f"{watching} people watch a run train: work of the server per update of a page", work, "ms")


if __name__ == "__main__":
    main()
