"""Classifies images with LiteRT, without TensorFlow, in less than a millisecond per digit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT, NUM_CLASSES
from mnist_core.errors import ModelError
from mnist_core.files.read import MODEL_BYTES, read_file
from mnist_core.models.select_graph import default_graph

DEFAULT_MODEL = Path(__file__).parent / "default" / "model.tflite"
"""The model that ships with Digit Lab."""
SHIPPED_NAME = "Digit Lab's model"
REJECT_ABOVE = 0.5
"""A drawing is rejected if the probability of `not a digit` is higher."""
BATCH = 64
"""Images per call of the interpreter. Larger batches are not faster and need more memory."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction for one image.

    Attributes:
        probabilities: (10,) float32, 0..1, of the digits; they sum to 1 - `not_a_digit`.
        not_a_digit: 0..1, the sum of the outputs after the tenth; 0 for a model that has only ten.
    """

    probabilities: NDArray[np.float32]
    not_a_digit: float

    @classmethod
    def from_outputs(cls, outputs: NDArray[np.float32]) -> Prediction:
        """The prediction that a row of `Classifier.probabilities` means."""
        return cls(outputs[:NUM_CLASSES], float(outputs[NUM_CLASSES:].sum()))

    @property
    def digit(self) -> int:
        """The most probable digit, even if the image is rejected."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of `digit`, 0..1."""
        return float(self.probabilities.max())

    @property
    def rejected(self) -> bool:
        """True if the image probably is not a digit."""
        return self.not_a_digit > REJECT_ABOVE

    @property
    def label(self) -> int:
        """`digit`, or NOT_A_DIGIT if the image is rejected."""
        return NOT_A_DIGIT if self.rejected else self.digit


class Classifier:
    """A converted model. Thread-safe.

    Args:
        path: a `model.tflite` whose input is (N, size, size, 1) of 0..255, size 28 or 56.
        threads: number of cores per call.

    Raises:
        ModelError: the file is missing or is not such a model.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._lock = threading.Lock()
        with litert_errors(path):
            self._interpreter = _load(path, threads)
            self.input_size: int = _input_size(self._interpreter, path)
            self._input: int = self._interpreter.get_input_details()[0]["index"]
            self._output: int = self._interpreter.get_output_details()[0]["index"]
            self._outputs: int = self._count_outputs(path)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes the outputs of the model.

        Args:
            images: (N, 28, 28) or (N, size, size) uint8, ink bright. A 28×28 digit is centered in a larger
                input.

        Returns:
            (N, C) float32, 0..1, C at least 10; rows sum to 1.

        Raises:
            ModelError: the images have another shape or dtype.
        """
        ready = fit_to_input(images, self.input_size)
        with self._lock:
            parts = [self._run(ready[start : start + BATCH]) for start in range(0, len(ready), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self._outputs), np.float32)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Classifies one image, (28, 28) or (size, size) uint8. Raises ModelError for another shape or dtype."""
        return self.predict_all(image[None])[0]

    def predict_all(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Classifies many images, as for `probabilities`."""
        return [Prediction.from_outputs(row) for row in self.probabilities(images)]

    def digit_probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes the probabilities of the ten digits, (N, 10) float32. `images`: as for `probabilities`."""
        return self.probabilities(images)[:, :NUM_CLASSES]

    def _count_outputs(self, path: Path) -> int:
        """Runs the model on a black image and counts its outputs."""
        shape = self._run(np.zeros((1, self.input_size, self.input_size), np.uint8)).shape
        if len(shape) != 2 or shape[1] < NUM_CLASSES:
            raise ModelError(f"The outputs of {path} have shape {shape}; expected (1, {NUM_CLASSES}) or more.")
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
    """Centers 28×28 digits in a larger input.

    Args:
        images: (N, 28, 28) or (N, size, size) uint8.
        size: side of the model's input in pixels.

    Returns:
        (N, size, size) uint8.

    Raises:
        ModelError: the images have another shape or dtype.
    """
    sides = images.shape[1:]
    if images.ndim != 3 or images.dtype != np.uint8 or sides not in ((28, 28), (size, size)):
        raise ModelError(f"Expected images (N, 28, 28) uint8, or with side {size}; got {images.shape} {images.dtype}.")
    margin = (size - sides[0]) // 2
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin))) if margin else images


@contextmanager
def litert_errors(path: Path) -> Iterator[None]:
    """Turns the various errors that LiteRT raises for a damaged file into a ModelError."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, IndexError) as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{path} is not a LiteRT model ({why}). Train it again, or restore the file.") from None


def read_model(path: Path) -> bytes:
    """Returns the content of a model file. Raises ModelError if it is missing, no file, or too large."""
    try:
        return read_file(path, MODEL_BYTES)
    except FileNotFoundError:
        raise ModelError(f"There is no model at {path}. A run has one once it has finished or was stopped.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}. Restore the file, or train it again.") from None


def _load(path: Path, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=default_graph(read_model(path)), num_threads=threads)


def _input_size(interpreter: Any, path: Path) -> int:
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        raise ModelError(f"{path} takes {len(inputs)} inputs; expected one, (N, 28, 28, 1) or (N, 56, 56, 1).")
    shape = inputs[0]["shape_signature"].tolist()
    if len(shape) != 4 or shape[1] != shape[2] or shape[1] not in (28, 56) or shape[3] != 1:
        raise ModelError(f"{path} takes inputs of shape {shape}; expected (N, 28, 28, 1) or (N, 56, 56, 1).")
    return int(shape[1])
