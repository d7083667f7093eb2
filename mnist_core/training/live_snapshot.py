"""Snapshots of the network in training for browsers, about one a second while somebody watches.

    RUN_DIR/watched.json   when somebody last watched; a page writes it every two seconds
    RUN_DIR/live.bin       the weights, in the format of model.bin; its header has the step

Both are deleted when the run ends.
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
from mnist_core.networks.layers import biased_output
from mnist_core.runs.run import Run
from mnist_core.training.weights import inference_weights, prior_shift

LIVE_MODEL = "live.bin"
WATCHED = "watched.json"
WATCH_UPDATE_SECONDS = 2.0
"""Time between two updates of watched.json, however many pages watch."""
WATCH_SECONDS = 6.0
"""Snapshots are written until this long after the last update of watched.json."""
LIVE_SECONDS = 1.0
"""Shortest time between two snapshots."""
LIVE_SHARE = 0.02
"""Largest share of the training time that snapshots may take: a large network has fewer."""


class LiveSnapshot(NamedTuple):
    """A network in training.

    Attributes:
        content: of a model.bin.
        step: batches trained so far.
    """

    content: bytes
    step: int


def watch(run: Run) -> None:
    """Requests snapshots from the worker of a run for WATCH_SECONDS. Does nothing if the disk cannot be written to."""
    watched, now = read_json(run.path / WATCHED).get("time"), time.time()
    if not (is_number(watched) and 0 <= now - watched < WATCH_UPDATE_SECONDS):
        with contextlib.suppress(OSError):
            write_json(run.path / WATCHED, {"time": now}, durable=False)


def read_live_snapshot(run: Run) -> LiveSnapshot | None:
    """Returns the newest snapshot of a run in training; None before the first one and after the run."""
    try:
        content = read_file(run.path / LIVE_MODEL, MODEL_BYTES)
    except OSError:
        return None
    step: Any = read_header(content).get("step")
    return LiveSnapshot(content, step) if COUNT.accepts(step) else None


@contextmanager
def cleaning_up(run: Run) -> Iterator[None]:
    """Deletes both files after the `with` block, and before it those that a killed worker has left."""
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
        non_digit_share: of the training images, 0..1. As in the finished model, the bias of "not a digit" is corrected
            for how rare non-digits are in use.
    """

    def __init__(self, run: Run, model: Any, architecture: Architecture, non_digit_share: float = 0.0) -> None:
        self._run, self._model, self._architecture = run, model, architecture
        self._non_digit_share = non_digit_share
        self._fits = fits_browser(architecture)
        self._watched: object = None
        self._watched_until = self._written = 0.0  # monotonic seconds
        self._rest = 0.0  # shortest time to the next snapshot while it trains, in seconds
        self._step = -1

    def update(self, step: int, paused: bool = False) -> None:
        """Writes a snapshot if somebody watches and one is due.

        Args:
            step: batches trained so far.
            paused: whether the training is paused, so that a snapshot takes none of its time.
        """
        now = time.monotonic()
        next_time = self._written + (LIVE_SECONDS if paused else self._rest)
        if not self._fits or step == self._step or now < next_time or not self._is_watched(now):
            return
        with contextlib.suppress(OSError, ModelError):  # a full disk or an infinite weight must not end the training
            write_bytes(self._run.path / LIVE_MODEL, self._content(step), durable=False)
        self._step = step
        self._written = now
        self._rest = max(LIVE_SECONDS, (time.monotonic() - now) / LIVE_SHARE)

    def _is_watched(self, now: float) -> bool:
        """True until WATCH_SECONDS after watched.json changed, by this machine's clock: that of a page may differ."""
        watched = read_json(self._run.path / WATCHED).get("time")
        if watched != self._watched:
            self._watched, self._watched_until = watched, now + WATCH_SECONDS
        return now < self._watched_until

    def _content(self, step: int) -> bytes:
        weights = list(self._weights())
        index = biased_output(self._architecture.layers)
        if self._non_digit_share and index is not None:
            _, bias = weights[index]
            bias[NOT_A_DIGIT] += prior_shift(self._non_digit_share, ASSUMED_NON_DIGIT_SHARE)
        return browser_model(self._architecture, weights, about={"step": step})

    def _weights(self) -> Iterator[Weights]:
        """The weights of each layer, without the state of random generators."""
        arrays = iter(inference_weights(self._model))
        for layer in self._model.layers:
            own = list(islice(arrays, len(layer.weights)))
            yield tuple(array for array in own if array.dtype.kind == "f")
