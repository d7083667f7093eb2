"""Computes the output of every layer with LiteRT: the signature `layers` of a model.tflite."""

from __future__ import annotations

import re
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.models.classifier import fit_to_input, litert_errors, read_model
from mnist_core.models.convert import LAYERS_SIGNATURE, LOGITS
from mnist_core.models.select_graph import layers_graph, penultimate_graph

BATCH = 64
"""Images per call of the interpreter."""
MAX_FEATURES = 8192
"""Numbers by which digits are compared. For the 60,000 training digits they take 1 GB as float16."""
_NAME = re.compile(r"\d{3}_[A-Za-z0-9]+")


class NoActivationsError(ModelError):
    """A model.tflite without the signature `layers`. `python -m mnist_core.training.reconvert` adds it."""


class ActivationModel:
    """A converted model that returns the output of every layer. Thread-safe.

    Args:
        path: a `model.tflite`.
        threads: number of cores per call.

    Attributes:
        names: of the layers, in order: `001_Rescaling`, `002_Conv2D`, …
        input_size: 28 or 56.

    Raises:
        NoActivationsError: an older version or another program converted the file, without the outputs of its layers.
        ModelError: the file is missing or broken.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        content = layers_graph(read_model(path))
        if content is None:
            raise NoActivationsError(
                f"{path} has no outputs of its layers: an older version or another program converted it. "
                "Convert it again from the model.keras in the same folder."
            )
        self._lock = threading.Lock()
        with litert_errors(path):
            self._graph = _Graph(content, threads)
            self.input_size = self._graph.input_size
            outputs = self._graph.interpreter.get_signature_runner(LAYERS_SIGNATURE).get_output_details()
        self._tensors = {name: int(outputs[name]["index"]) for name in sorted(outputs)}
        self.names = tuple(name for name in self._tensors if name != LOGITS)
        if not all(_NAME.fullmatch(name) and int(name[:3]) == place for place, name in enumerate(self.names, 1)):
            raise NoActivationsError(f"{path} has unexpected layer names. Convert it again from model.keras.")
        self._path, self._threads = path, threads

    @cached_property
    def _penultimate_graph(self) -> _Graph | None:
        """The default graph up to the last Dense layer, or None if it differs from the `layers` graph."""
        content = penultimate_graph(read_model(self._path))
        if content is None:
            return None
        graph = _Graph(content, self._threads)
        probe = np.arange(self.input_size**2).astype(np.uint8).reshape(1, self.input_size, self.input_size)
        features = graph.run(probe, [graph.output])[0].reshape(1, -1)
        expected = self._penultimate_of_layers_graph(probe)
        is_correct = features.shape == expected.shape and np.allclose(features, expected, rtol=1e-3, atol=1e-3)
        return graph if is_correct else None

    def outputs(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Computes the output of every layer.

        Args:
            images: (N, 28, 28) or (N, size, size) uint8, ink bright, N at least 1; as for Classifier.probabilities.

        Returns:
            (N, H, W, C) or (N, W) float32 by layer name, in the order of `names`.

        Raises:
            ModelError: the images have another shape or dtype.
        """
        return dict(zip(self.names, self._run(images, list(self.names)), strict=True))

    def penultimate(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes the input of the last Dense layer, or of the last layer without one: what the model decides by.

        Args:
            images: as for `outputs`.

        Returns:
            (N, W) float32. The raw pixels if that layer is the first.
        """
        if self._penultimate_graph is None:
            return self._penultimate_of_layers_graph(images)
        ready = fit_to_input(images, self.input_size)
        with self._lock:
            return self._penultimate_graph.run(ready, [self._penultimate_graph.output])[0].reshape(len(images), -1)

    @property
    def compared_layer(self) -> str:
        """The layer whose input `penultimate` returns, in words."""
        return "the last dense layer" if self._has_dense else "the last layer"

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes what `penultimate` does, to compare thousands of digits.

        Raises:
            ModelError: `compared_layer` has more than MAX_FEATURES inputs, too many to keep for each digit.
        """
        width = self.penultimate(images[:1]).shape[1]
        if width > MAX_FEATURES:
            raise ModelError(
                f"In this model, {self.compared_layer} has {width:,} inputs. Digits are compared by at most "
                f"{MAX_FEATURES:,}: choose a model with a smaller layer before the last one."
            )
        return self.penultimate(images)

    @property
    def _has_dense(self) -> bool:
        return any(layer_kind(name) == "Dense" for name in self.names)

    def _penultimate_of_layers_graph(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        dense = [place for place, name in enumerate(self.names) if layer_kind(name) == "Dense"]
        return self.layer_input(images, (dense or [len(self.names) - 1])[-1]).reshape(len(images), -1)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes the values before the softmax, (N, C) float32. `images`: as for `outputs`."""
        if LOGITS in self._tensors:
            return self._run(images, [LOGITS])[0]
        return self.layer_input(images, len(self.names) - 1)

    def layer_input(self, images: NDArray[np.uint8], position: int) -> NDArray[np.float32]:
        """Computes the input of a layer: the output of the layer before it, or the images.

        Args:
            images: as for `outputs`.
            position: index of the layer; 0 is the first.

        Returns:
            (N, H, W, C) or (N, W) float32.
        """
        if position == 0:
            return fit_to_input(images, self.input_size)[..., None].astype(np.float32)
        return self._run(images, [self.names[position - 1]])[0]

    def _run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[np.float32]]:
        ready = fit_to_input(images, self.input_size)
        with self._lock:
            return self._graph.run(ready, [self._tensors[name] for name in names])


class _Graph:
    """A LiteRT interpreter of a single graph. Not thread-safe."""

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        details = self.interpreter.get_input_details()[0]
        self.input_size = int(details["shape_signature"][1])
        self.output = int(self.interpreter.get_output_details()[0]["index"])
        self._input = int(details["index"])
        self._batch_size = 0

    def run(self, images: NDArray[np.uint8], tensors: list[int]) -> list[NDArray[np.float32]]:
        """Computes tensors, each (N, …) float32, for images (N, size, size) uint8, N at least 1."""
        parts = [self._batch(images[start : start + BATCH], tensors) for start in range(0, len(images), BATCH)]
        return [np.concatenate(batches) for batches in zip(*parts, strict=True)]

    def _batch(self, images: NDArray[np.uint8], tensors: list[int]) -> list[NDArray[np.float32]]:
        if self._batch_size != len(images):
            self.interpreter.resize_tensor_input(self._input, [len(images), self.input_size, self.input_size, 1])
            self.interpreter.allocate_tensors()
            self._batch_size = len(images)
        self.interpreter.set_tensor(self._input, images[..., None].astype(np.float32))
        self.interpreter.invoke()
        return [np.asarray(self.interpreter.get_tensor(tensor), np.float32) for tensor in tensors]


def layer_kind(name: str) -> str:
    """Returns the kind of layer of an output name: `Conv2D` for `002_Conv2D`."""
    return name.partition("_")[2]
