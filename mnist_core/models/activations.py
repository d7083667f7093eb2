"""What every layer of a model makes of an image, with LiteRT: the signature `layers` of a model.tflite."""

from __future__ import annotations

import re
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.models.classifier import fit_to_input, litert_errors
from mnist_core.models.convert import LAYERS_SIGNATURE, LOGITS
from mnist_core.models.select_graph import describing, showing

BATCH = 64
_NAME = re.compile(r"\d{3}_[A-Za-z0-9]+")


class NoActivationsError(ModelError):
    """A model.tflite that gives nothing but answers: `python -m mnist_core.training.reconvert` mends it."""


class ActivationModel:
    """A converted model, looked into; for any number of threads.

    Args:
        path: a `model.tflite`.
        threads: cores one call may use.

    Attributes:
        names: of the layers, first to last, `001_Rescaling`, `002_Conv2D`, …
        input_size: 28 or 56.

    Raises:
        NoLayersError: the file is from a version that gave nothing but answers, or from elsewhere.
        ModelError: the file is missing or broken.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        if not path.is_file():
            raise ModelError(f"There is no model at {path}. A run has one once it has finished or was stopped.")
        content = showing(path.read_bytes())
        if content is None:
            raise NoActivationsError(
                f"{path} gives answers only, and not what its layers make of an image: it was converted by an older "
                "version, or elsewhere. Convert it again from the model.keras beside it."
            )
        self._lock = threading.Lock()
        with litert_errors(path):
            self._graph = _Graph(content, threads)
            self.input_size = self._graph.input_size
            outputs = self._graph.interpreter.get_signature_runner(LAYERS_SIGNATURE).get_output_details()
        self._places = {name: int(outputs[name]["index"]) for name in sorted(outputs)}
        self.names = tuple(name for name in self._places if name != LOGITS)
        if not all(_NAME.fullmatch(name) and int(name[:3]) == place for place, name in enumerate(self.names, 1)):
            raise NoActivationsError(
                f"{path} names its layers otherwise than Digit Lab. Convert it again from model.keras."
            )
        self._path, self._threads = path, threads

    @cached_property
    def _describing(self) -> _Graph | None:
        """The shorter way to what the last dense layer gets, where it leads there."""
        content = describing(self._path.read_bytes())
        if content is None:
            return None
        graph = _Graph(content, self._threads)
        probe = np.arange(self.input_size**2).astype(np.uint8).reshape(1, self.input_size, self.input_size)
        found = graph.run(probe, [graph.output])[0].reshape(1, -1)
        expected = self._inside_penultimate(probe)
        alike = found.shape == expected.shape and np.allclose(found, expected, rtol=1e-3, atol=1e-3)
        return graph if alike else None

    def outputs(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """What every layer makes of images.

        Args:
            images: (N, 28, 28) or (N, size, size) uint8, ink bright, N of 1 or more; as Classifier.probabilities.

        Returns:
            Name -> (N, H, W, C) or (N, W) float32, in the order of `names`.

        Raises:
            ModelError: for images of another shape or dtype.
        """
        return dict(zip(self.names, self._run(images, list(self.names)), strict=True))

    def penultimate(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the last layer with weights gets: how the model describes each image before it decides.

        Args:
            images: as `outputs`.

        Returns:
            (N, W) float32. Raw pixels where that layer is the first.
        """
        if self._describing is None:
            return self._inside_penultimate(images)
        ready = fit_to_input(images, self.input_size)
        with self._lock:
            return self._describing.run(ready, [self._describing.output])[0].reshape(len(images), -1)

    def _inside_penultimate(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        dense = [place for place, name in enumerate(self.names) if layer_kind(name) == "Dense"]
        return self.layer_input(images, (dense or [len(self.names) - 1])[-1]).reshape(len(images), -1)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, C) float32: the numbers that softmax turns into the answer. `images`: as `outputs`."""
        if LOGITS in self._places:
            return self._run(images, [LOGITS])[0]
        return self.layer_input(images, len(self.names) - 1)

    def layer_input(self, images: NDArray[np.uint8], position: int) -> NDArray[np.float32]:
        """What a layer gets: the outputs of the one before it, or the image itself.

        Args:
            images: as `outputs`.
            position: 0 is the first layer.

        Returns:
            (N, H, W, C) or (N, W) float32.
        """
        if position == 0:
            return fit_to_input(images, self.input_size)[..., None].astype(np.float32)
        return self._run(images, [self.names[position - 1]])[0]

    def _run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[np.float32]]:
        ready = fit_to_input(images, self.input_size)
        with self._lock:
            return self._graph.run(ready, [self._places[name] for name in names])


class _Graph:
    """An interpreter of a single graph. One thread at a time."""

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        given = self.interpreter.get_input_details()[0]
        self.input_size = int(given["shape_signature"][1])
        self.output = int(self.interpreter.get_output_details()[0]["index"])
        self._input = int(given["index"])
        self._count = 0

    def run(self, images: NDArray[np.uint8], tensors: list[int]) -> list[NDArray[np.float32]]:
        """(N, …) float32 of each tensor. `images`: (N, size, size) uint8, N of 1 or more."""
        parts = [self._batch(images[start : start + BATCH], tensors) for start in range(0, len(images), BATCH)]
        return [np.concatenate(found) for found in zip(*parts, strict=True)]

    def _batch(self, images: NDArray[np.uint8], tensors: list[int]) -> list[NDArray[np.float32]]:
        if self._count != len(images):
            self.interpreter.resize_tensor_input(self._input, [len(images), self.input_size, self.input_size, 1])
            self.interpreter.allocate_tensors()
            self._count = len(images)
        self.interpreter.set_tensor(self._input, images[..., None].astype(np.float32))
        self.interpreter.invoke()
        return [np.asarray(self.interpreter.get_tensor(tensor), np.float32) for tensor in tensors]


def layer_kind(name: str) -> str:
    """`Conv2D` of `002_Conv2D`."""
    return name.partition("_")[2]
