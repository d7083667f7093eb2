"""Runs with curves, and sweeps with trials, that nobody has trained."""

from __future__ import annotations

from pathlib import Path

from mnist_core.files.write import write_json
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import Sweep, create_sweep


def finished_run(root: Path, accuracy: float) -> Run:
    """A run with curves and without a model. Nobody has trained it."""
    run = create_run(make_spec("fast", {"epochs": 2}, "sample"), root=root)
    for step in range(1, 11):
        row = {"step": step, "epoch": step // 5, "loss": 1 / step, "accuracy": accuracy * step / 10, "elapsed": step}
        run.append_metrics(row if step % 5 else {**row, "val_loss": 1 / step, "val_accuracy": accuracy})
    write_stamped_status(run, Status("stopped", "Stopped.", 2, 2, 10, 10, data="sample"))
    return run


def finished_sweep(root: Path) -> Sweep:
    """A sweep of five trials, the third of them the best and the last one pruned, without their runs."""
    plan = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128"], trials=5, data="sample")
    sweep = create_sweep(plan, root)
    trials = [
        {
            "trial": number,
            "settings": {"learning_rate": rate, "batch_size": batch_size},
            "state": "pruned" if number == 4 else "finished",
            "value": value,
            "values": [[1, value - 0.1], [2, value]],
            "run": "",
            "began": 100.0 + number,
            "ended": 101.0 + number,
            "seconds": 2.0,
            "message": "",
        }
        for number, (rate, batch_size, value) in enumerate(
            [(1e-3, 32, 0.9), (1e-2, 128, 0.93), (3e-3, 32, 0.95), (5e-2, 128, 0.7), (1e-4, 128, 0.4)]
        )
    ]
    write_json(sweep.path / "trials.json", {"sweep": sweep.id, "trials": trials})
    sweep.files.write_status(stamp_status(Status("finished", "Finished.", step=5, steps=5)))
    return sweep
