"""The gradient helper as seen from the server: it is started when first asked, and again when it has ended.

helper = GradientClient(threads=2)
maps, complete = helper.explain("integrated", folder, image, digits=[7])
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

from mnist_core.errors import ModelError
from mnist_core.explain import wire
from mnist_core.explain.attribution import Completeness, Maps
from mnist_core.explain.gradient_server import IDLE_SECONDS
from mnist_core.explain.wire import Frame
from mnist_core.processes import start_module

START_SECONDS = 90.0  # to load TensorFlow and the model on a busy machine: it takes five on a quiet one
RESPONSE_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Attribution:
    """What was found: `maps` (K, 28, 28) float32, and of integrated gradients whether they are complete, K of them."""

    maps: Maps
    complete: tuple[Completeness, ...] = ()


@dataclass(frozen=True, eq=False)
class SnapshotHistory:
    """What a run's snapshots make of one image.

    Attributes:
        epochs: T, finished ones; 0 is before the first step.
        probabilities: (T, 10) float32, 0..1, of the digits; they sum to less than 1 where there are more outputs.
        activations: (T, h, w, channels) or (T, units) float32, of one layer; its first 64 channels or units.
        before, after: (h, w, filters) or (inputs, units) float32: weights of the first layer in the first and the last
            snapshot.
    """

    epochs: tuple[int, ...]
    probabilities: NDArray[np.float32]
    activations: NDArray[np.float32]
    before: NDArray[np.float32]
    after: NDArray[np.float32]


class GradientClient:
    """One process for any number of threads: one request at a time, the others wait.

    Args:
        threads: cores that it may use.
        idle_seconds: after which it ends by itself without a request.
        start_seconds, answer_seconds: how long the first answer of a process, and each later one, may take.
    """

    def __init__(
        self,
        threads: int,
        idle_seconds: float = IDLE_SECONDS,
        start_seconds: float = START_SECONDS,
        answer_seconds: float = RESPONSE_SECONDS,
    ) -> None:
        self._threads, self._idle = threads, idle_seconds
        self._start_seconds, self._answer_seconds = start_seconds, answer_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._warm = False  # it has answered

    @property
    def ready(self) -> bool:
        """Whether it has TensorFlow loaded: otherwise the next answer takes some seconds."""
        process = self._process
        return self._warm and process is not None and process.poll() is None

    def explain(
        self, method: str, folder: Path, image: NDArray[np.uint8], digits: Sequence[int], layer: int | None = None
    ) -> Attribution:
        """The reasons of an answer.

        Args:
            method: `gradient`, `smooth`, `integrated` or `grad_cam`.
            folder: of the model, with its model.keras.
            image: (28, 28) uint8.
            digits: of which outputs.
            layer: index of a convolution, for `grad_cam`.

        Raises:
            ModelError: it cannot be told, and why; or the helper crashed or did not answer in time.
        """
        said = {"do": method, "folder": str(folder.resolve()), "digits": list(digits), "layer": layer}
        found = self.ask(Frame(said, {"image": image}))
        complete = tuple(Completeness(**each) for each in found.said.get("complete", ()))
        return Attribution(np.asarray(found.arrays["maps"], np.float32), complete)

    def growth(self, folder: Path, image: NDArray[np.uint8], layer: int) -> SnapshotHistory:
        """What the snapshots of a run make of an image.

        Args:
            folder: of a run that has snapshots.
            image: (28, 28) uint8.
            layer: index of the layer whose activations are wanted.

        Raises:
            ModelError: there are none, or they cannot be used; or as `explain`.
        """
        found = self.ask(Frame({"do": "growth", "folder": str(folder.resolve()), "layer": layer}, {"image": image}))
        arrays = {name: np.asarray(array, np.float32) for name, array in found.arrays.items()}
        return SnapshotHistory(tuple(found.said["epochs"]), **{"after": arrays["before"], **arrays})

    def ask(self, asked: Frame) -> Frame:
        """The answer to one request. Raises ModelError as `explain`."""
        if not self._lock.acquire(timeout=self._start_seconds):
            raise ModelError("Many are asking for gradients, and it is not your turn yet. Try again in a minute.")
        try:
            answer = self._exchange(asked)
            if answer is None and self._ended() == 0:
                answer = self._exchange(asked)  # its ten idle minutes were over as it was asked
            if answer is None:
                raise self._lost()
        except BaseException:
            self._end()  # what it may still answer belongs to nobody
            raise
        finally:
            self._lock.release()
        if "error" in answer.said:
            raise ModelError(str(answer.said["error"]))
        return answer

    def close(self) -> None:
        """Ends the process, at once: there is nothing to save."""
        with self._lock:
            self._end()

    def _exchange(self, asked: Frame) -> Frame | None:
        """None where the process ended before it had answered."""
        process = self._started()
        seconds = self._answer_seconds if self._warm else self._start_seconds
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            wire.write_frame(cast(IO[bytes], process.stdin), asked)
            answer = wire.read_frame(cast(IO[bytes], process.stdout))
        except (OSError, ValueError):
            return None
        finally:
            timer.cancel()
        self._warm = self._warm or answer is not None
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        """The process; a new one where there is none, or it has ended."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        try:
            self._process = start_module(
                "mnist_core.explain.gradient_server",
                str(self._idle),
                threads=self._threads,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            raise ModelError(f"The helper for gradients cannot be started: {error}. Free some memory.") from None
        return self._process

    def _ended(self) -> int | None:
        """The exit status of the process; None where it has not ended although its answer was none."""
        try:
            return self._process.wait(timeout=5) if self._process is not None else None
        except subprocess.TimeoutExpired:
            return None

    def _lost(self) -> ModelError:
        """What to say when a request got no answer."""
        return ModelError(
            "The helper that computes gradients ended or took too long before it had answered "
            f"(exit status {self._ended()}); it is started again when next asked. Press a control to try once more; "
            "if that fails, too, choose a smaller model."
        )

    def _end(self) -> None:
        process, self._process, self._warm = self._process, None, False
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
