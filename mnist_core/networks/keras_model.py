"""A network as a Keras model, as Keras source code, and under Keras's names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mnist_core.fields import changed_fields
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Layer
from mnist_core.processes import import_keras


def build_model(architecture: Architecture) -> Any:
    """Builds the Keras model, not compiled.

    Returns:
        A keras.Sequential: (N, size, size, 1) of 0..255 to (N, units) probabilities.
    """
    keras = import_keras()
    stack = [getattr(keras.layers, type(layer).__name__)(**asdict(layer)) for layer in architecture.layers]
    return keras.Sequential([keras.Input(architecture.input_shape), *stack])


def keras_source(architecture: Architecture) -> str:
    """Writes Python source that builds the same model, given `import keras` and `from keras import layers`."""
    lines = [f"keras.Input({architecture.input_shape}),"]
    lines += [f"layers.{layer_source(layer)}," for layer in architecture.layers]
    return "model = keras.Sequential([\n" + "".join(f"    {line}\n" for line in lines) + "])\n"


def layer_source(layer: Layer) -> str:
    """One layer as Python source, without defaults: `Conv2D(filters=32, kernel_size=3)`."""
    arguments = ", ".join(f"{name}={_literal(value)}" for name, value in changed_fields(layer).items())
    return f"{type(layer).__name__}({arguments})"


def _literal(value: object) -> str:
    return "1 / 255" if value == 1 / 255 else repr(value)


def keras_layer_names(layers: Sequence[Layer]) -> list[str]:
    """Returns the names that Keras gives the layers of a new model: `conv2d`, `conv2d_1`, `batch_normalization`."""
    counts: Counter[str] = Counter()
    names = []
    for layer in layers:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        names.append(f"{name}_{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return names
