"""Trains one run in a process of its own: `python -m mnist_core.worker RUN_DIR`.

It reads spec.json and control.json, and writes everything else. It ends by itself: finished, stopped (by control.json,
SIGTERM or SIGINT; the model is kept) or failed, with a message that says why and what to try.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Read when TensorFlow is imported, later: without AVX-512 VNNI it leaves oneDNN off, which makes it twice as slow.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np

from mnist_core import data, drawings, pen, training
from mnist_core.classifier import Classifier
from mnist_core.download import Progress
from mnist_core.errors import DigitLabError, DownloadError, ModelError
from mnist_core.evaluation import Evaluation, evaluate
from mnist_core.files import replacing
from mnist_core.runs import Run, RunSpec, Status, owned
from mnist_core.strokes import PenDigit

HEARTBEAT_SECONDS = 1.0
RATE_MEMORY = 0.8  # how slowly images a second follow the last report
AGREEMENT_IMAGES = 1000
MAX_DIFFERENCE = 1e-3  # of a probability, between Keras and the converted model; summing in another order makes 1e-6

log = logging.getLogger("digitlab.worker")


@dataclass(frozen=True)
class Pens:
    """Digits written with a pen: by people to train on, and by others to measure with. Empty where there are none."""

    train: tuple[PenDigit, ...] = ()
    measure: tuple[PenDigit, ...] = ()
    missing: str = ""

    def to_json(self, accuracy: dict[str, float]) -> dict[str, Any]:
        """Who wrote what, and how the model reads those that it was not trained on."""
        writers = [sorted({digit.writer for digit in digits}) for digits in (self.train, self.measure)]
        return {
            "trained_on_writers": writers[0], "measured_on_writers": writers[1],
            "measured_on_digits": len(self.measure), "accuracy": accuracy, "missing": self.missing,
        }  # fmt: skip


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
    mnist = data.load(spec.data, _download_progress(heart))
    split = data.split(mnist, spec.settings.split)
    split = data.uncentered(split) if spec.settings.uncentered else split
    pens = _pens(heart, spec)
    split, drawn = _with_drawings(heart, spec, split, pens)
    training.check_fits(spec.settings, len(split.x_train))
    heart.update(data=f"{mnist.notice or mnist.source}{drawn}", message="Starting TensorFlow.")
    model = training.make_model(spec.settings, spec.seed)
    heart.update(message="Preparing the first batch.")
    _train(run, heart, stop, spec, model, split)
    if heart.status.step == 0:
        heart.update(state="stopped", message="Stopped before the first batch: there is no model.")
        return
    stopped = heart.status.epoch < spec.settings.epochs
    heart.update(state="stopping" if stopped else "running", message="Testing and saving the model.", seconds_left=None)
    test = _finish(run, heart.status, spec, model, split, mnist, pens)
    ended = f"Stopped in epoch {heart.status.epoch + 1}" if stopped else "Finished"
    heart.update(
        state="stopped" if stopped else "finished",
        message=f"{ended}: {100 * test.accuracy:.2f} % of the test images are right.",
    )


def _pens(heart: Heart, spec: RunSpec) -> Pens:
    """Pen digits to train on and to measure with; none where the run wants none, or none can be had."""
    if drawings.MIXTURES[spec.settings.drawings] is None:
        return Pens()
    try:
        return Pens(*pen.split_writers(pen.load(_download_progress(heart))))
    except DownloadError as error:
        log.warning("%s", error)
        return Pens(missing=str(error))


def _with_drawings(heart: Heart, spec: RunSpec, split: data.Split, pens: Pens) -> tuple[data.Split, str]:
    """The training images with drawings among them, and a line on these."""
    mixture = drawings.MIXTURES[spec.settings.drawings]
    if mixture is None:
        return split, ""
    if spec.settings.architecture.summary()[-1].output_shape[0] <= drawings.NOT_A_DIGIT:
        mixture = replace(mixture, non_digits=0)
    heart.update(message="Drawing digits to train on.")
    images, labels = drawings.make(mixture, pens.train, spec.seed, threads())
    x_train, y_train = np.concatenate([split.x_train, images]), np.concatenate([split.y_train, labels])
    writers = len({digit.writer for digit in pens.train})
    of_whom = f"by {writers} people and invented hands" if writers else "by invented hands (no pen strokes at hand)"
    return replace(split, x_train=x_train, y_train=y_train), f"; {len(labels):,} drawings {of_whom}"


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


def _finish(
    run: Run, status: Status, spec: RunSpec, model: Any, split: data.Split, mnist: data.Mnist, pens: Pens
) -> Evaluation:
    """Tests, saves and converts the model, compares both, and writes the card last."""
    with training.averaged_weights(model):
        probabilities = training.predict(model, split.x_test)
        test = evaluate(probabilities, split.y_test)
        with replacing(run.path / "model.keras") as temporary:
            model.save(temporary)
        agreement = _convert(run, model, split.x_test[:AGREEMENT_IMAGES], probabilities[:AGREEMENT_IMAGES])
    by_condition = drawings.accuracy_by_condition(Classifier(run.model), pens.measure) if pens.measure else {}
    run.write_card({**_card(status, spec, model, mnist, test, agreement), "pen": pens.to_json(by_condition)})
    return test


def _convert(run: Run, model: Any, images: Any, expected: Any) -> dict[str, float]:
    """Writes model.tflite, once it is known to say what the Keras model says."""
    import tensorflow as tf

    with replacing(run.model) as temporary:
        temporary.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        found = Classifier(temporary).probabilities(images)
        difference = float(np.abs(found - expected).max())
        agreement = float((found.argmax(1) == expected.argmax(1)).mean())
        if not difference <= MAX_DIFFERENCE:
            raise ModelError(
                f"The converted model differs from the trained one by {difference:.2g} in a probability "
                f"(at most {MAX_DIFFERENCE:g} is expected); it was not kept. model.keras is whole."
            )
    return {"max_difference": difference, "agreement": agreement, "images": len(images)}


def _card(
    status: Status, spec: RunSpec, model: Any, mnist: data.Mnist, test: Evaluation, agreement: dict[str, float]
) -> dict[str, Any]:
    packages = ("tensorflow", "keras", "ai-edge-litert", "numpy")
    return {
        **spec.to_json(),
        "data": {"asked": spec.data, "name": mnist.name, "source": mnist.source, "sha256": mnist.sha256},
        "parameters": model.count_params(),
        "input_size": spec.settings.architecture.input_size,
        "epochs_trained": status.step / max(status.steps, 1) * spec.settings.epochs,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "test": test.to_json(),
        "train_seconds": status.train_seconds,
        "images_per_second": status.images_per_second,
        "litert": agreement,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": time.strftime("%Y-%m-%d"),
    }


def _download_progress(heart: Heart) -> Progress:
    """Tells how far a download is, twice a second at most."""
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            heart.update(message=f"Downloading MNIST: {done / 1e6:.1f} of {total / 1e6:.1f} MB.")

    return progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
