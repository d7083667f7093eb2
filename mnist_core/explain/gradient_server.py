"""Computes gradients in a separate process: `python -m mnist_core.explain.gradient_server [IDLE_SECONDS]`.

The web process never imports TensorFlow, so this one does. It reads requests from standard input and writes responses
to standard output, one after the other, in the format of `wire`; `gradient_client` is the other end. It exits when its
input is closed, which happens when the web server ends, and after ten minutes without a request.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.errors import DigitLabError, ModelError, RunError
from mnist_core.explain import wire
from mnist_core.explain.attribution import Explainer
from mnist_core.explain.wire import Frame
from mnist_core.limits import limited
from mnist_core.networks.keras_model import build_model
from mnist_core.runs.model_card import load_architecture
from mnist_core.runs.snapshots import read_snapshot, snapshot_moments
from mnist_core.training import fine_tune

IDLE_SECONDS = 600.0
MAX_MODELS = 4
"""Models that stay loaded; the one used least recently is dropped first."""

MAX_CHANNELS = 64
"""Channels or units of a layer that a snapshot history contains, at most."""

log = logging.getLogger("digitlab.gradients")


def load_trained_model(folder: Path) -> Any:
    """Builds the network of a run from its spec and loads only the weights from model.keras.

    Raises:
        RunError, ModelError: a file is missing, broken, or belongs to another network.
    """
    path = folder / "model.keras"
    if not path.is_file():
        raise ModelError(f"{path} is missing: gradients need it. A run writes it when it finishes or is stopped.")
    return fine_tune.load_keras_model(load_architecture(folder), path)


class GradientServer:
    """Handles requests, and keeps the models of the last few requests loaded."""

    def __init__(self) -> None:
        self._explainers: OrderedDict[tuple[str, int], Explainer] = OrderedDict()

    def respond(self, request: Frame) -> Frame:
        """Returns the response to a request. If it fails, the header holds a message for people under `error`."""
        try:
            return HANDLERS[request.header["do"]](self, request)
        except DigitLabError as error:
            return Frame({"error": str(error)})
        except Exception as error:  # one bad request must not end the process
            log.exception("A request failed")
            return Frame({"error": f"{type(error).__name__}: {str(error)[:300]}. Try another model."})

    def _explainer(self, request: Frame) -> Explainer:
        """The explainer of the trained model that a request names."""
        folder = Path(request.header["folder"])
        path = folder / "model.keras"
        written = path.stat().st_mtime_ns if path.exists() else 0
        return self._cached_explainer((str(folder), written), lambda: load_trained_model(folder))

    def _snapshot_explainer(self, folder: Path) -> Explainer:
        """An explainer into whose model snapshots are loaded, one after the other."""
        return self._cached_explainer((str(folder), -1), lambda: build_model(load_architecture(folder)))

    def _cached_explainer(self, key: tuple[str, int], load: Callable[[], Any]) -> Explainer:
        """`key`: the folder, and when its model.keras was written, or -1 for its snapshots."""
        if key not in self._explainers:
            self._explainers[key] = Explainer(load())
        self._explainers.move_to_end(key)
        while len(self._explainers) > MAX_MODELS:
            self._explainers.popitem(last=False)
        return self._explainers[key]

    def _gradient(self, request: Frame) -> Frame:
        maps = self._explainer(request).gradient(request.arrays["image"], request.header["digits"])
        return Frame({}, {"maps": maps})

    def _smooth_grad(self, request: Frame) -> Frame:
        maps = self._explainer(request).smooth_grad(request.arrays["image"], request.header["digits"])
        return Frame({}, {"maps": maps})

    def _integrated_gradients(self, request: Frame) -> Frame:
        maps, completeness = self._explainer(request).integrated_gradients(
            request.arrays["image"], request.header["digits"]
        )
        return Frame({"completeness": [asdict(each) for each in completeness]}, {"maps": maps})

    def _grad_cam(self, request: Frame) -> Frame:
        digits, layer = request.header["digits"], request.header["layer"]
        return Frame({}, {"maps": self._explainer(request).grad_cam(request.arrays["image"], digits, layer)})

    def _snapshot_history(self, request: Frame) -> Frame:
        folder, layer, image = Path(request.header["folder"]), int(request.header["layer"]), request.arrays["image"]
        explainer, moments = self._snapshot_explainer(folder), snapshot_moments(folder)
        model = explainer.model
        if not moments:
            raise ModelError(f"{folder.name} has no snapshots: expected one or more. Train the run again.")
        if not 0 <= layer < len(model.layers):
            raise ModelError(f"{folder.name} has {len(model.layers)} layers: there is no layer {layer + 1}.")
        probabilities, activations, filters = [], [], []
        for moment in moments:
            _set_weights(model, read_snapshot(folder, moment))
            probabilities.append(_softmax(explainer.logits(image[None])[0])[:NUM_CLASSES])
            activations.append(explainer.activations(image, layer)[..., :MAX_CHANNELS])
            if moment in (moments[0], moments[-1]):
                filters.append(_first_filters(model))
        arrays = {
            "probabilities": np.stack(probabilities),
            "activations": np.stack(activations),
            "before": filters[0],
            "after": filters[-1],
        }
        return Frame({"moments": moments}, arrays)


HANDLERS: dict[str, Callable[[GradientServer, Frame], Frame]] = {
    "gradient": GradientServer._gradient,
    "smooth": GradientServer._smooth_grad,
    "integrated": GradientServer._integrated_gradients,
    "grad_cam": GradientServer._grad_cam,
    "snapshot_history": GradientServer._snapshot_history,
}
"""What a request can ask for under `do` -> the method that handles it."""


def _set_weights(model: Any, weights: Sequence[NDArray[Any]]) -> None:
    """Loads a snapshot into a model. Raises RunError if the snapshot belongs to another network."""
    try:
        model.set_weights(weights)
    except ValueError as error:
        why = " ".join(str(error).split())[:200]
        raise RunError(f"A snapshot belongs to another network ({why}). Train the run again.") from None


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)


def _first_filters(model: Any) -> NDArray[np.float32]:
    """The kernel of the first layer that has one: (h, w, filters) or (inputs, units), at most MAX_CHANNELS of them."""
    kernels = (np.asarray(layer.kernel, np.float32) for layer in model.layers if hasattr(layer, "kernel"))
    kernel = next(kernels, np.empty((0, 0), np.float32))
    return (kernel[..., 0, :] if kernel.ndim == 4 else kernel)[..., :MAX_CHANNELS]


class _IdleTimer:
    """Ends this process after some seconds without a request. Reading from a pipe has no time limit of its own."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._busy = False
        self._since = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def set_busy(self, busy: bool) -> None:
        """Stops the clock while a request is handled, and restarts it afterwards."""
        self._busy, self._since = busy, time.monotonic()

    def _watch(self) -> None:
        while self._busy or time.monotonic() - self._since < self._seconds:
            time.sleep(min(1.0, self._seconds / 4))
        os._exit(0)  # the main thread waits in a read that nothing else ends


def serve(source: IO[bytes], target: IO[bytes], idle_seconds: float = IDLE_SECONDS) -> None:
    """Handles requests until the input is closed."""
    server, idle_timer = GradientServer(), _IdleTimer(idle_seconds)
    while (request := wire.read_frame(source)) is not None:
        idle_timer.set_busy(True)
        wire.write_frame(target, server.respond(request))
        idle_timer.set_busy(False)


def main() -> int:
    """Serves the process that started this one. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    responses = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the responses
    try:
        serve(sys.stdin.buffer, responses, float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_SECONDS)
    except BrokenPipeError:  # the client is gone
        return 0
    return 0


if __name__ == "__main__":
    with limited():
        sys.exit(main())
