"""Trains one run in a process of its own: `python -m mnist_core.worker RUN_DIR`.

It reads spec.json and control.json, and writes everything else. It ends by itself: finished, stopped (by control.json,
SIGTERM or SIGINT; the model is kept) or failed, with a message that says why and what to try.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

# Read when TensorFlow is imported, later: without AVX-512 VNNI it leaves oneDNN off, which makes it twice as slow.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from mnist_core import data, teaching, training
from mnist_core.errors import DigitLabError
from mnist_core.finishing import finish
from mnist_core.materials import gather
from mnist_core.runs import Run, RunSpec, Status, owned

HEARTBEAT_SECONDS = 1.0
RATE_MEMORY = 0.8  # how slowly images a second follow the last report

log = logging.getLogger("digitlab.worker")


class Heart:
    """The run's status, written when it changes and once a second besides, by one thread at a time."""

    def __init__(self, run: Run) -> None:
        self._run, self._lock, self._stopped = run, threading.Lock(), threading.Event()
        self.status = Status()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def update(self, **changes: Any) -> None:
        """Changes the status and writes it."""
        with self._lock:
            self.status = owned(replace(self.status, **changes))
            self._run.write_status(self.status)

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            self.update()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beats while open."""
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()


class Stop:
    """Whether somebody wants the training to stop: a signal, or control.json."""

    def __init__(self, run: Run) -> None:
        self._run, self._signalled = run, threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._signalled.set())

    def asked(self) -> bool:
        return self._signalled.is_set() or self._run.control().get("stop") is True


def main(arguments: list[str]) -> int:
    """Trains the run in the directory given. Returns the exit status: 0 finished or stopped, 1 failed, 2 misused."""
    if len(arguments) != 1:
        print("Usage: python -m mnist_core.worker RUN_DIR", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    run = Run(Path(arguments[0]).resolve())
    heart = Heart(run)
    try:
        with heart.beating():
            _work(run, heart, Stop(run))
    except DigitLabError as error:
        return _fail(heart, str(error))
    except MemoryError:
        return _fail(heart, "The machine ran out of memory. Try a smaller batch or a smaller network.")
    except Exception as error:  # whatever it was, the page must say so
        log.exception("The training failed")
        return _fail(heart, f"{type(error).__name__}: {str(error)[:500]}. More is in {run.log.name}.")
    return 0


def _fail(heart: Heart, message: str) -> int:
    log.error(message)
    heart.update(state="failed", message=message, seconds_left=None)
    return 1


def _work(run: Run, heart: Heart, stop: Stop) -> None:
    heart.update(state="running", message="Reading the images.")
    spec = run.spec()
    heart.update(epochs=spec.settings.epochs)
    materials = gather(spec, lambda message: heart.update(message=message), threads())
    training.check_fits(spec.settings, len(materials.split.x_train))
    heart.update(data=materials.notice, message="Starting TensorFlow.")
    model = training.make_model(spec.settings, spec.seed)
    if spec.base:
        teaching.begin(model, spec.settings.architecture, spec.base, materials.non_digits)
    heart.update(message="Preparing the first batch.")
    _train(run, heart, stop, spec, model, materials.split)
    if heart.status.step == 0:
        heart.update(state="stopped", message="Stopped before the first batch: there is no model.")
        return
    stopped = heart.status.epoch < spec.settings.epochs
    heart.update(state="stopping" if stopped else "running", message="Testing and saving the model.", seconds_left=None)
    test = finish(run, heart.status, spec, model, materials, threads())
    ended = f"Stopped in epoch {heart.status.epoch + 1}" if stopped else "Finished"
    heart.update(
        state="stopped" if stopped else "finished",
        message=f"{ended}: {100 * test.accuracy:.2f} % of the test images are right.",
    )


def threads() -> int:
    """Cores that this worker may use, as its backend says."""
    first = (os.environ.get("OMP_NUM_THREADS") or "1").split(",")[0]
    return max(1, int(first)) if first.isdecimal() else 1


def _train(run: Run, heart: Heart, stop: Stop, spec: RunSpec, model: Any, split: data.Split) -> None:
    """Trains until the end or until asked to stop, and reports."""
    steps = training.steps_per_epoch(len(split.x_train), spec.settings) * spec.settings.epochs
    heart.update(steps=steps, started=time.time())
    if stop.asked():
        return
    began, evaluating, rate, warm = time.perf_counter(), 0.0, 0.0, (0, 0.0)
    for number, report in enumerate(training.train(model, spec.settings, split, spec.seed)):
        spent = time.perf_counter() - began
        speed = report.images / report.seconds
        # The first report's time went into building the graph: it counts for nothing once there is a second one.
        rate = speed if number < 2 else RATE_MEMORY * rate + (1 - RATE_MEMORY) * speed
        warm = warm if number else (report.step, spent)
        evaluating += report.val_seconds
        pace = (spent - warm[1]) / max(report.step - warm[0], 1)  # seconds a step, validation included
        row = {name: value for name, value in asdict(report).items() if value is not None}
        run.append_metrics({**row, "images_per_second": round(rate, 1), "elapsed": round(spent, 3)})
        heart.update(
            message="Training.", step=report.step, epoch=report.epoch, images_per_second=rate,
            train_seconds=spent - evaluating,
            seconds_left=(steps - report.step) * pace if pace else None,
        )  # fmt: skip
        if stop.asked():
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
