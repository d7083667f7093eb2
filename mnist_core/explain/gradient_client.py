"""The web server's side of the gradient process: starts it on the first request, and again after it has ended.

client = GradientClient(threads=2)
attribution = client.attribute("integrated", folder, image, digits=[7])
"""

from __future__ import annotations

import contextlib
import subprocess  # noqa: S404 - starts this package's own module
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from mnist_core import limits
from mnist_core.errors import ModelError
from mnist_core.explain import wire
from mnist_core.explain.attribution import Completeness, Maps
from mnist_core.explain.gradient_server import IDLE_SECONDS
from mnist_core.explain.wire import Frame
from mnist_core.processes import start_module
from mnist_core.runs.snapshots import Moment

START_SECONDS = 90.0
"""Time limit for the first response, which includes loading TensorFlow: five seconds on an idle machine."""

RESPONSE_SECONDS = 60.0
"""Time limit for every later response."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each pixel speaks for some digits.

    Attributes:
        maps: (K, 28, 28) float32, one map for each digit.
        completeness: of integrated gradients, one check for each digit; empty for other methods.
    """

    maps: Maps
    completeness: tuple[Completeness, ...] = ()


@dataclass(frozen=True, eq=False)
class SnapshotHistory:
    """How the snapshots of a run respond to one image.

    Attributes:
        moments: T moments of the training, in order.
        probabilities: (T, 10) float32, 0..1, of the digits; a row sums to less than 1 if the model has more outputs.
        activations: (T, h, w, channels) or (T, units) float32, of one layer, at most MAX_CHANNELS channels or units.
        before: (h, w, filters) or (inputs, units) float32, weights of the first layer in the first snapshot.
        after: the same of the last snapshot.
    """

    moments: tuple[Moment, ...]
    probabilities: NDArray[np.float32]
    activations: NDArray[np.float32]
    before: NDArray[np.float32]
    after: NDArray[np.float32]


class GradientClient:
    """Talks to one gradient server process. Safe for any number of threads: requests are served one at a time.

    Args:
        threads: cores that the process may use.
        idle_seconds: the process ends after this time without a request.
        start_seconds: time limit for the first response of a process.
        response_seconds: time limit for each later response.
    """

    def __init__(
        self,
        threads: int,
        idle_seconds: float = IDLE_SECONDS,
        start_seconds: float = START_SECONDS,
        response_seconds: float = RESPONSE_SECONDS,
    ) -> None:
        self._threads = threads
        self._idle_seconds = idle_seconds
        self._start_seconds = start_seconds
        self._response_seconds = response_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._has_responded = False

    @property
    def ready(self) -> bool:
        """True if the process has TensorFlow loaded, so that the next response takes no extra seconds."""
        process = self._process
        return self._has_responded and process is not None and process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process ID of the server; None before it is started and after it was closed."""
        return self._process.pid if self._process is not None else None

    def attribute(
        self, method: str, folder: Path, image: NDArray[np.uint8], digits: Sequence[int], layer: int | None = None
    ) -> Attribution:
        """Computes which pixels speak for and against each digit.

        Args:
            method: `gradient`, `smooth`, `integrated` or `grad_cam`.
            folder: contains the model, model.keras.
            image: (28, 28) uint8.
            digits: indices of the model's outputs.
            layer: index of a convolution, for `grad_cam`.

        Raises:
            ModelError: the model cannot be used, or the process crashed or did not respond in time.
        """
        header = {"do": method, "folder": str(folder.resolve()), "digits": list(digits), "layer": layer}
        response = self.request(Frame(header, {"image": image}))
        completeness = tuple(Completeness(**each) for each in response.header.get("completeness", ()))
        return Attribution(np.asarray(response.arrays["maps"], np.float32), completeness)

    def snapshot_history(self, folder: Path, image: NDArray[np.uint8], layer: int) -> SnapshotHistory:
        """Computes how the snapshots of a run respond to an image.

        Args:
            folder: of a run that has snapshots.
            image: (28, 28) uint8.
            layer: index of the layer whose activations are returned.

        Raises:
            ModelError: the run has no snapshots, or they cannot be used; and as `attribute`.
        """
        header = {"do": "snapshot_history", "folder": str(folder.resolve()), "layer": layer}
        response = self.request(Frame(header, {"image": image}))
        arrays = {name: np.asarray(array, np.float32) for name, array in response.arrays.items()}
        return SnapshotHistory(tuple(Moment(*each) for each in response.header["moments"]), **arrays)

    def request(self, frame: Frame) -> Frame:
        """Sends one request and returns the response. Raises ModelError as `attribute`."""
        if not self._lock.acquire(timeout=self._start_seconds):
            raise ModelError("The process that computes gradients is busy with other requests. Try again in a minute.")
        try:
            response = self._exchange(frame)
            if response is None and self._wait_for_exit() == 0:
                response = self._exchange(frame)  # its idle time ran out just as the request was sent
            if response is None:
                raise self._no_response()
        except BaseException:
            self._stop()  # a late response must not be taken for that of the next request
            raise
        finally:
            self._lock.release()
        if "error" in response.header:
            raise ModelError(str(response.header["error"]))
        return response

    def close(self) -> None:
        """Kills the process: there is nothing to save."""
        with self._lock:
            self._stop()

    def _exchange(self, frame: Frame) -> Frame | None:
        """Sends a request to a running process. Returns None if the process ended before it responded."""
        process = self._running_process()
        seconds = self._response_seconds if self._has_responded else self._start_seconds
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            wire.write_frame(cast(IO[bytes], process.stdin), frame)
            response = wire.read_frame(cast(IO[bytes], process.stdout))
        except (OSError, ValueError):
            return None
        finally:
            timer.cancel()
        self._has_responded = self._has_responded or response is not None
        return response

    def _running_process(self) -> subprocess.Popen[bytes]:
        """The process; starts a new one if there is none or it has ended."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        try:
            self._process = start_module(
                "mnist_core.explain.gradient_server",
                str(self._idle_seconds),
                threads=self._threads,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            raise ModelError(f"The process that computes gradients cannot be started: {error}.") from None
        return self._process

    def _wait_for_exit(self) -> int | None:
        """The exit status of the process; None if it has not ended although it sent no response."""
        try:
            return self._process.wait(timeout=5) if self._process is not None else None
        except subprocess.TimeoutExpired:
            return None

    def _no_response(self) -> ModelError:
        if self._wait_for_exit() == limits.EXIT_STATUS:
            return ModelError(
                "Computing gradients of this model takes more memory than this server allows "
                "(DIGITLAB_WORKER_MEMORY_MB). Choose a smaller model."
            )
        return ModelError(
            "The process that computes gradients ended or took too long before it responded "
            f"(exit status {self._wait_for_exit()}). The next request starts a new one. Change a control to try "
            "again; if that fails too, choose a smaller model."
        )

    def _stop(self) -> None:
        process, self._process, self._has_responded = self._process, None, False
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
