"""x"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mnist_core.fields import changed_fields
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Layer


def build_model(architecture: Architecture) -> Any:
    """The Keras model, not compiled. Input (N, size, size, 1) of 0..255, output (N, units) probabilities."""
    import keras

    stack = [getattr(keras.layers, type(layer).__name__)(**asdict(layer)) for layer in architecture.layers]
    return keras.Sequential([keras.Input(architecture.input_shape), *stack])


def keras_source(architecture: Architecture) -> str:
    """Python source that builds the same model; it needs `import keras` and `from keras import layers`."""
    lines = [f"keras.Input({architecture.input_shape}),"]
    lines += [f"layers.{type(layer).__name__}({_arguments(layer)})," for layer in architecture.layers]
    return "model = keras.Sequential([\n" + "".join(f"    {line}\n" for line in lines) + "])\n"


def _arguments(layer: Layer) -> str:
    return ", ".join(f"{name}={_literal(value)}" for name, value in changed_fields(layer).items())


def _literal(value: object) -> str:
    return "1 / 255" if value == 1 / 255 else repr(value)
