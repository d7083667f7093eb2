"""Computes gradients in a separate process: `python -m mnist_core.explain.gradient_server`.

It reads requests from standard input and answers on standard output, as `frames` packs them, one after the other; see
`helper` for who asks. It ends when its input does, which is when the server that started it is gone, and after ten
minutes without a request.
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
from mnist_core.files import read_json
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.processes import set_tensorflow_defaults
from mnist_core.runs.run import Run, RunSpec
from mnist_core.runs.snapshots import read_snapshot, snapshot_epochs
from mnist_core.training import fine_tune

IDLE_SECONDS = 600.0
MAX_MODELS = 4
MAX_CHANNELS = 64  # of a layer that are told, at most

"""Read when TensorFlow is imported, which is later; as the worker has them."""

log = logging.getLogger("digitlab.gradients")


def load_architecture(folder: Path) -> Architecture:
    """The network of a run, or of the shipped model.

    Args:
        folder: with spec.json, or with card.json alone.

    Raises:
        RunError, ModelError: neither can be read.
    """
    if (folder / "spec.json").exists():
        return Run(folder).spec().settings.architecture
    card = read_json(folder / "card.json")
    try:
        return RunSpec.from_json({**card, "data": "full"}).settings.architecture
    except DigitLabError as error:
        raise ModelError(f"The card in {folder} cannot be read ({error}). Choose another model.") from None


def load_keras_model(folder: Path) -> Any:
    """The Keras model in a folder: the network of its spec, with the weights of model.keras and nothing else of it.

    Raises:
        RunError, ModelError: a file is missing, broken, or of another network.
    """
    path = folder / "model.keras"
    if not path.is_file():
        raise ModelError(f"{path} is missing: gradients need it. A run has one once it has finished or was stopped.")
    return fine_tune.load_keras_model(load_architecture(folder), path)


class GradientServer:
    """Answers requests. It keeps the models that were asked about last."""

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[str, int], Explainer] = OrderedDict()

    def answer(self, asked: Frame) -> Frame:
        """The answer; where there is none, a message for people under `error`."""
        try:
            return HANDLERS[asked.said["do"]](self, asked)
        except DigitLabError as error:
            return Frame({"error": str(error)})
        except Exception as error:  # it must not end for one bad request
            log.exception("A request failed")
            return Frame({"error": f"{type(error).__name__}: {str(error)[:300]}. Try another model."})

    def _explainer(self, asked: Frame) -> Explainer:
        folder = Path(asked.said["folder"])
        path = folder / "model.keras"
        return self._kept(
            (str(folder), path.stat().st_mtime_ns if path.exists() else 0), lambda: load_keras_model(folder)
        )

    def _kept(self, key: tuple[str, int], make: Callable[[], Any]) -> Explainer:
        """That of a folder and the time when its model.keras was written; -1 is for its snapshots."""
        if key not in self._models:
            self._models[key] = Explainer(make())
        self._models.move_to_end(key)
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return self._models[key]

    def _gradient(self, asked: Frame) -> Frame:
        return Frame({}, {"maps": self._explainer(asked).gradient(asked.arrays["image"], asked.said["digits"])})

    def _smooth(self, asked: Frame) -> Frame:
        return Frame({}, {"maps": self._explainer(asked).smooth(asked.arrays["image"], asked.said["digits"])})

    def _integrated(self, asked: Frame) -> Frame:
        maps, complete = self._explainer(asked).integrated(asked.arrays["image"], asked.said["digits"])
        return Frame({"complete": [asdict(each) for each in complete]}, {"maps": maps})

    def _grad_cam(self, asked: Frame) -> Frame:
        digits, layer = asked.said["digits"], asked.said["layer"]
        return Frame({}, {"maps": self._explainer(asked).grad_cam(asked.arrays["image"], digits, layer)})

    def _growth(self, asked: Frame) -> Frame:
        """The answers of a run's snapshots, and what one of their layers gives: CHANNELS of it at most."""
        folder, layer, image = Path(asked.said["folder"]), int(asked.said["layer"]), asked.arrays["image"]
        explainer = self._kept((str(folder), -1), lambda: build_model(load_architecture(folder)))
        model, found = explainer.model, snapshot_epochs(folder)
        if not found or not 0 <= layer < len(model.layers):
            raise ModelError(f"{folder.name} has {len(found)} snapshots; expected one or more, and layer {layer + 1}.")
        answers, values, filters = [], [], {}
        for epoch in found:
            _put(model, read_snapshot(folder, epoch))
            answers.append(_softmax(explainer.logits(image[None])[0])[:NUM_CLASSES])
            values.append(explainer.activations(image, layer)[..., :MAX_CHANNELS])
            if epoch in (found[0], found[-1]):
                filters["before" if epoch == found[0] else "after"] = _filters(model)
        arrays = {"probabilities": np.stack(answers), "activations": np.stack(values), **filters}
        return Frame({"epochs": found}, arrays)


HANDLERS: dict[str, Callable[[GradientServer, Frame], Frame]] = {
    "gradient": GradientServer._gradient,
    "smooth": GradientServer._smooth,
    "integrated": GradientServer._integrated,
    "grad_cam": GradientServer._grad_cam,
    "growth": GradientServer._growth,
}
"""What can be asked for -> what answers it."""


def _put(model: Any, weights: Sequence[NDArray[Any]]) -> None:
    """Gives a model the weights of a snapshot. Raises RunError where they are of another network."""
    try:
        model.set_weights(weights)
    except ValueError as error:
        why = " ".join(str(error).split())[:200]
        raise RunError(f"A snapshot is of another network ({why}). Train the run again.") from None


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    risen = np.exp(logits - logits.max())
    return np.asarray(risen / risen.sum(), np.float32)


def _filters(model: Any) -> NDArray[np.float32]:
    """The weights by which the first layer that has any looks at its input: (h, w, channels), or (inputs, units)."""
    kernels = (np.asarray(layer.kernel, np.float32) for layer in model.layers if hasattr(layer, "kernel"))
    kernel = next(kernels, np.empty((0, 0), np.float32))
    return (kernel[..., 0, :] if kernel.ndim == 4 else kernel)[..., :MAX_CHANNELS]


class _Idleness:
    """Ends this process when nothing was asked of it for so many seconds. A read from a pipe has no time-out itself."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._busy, self._since = seconds, False, time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def note(self, busy: bool) -> None:
        """That it begins, or ceases, to work."""
        self._busy, self._since = busy, time.monotonic()

    def _watch(self) -> None:
        while self._busy or time.monotonic() - self._since < self._seconds:
            time.sleep(min(1.0, self._seconds / 4))
        os._exit(0)  # the main thread waits in a read that nothing else ends


def serve(source: IO[bytes], target: IO[bytes], idle_seconds: float = IDLE_SECONDS) -> None:
    """Answers until the input ends."""
    helper, idleness = GradientServer(), _Idleness(idle_seconds)
    while (asked := wire.read_frame(source)) is not None:
        idleness.note(busy=True)
        wire.write_frame(target, helper.answer(asked))
        idleness.note(busy=False)


def main() -> int:
    """Serves the process that started this one. Returns the exit status."""
    set_tensorflow_defaults()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not get among the answers
    try:
        serve(sys.stdin.buffer, answers, float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_SECONDS)
    except BrokenPipeError:  # whoever asked is gone
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
