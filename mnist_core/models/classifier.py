"""28×28 images -> probabilities, with LiteRT: a tenth of a millisecond a digit, and no TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.errors import ModelError
from mnist_core.models.select_graph import answering

DEFAULT_MODEL = Path(__file__).parent / "default" / "model.tflite"
REJECT_ABOVE = 0.5  # of the probability that it is no digit
BATCH = 64  # larger ones no longer get faster, and take memory


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model makes of one image.

    Attributes:
        probabilities: (10,) float32, 0..1, of the digits; they sum to 1 less `not_a_digit`.
        not_a_digit: 0..1, what the outputs past the tenth say; 0 for a model that has none.
    """

    probabilities: NDArray[np.float32]
    not_a_digit: float

    @property
    def digit(self) -> int:
        """The likeliest digit, also where it is rejected."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of `digit`, 0..1."""
        return float(self.probabilities.max())

    @property
    def rejected(self) -> bool:
        """Whether it more likely is no digit at all."""
        return self.not_a_digit > REJECT_ABOVE


class Classifier:
    """A converted model, for any number of threads.

    Args:
        path: a `model.tflite` whose input is (N, size, size, 1) of 0..255, size 28 or 56.
        threads: cores one call may use.

    Raises:
        ModelError: where the file is missing, or is no such model.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        if not path.is_file():
            raise ModelError(f"There is no model at {path}. A run has one once it has finished or was stopped.")
        self._lock = threading.Lock()
        with litert_errors(path):
            self._interpreter = _load(path, threads)
            self.input_size: int = _input_size(self._interpreter, path)
            self._input: int = self._interpreter.get_input_details()[0]["index"]
            self._output: int = self._interpreter.get_output_details()[0]["index"]
            self._outputs: int = self._count_outputs(path)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The model's outputs.

        Args:
            images: (N, 28, 28) or (N, size, size) uint8, ink bright. A 28×28 digit goes into the middle of a larger
                input.

        Returns:
            (N, C) float32, 0..1, C of 10 or more as the model has outputs; rows sum to 1.

        Raises:
            ModelError: for images of another shape or dtype.
        """
        ready = self._fit(images)
        with self._lock:
            parts = [self._run(ready[start : start + BATCH]) for start in range(0, len(ready), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self._outputs), np.float32)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """What the model makes of one image, (28, 28) or (size, size) uint8. Raises ModelError as `probabilities`."""
        return self.predict_all(image[None])[0]

    def predict_all(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """What the model makes of each of many images, as `probabilities` takes them."""
        outputs = self.probabilities(images)
        return [Prediction(row[:NUM_CLASSES], float(row[NUM_CLASSES:].sum())) for row in outputs]

    def digit_probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The probabilities of the ten digits, (N, 10) float32."""
        return self.probabilities(images)[:, :NUM_CLASSES]

    def _fit(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return fit_to_input(images, self.input_size)

    def _count_outputs(self, path: Path) -> int:
        """By running it on a black image."""
        shape = self._run(np.zeros((1, self.input_size, self.input_size), np.uint8)).shape
        if len(shape) != 2 or shape[1] < NUM_CLASSES:
            raise ModelError(f"{path} gives outputs of shape {shape}; expected (1, {NUM_CLASSES}), or more of them.")
        return int(shape[1])

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._resize(len(batch))
        self._interpreter.set_tensor(self._input, batch[..., None].astype(np.float32))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output), np.float32)

    def _resize(self, count: int) -> None:
        if self._interpreter.get_input_details()[0]["shape"][0] != count or not hasattr(self, "_ready"):
            self._interpreter.resize_tensor_input(self._input, [count, self.input_size, self.input_size, 1])
            self._interpreter.allocate_tensors()
            self._ready = True


def fit_to_input(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(N, size, size) uint8: a 28×28 digit goes into the middle of a larger input. Raises ModelError for others."""
    sides = images.shape[1:]
    if images.ndim != 3 or images.dtype != np.uint8 or sides not in ((28, 28), (size, size)):
        raise ModelError(f"Expected images (N, 28, 28) uint8, or of side {size}; got {images.shape} {images.dtype}.")
    margin = (size - sides[0]) // 2
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin))) if margin else images


@contextmanager
def litert_errors(path: Path) -> Iterator[None]:
    """Turns what LiteRT says of a damaged file, which shows here or there on the way, into a ModelError."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, IndexError) as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{path} is not a LiteRT model ({why}). Train it again, or restore the file.") from None


def _load(path: Path, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=answering(path.read_bytes()), num_threads=threads)


def _input_size(interpreter: Any, path: Path) -> int:
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        raise ModelError(f"{path} takes {len(inputs)} inputs; expected one, (N, 28, 28, 1) or (N, 56, 56, 1).")
    shape = inputs[0]["shape_signature"].tolist()
    if len(shape) != 4 or shape[1] != shape[2] or shape[1] not in (28, 56) or shape[3] != 1:
        raise ModelError(f"{path} takes inputs of shape {shape}; expected (N, 28, 28, 1) or (N, 56, 56, 1).")
    return int(shape[1])
