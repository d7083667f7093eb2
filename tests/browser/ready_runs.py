"""Runs with curves that nobody has trained."""

from __future__ import annotations

from pathlib import Path

from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run


def finished_run(root: Path, accuracy: float) -> Run:
    """A run with curves and without a model. Nobody has trained it."""
    run = create_run(make_spec("fast", {"epochs": 2}, "sample"), root=root)
    for step in range(1, 11):
        row = {"step": step, "epoch": step // 5, "loss": 1 / step, "accuracy": accuracy * step / 10, "elapsed": step}
        run.append_metrics(row if step % 5 else {**row, "val_loss": 1 / step, "val_accuracy": accuracy})
    write_stamped_status(run, Status("stopped", "Stopped.", 2, 2, 10, 10, data="sample"))
    return run
