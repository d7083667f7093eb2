"""Job backends that train nothing, and a sweep run in this process: the runner's logic without a training."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from unittest import mock

from mnist_core.files.write import write_json
from mnist_core.jobs.backend import JobBackend
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.settings import Settings
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import stamp_status
from mnist_core.sweeps import final_test
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.runner import SweepRunner
from mnist_core.sweeps.space_parser import parse_space
from mnist_core.sweeps.store import Sweep

TINY = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), batch_size=500, epochs=1, learning_rate=0.01)
"""Trains in a moment."""
RATES = "learning_rate=1e-4..1e-1:log"


def make_plan_of_tiny(*vary: str, epochs: int = 1, **fields: Any) -> SweepPlan:
    """A plan whose trials train in a moment; it retrains nothing unless `retrain_seeds` is given."""
    base = RunSpec("fast", replace(TINY, epochs=epochs), "sample")
    return SweepPlan(base, parse_space(vary), **{"retrain_seeds": 0, "created": time.time(), **fields})


def best_at_one_hundredth(settings: Settings) -> list[float]:
    """Validation accuracy after a single epoch: 1 at a learning rate of 0.01, and 0.1 less per power of ten."""
    return [1 - 0.1 * abs(math.log10(settings.learning_rate) + 2)]


def write_epoch(run: Run, epoch: int, accuracy: float) -> None:
    """The report that a worker writes at the end of an epoch."""
    run.append_metrics(
        {"step": epoch, "epoch": epoch, "val_accuracy": accuracy, "val_loss": 1 - accuracy, "elapsed": float(epoch)}
    )


def write_state(run: Run, state: str, message: str = "") -> None:
    run.write_status(stamp_status(replace(run.status(), state=state, message=message)))


class InstantBackend:
    """Trains every run at once: writes what a worker would have written.

    Args:
        accuracies: the validation accuracy after each epoch; None for a run that fails.
        slots: how many runs it takes at the same time.
    """

    trouble = ""
    crowded_message = "Others are training."

    def __init__(self, accuracies: Callable[[Settings], list[float] | None], slots: int = 1) -> None:
        self.accuracies, self.slots = accuracies, slots
        self.submitted, self.stopped, self.killed = Counter[str](), list[str](), list[str]()
        self._submitted_since_tick = 0

    def submit(self, run: Run) -> None:
        self.submitted[run.id] += 1
        self._submitted_since_tick += 1
        values = self.accuracies(run.spec().settings)
        if values is None:
            write_state(run, "failed", "The loss became nan at step 7.")
        else:
            self._train(run, values)

    def _train(self, run: Run, values: list[float]) -> None:
        for epoch, value in enumerate(values, 1):
            write_epoch(run, epoch, value)
        write_json(run.path / "card.json", {"val_accuracy": values[-1]})
        (run.path / "model.tflite").write_bytes(b"-")
        write_state(run, "finished", "Finished")

    def room(self) -> bool:
        return self._submitted_since_tick < self.slots

    def tick(self) -> None:
        """Time passes: the slots are free again."""
        self._submitted_since_tick = 0

    def adopt(self, runs: Iterable[Run]) -> None:
        """Nothing is left behind by a backend that trains at once."""

    def holds(self, run: Run) -> bool:
        return False

    def position(self, run: Run) -> int:
        return 0

    def request_stop(self, run: Run) -> None:
        self.stopped.append(run.id)
        run.update_control(stop=True)

    def kill(self, run: Run) -> None:
        self.killed.append(run.id)
        write_state(run, "interrupted")

    def prepare(self) -> None:
        """Nothing to prepare."""


class SteppingBackend(InstantBackend):
    """Trains one epoch of every run at each `tick`, so that trials can be watched while they run."""

    def __init__(self, accuracies: Callable[[Settings], list[float] | None], slots: int = 1) -> None:
        super().__init__(accuracies, slots)
        self.training: dict[str, tuple[Run, list[float]]] = {}  # by run id

    def _train(self, run: Run, values: list[float]) -> None:
        self.training[run.id] = (run, values)
        write_state(run, "running")

    def room(self) -> bool:
        return len(self.training) < self.slots

    def holds(self, run: Run) -> bool:
        return run.id in self.training

    def kill(self, run: Run) -> None:
        if self.training.pop(run.id, None):
            super().kill(run)

    def tick(self) -> None:
        for run, values in list(self.training.values()):
            done = len(run.metrics().rows)
            stop = run.control().get("stop") is True
            if not stop and done < len(values):
                write_epoch(run, done + 1, values[done])
                continue
            del self.training[run.id]
            (run.path / "model.tflite").write_bytes(b"-")
            write_json(run.path / "card.json", {"val_accuracy": values[done - 1] if done else None})
            write_state(run, "stopped" if stop else "finished")


def score_on_no_images(run: Run) -> dict[str, Any]:
    """In place of `final_test.score_on_test_images`: these models are empty files."""
    card = {**run.card(), "test_accuracy": 0.123, "test_loss": 9.0}
    run.write_card(card)
    return card


def run_sweep_here(sweep: Sweep, backend: JobBackend, at_every_poll: Callable[[], object] | None = None) -> None:
    """Runs a sweep in this process. The test needs the fixture `signals`: the runner takes them over.

    Args:
        sweep: which.
        backend: trains its runs.
        at_every_poll: called in place of the runner's pauses; by default the `tick` of a fake backend.
    """
    poll: Callable[[], object] = at_every_poll or getattr(backend, "tick")  # noqa: B009 - only fakes have it
    tested = mock.patch.object(final_test, "score_on_test_images", score_on_no_images)
    here, sleep = threading.get_ident(), time.sleep

    def pause(seconds: float) -> None:
        """Other threads of this process pause as always."""
        if threading.get_ident() == here:
            poll()
        else:
            sleep(seconds)

    with mock.patch("time.sleep", pause), tested:
        SweepRunner(sweep, Heartbeat(sweep.files), backend).run()
