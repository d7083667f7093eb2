"""The network as it is while it trains, for browsers: about once a second, while somebody watches.

    RUN_DIR/watched.json   the time; a page writes it every two seconds while somebody watches
    RUN_DIR/live.bin       the weights as in model.bin; its header names the step

Both are deleted when the run has ended.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from mnist_core.browser.model_files import fits_browser
from mnist_core.browser.weights_file import browser_model, read_header
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.errors import ModelError
from mnist_core.fields import COUNT, is_number
from mnist_core.files.folders import delete_file
from mnist_core.files.json_reader import read_json
from mnist_core.files.read import MODEL_BYTES, read_file
from mnist_core.files.write import write_bytes, write_json
from mnist_core.handwriting.mixture import ASSUMED_NON_DIGIT_SHARE
from mnist_core.models.weights import Weights
from mnist_core.networks.architecture import Architecture
from mnist_core.runs.run import Run
from mnist_core.training.weights import inference_weights, prior_shift

LIVE_MODEL = "live.bin"
WATCHED = "watched.json"
SIGN_SECONDS = 2.0
"""Time between two signs that somebody watches, however many do."""
WATCH_SECONDS = 6.0
"""How long after the last sign snapshots are written."""
LIVE_SECONDS = 1.0
"""Shortest time between two snapshots."""
LIVE_SHARE = 0.02
"""Largest share of the training time that they may take: those of a large network are rarer."""


class LiveSnapshot(NamedTuple):
    """A network in training.

    Attributes:
        content: of a model.bin.
        step: batches it was trained on.
    """

    content: bytes
    step: int


def watch(run: Run) -> None:
    """Has the worker of a run write snapshots for the next WATCH_SECONDS. Does nothing if that cannot be requested."""
    signed, now = read_json(run.path / WATCHED).get("time"), time.time()
    if not (is_number(signed) and 0 <= now - signed < SIGN_SECONDS):
        with contextlib.suppress(OSError):
            write_json(run.path / WATCHED, {"time": now}, durable=False)


def read_live_snapshot(run: Run) -> LiveSnapshot | None:
    """Returns the newest snapshot of a run in training; None if there is none yet, or any more."""
    try:
        content = read_file(run.path / LIVE_MODEL, MODEL_BYTES)
    except OSError:
        return None
    step: Any = read_header(content).get("step")
    return LiveSnapshot(content, step) if COUNT.accepts(step) else None


@contextmanager
def cleaning_up(run: Run) -> Iterator[None]:
    """Deletes both files before the `with` block, since a killed worker may have left them, and after it."""
    _delete_files(run)
    try:
        yield
    finally:
        _delete_files(run)


def _delete_files(run: Run) -> None:
    for name in (LIVE_MODEL, WATCHED):
        with contextlib.suppress(OSError):
            delete_file(run.path / name)


class LiveSnapshotWriter:
    """In the worker: writes snapshots of the model that is being trained.

    Args:
        run: whose folder they are written to.
        model: the Keras model.
        architecture: of the model.
        non_digit_share: of the training images, 0..1. As in the finished model, "not a digit" is made as rare as it is
            in use.
    """

    def __init__(self, run: Run, model: Any, architecture: Architecture, non_digit_share: float = 0.0) -> None:
        self._run, self._model, self._architecture = run, model, architecture
        self._non_digit_share = non_digit_share
        self._fits = fits_browser(architecture)
        self._signed: object = None
        self._watched_until = self._next_time = 0.0  # monotonic seconds
        self._step = -1

    def update(self, step: int) -> None:
        """Writes a snapshot if somebody watches, and one is due. `step`: batches trained so far."""
        now = time.monotonic()
        if not self._fits or step == self._step or now < self._next_time or not self._is_watched(now):
            return
        with contextlib.suppress(OSError, ModelError):  # neither a full disk nor an infinite weight ends the training
            write_bytes(self._run.path / LIVE_MODEL, self._content(step), durable=False)
        self._step = step
        self._next_time = now + max(LIVE_SECONDS, (time.monotonic() - now) / LIVE_SHARE)

    def _is_watched(self, now: float) -> bool:
        """True until WATCH_SECONDS after a new sign. Only this machine's clock counts: that of a page may differ."""
        signed = read_json(self._run.path / WATCHED).get("time")
        if signed != self._signed:
            self._signed, self._watched_until = signed, now + WATCH_SECONDS
        return now < self._watched_until

    def _content(self, step: int) -> bytes:
        weights = list(self._weights())
        if self._non_digit_share:
            _, bias = weights[-1]
            bias[NOT_A_DIGIT] += prior_shift(self._non_digit_share, ASSUMED_NON_DIGIT_SHARE)
        return browser_model(self._architecture, weights, about={"step": step})

    def _weights(self) -> Iterator[Weights]:
        """The weights of each layer. The state of a dropout's random generator is none."""
        arrays = iter(inference_weights(self._model))
        for layer in self._model.layers:
            own = list(islice(arrays, len(layer.weights)))
            yield tuple(array for array in own if array.dtype.kind == "f")
