"""Reads a network from Keras's own JSON, `model.to_json()`, without Keras.

parsed = parse_keras_json(text)              # of a Sequential model, of Keras 3 or 2
parsed.layers, parsed.input_size

The text is only data: nothing in it is called or imported. Layers and settings that Digit Lab does not have are
rejected by name, unless the setting has its neutral value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from mnist_core.errors import ArchitectureError
from mnist_core.fields import name_errors, rule_violations
from mnist_core.files.json_reader import parse_json
from mnist_core.networks.architecture import MAX_LAYERS
from mnist_core.networks.layers import (
    ACTIVATIONS,
    LAYERS,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    LeakyReLU,
    ReLU,
    Softmax,
)

MAX_CHARACTERS = 1_000_000
"""Length limit. A network of MAX_LAYERS takes a fifth of it."""

_INITIALIZERS = {
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "Zeros": "zeros",
}
_RANDOM_NORMAL = {"mean": 0.0, "stddev": 0.05}
"""The default arguments of RandomNormal in Keras."""
_IGNORED = {"name", "batch_input_shape", "batch_shape", "seed", "renorm_momentum"}
"""Settings that do not change the network."""

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    **{
        f"{part}_{what}": (None,)
        for part in ("kernel", "bias", "beta", "gamma", "depthwise", "activity")
        for what in ("regularizer", "constraint")
    },
    "trainable": (True,),
    "data_format": ("channels_last", None),
    "dilation_rate": ([1, 1], 1),
    "groups": (1,),
    "depth_multiplier": (1,),
    "quantization_config": (None,),
    "noise_shape": (None,),
    "keepdims": (False,),
    "center": (True,),
    "scale": (True,),
    "axis": (-1, 3, [-1], [3]),
    "synchronized": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "offset": (0,),
    "max_value": (None,),
    "threshold": (0, None),
    "autocast": (True,),
}
"""Values, by setting, that change nothing."""

_FIXED = {
    "bias_initializer": "Zeros",
    "depthwise_initializer": "GlorotUniform",
    "beta_initializer": "Zeros",
    "gamma_initializer": "Ones",
    "moving_mean_initializer": "Zeros",
    "moving_variance_initializer": "Ones",
}
"""The only initializer, by setting, that Digit Lab has."""
_FLAT_LAYERS = (Flatten, Dense, GlobalAveragePooling2D, GlobalMaxPooling2D)
"""Layers that output a list."""


@dataclass(frozen=True)
class ParsedNetwork:
    """A network read from JSON.

    Attributes:
        layers: every setting is in its range, but the layers may not fit together.
        input_size: side of the square input image in pixels: 28 or 56.
    """

    layers: tuple[Layer, ...]
    input_size: int


def parse_keras_json(text: str) -> ParsedNetwork:
    """Reads the network of a Keras Sequential model.

    Args:
        text: the result of `model.to_json()` in Keras 3 or 2.

    Raises:
        ArchitectureError: the text is not a Sequential model, or it has a layer or a setting that Digit Lab lacks.
    """
    if len(text) > MAX_CHARACTERS:
        raise ArchitectureError(f"The file has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed.")
    try:
        model = parse_json(text.encode())
    except ValueError:
        raise ArchitectureError("The file is not JSON. Write it in Keras with `model.to_json()`.") from None
    items = _layer_objects(model)
    size, flat = _input_size(_config(items[0])) if items else (28, False)
    if items and items[0].get("class_name") == "InputLayer":
        items = items[1:]
    if len(items) > MAX_LAYERS:
        raise ArchitectureError(f"The model has {len(items):,} layers; at most {MAX_LAYERS} are allowed.")
    layers = _parse_layers(items, flat)
    if flat and not (layers and isinstance(layers[0], Flatten)):
        layers = (Flatten(), *layers)
    return ParsedNetwork(layers, size)


def _layer_objects(model: Any) -> list[Mapping[str, Any]]:
    """Returns the JSON objects of the layers of a Sequential model."""
    name = model.get("class_name") if isinstance(model, dict) else None
    if name in ("Functional", "Model"):
        raise ArchitectureError(
            "The file contains a functional model, which may branch. Build it as keras.Sequential, then write "
            "`model.to_json()`."
        )
    config = model.get("config") if isinstance(model, dict) else None
    items = config.get("layers") if isinstance(config, dict) else config  # Keras 1 and early 2: a plain list
    if name != "Sequential" or not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ArchitectureError(
            f"The file contains {_short(name)}; expected a Sequential model. Write one in Keras with `model.to_json()`."
        )
    return items


def _config(item: Mapping[str, Any]) -> dict[str, Any]:
    config = item.get("config", {})
    return config if isinstance(config, dict) else {}


def _input_size(config: Mapping[str, Any]) -> tuple[int, bool]:
    """Returns the side of the input image, and whether the input is flat."""
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if shape is None:
        return 28, False
    for size in (28, 56):
        if shape in ([None, size, size, 1], [None, size, size]):
            return size, False
        if shape == [None, size * size]:
            return size, True
    raise ArchitectureError(f"The input of the model is {_short(shape)}; expected images of 28×28×1 or 56×56×1.")


def _parse_layers(items: Sequence[Mapping[str, Any]], flat: bool) -> tuple[Layer, ...]:
    """Parses the layers of a model. `flat`: whether its input is a list."""
    layers: list[Layer] = []
    for position, item in enumerate(items, 1):
        name, config = item.get("class_name"), _config(item)
        if name == "Activation":
            layers = _add_activation(layers, config.get("activation"), position)
        elif isinstance(name, str) and name in LAYERS and item.get("registered_name") in (None, name):
            flat = flat or any(isinstance(layer, _FLAT_LAYERS) for layer in layers)
            if flat and config.get("axis") in (1, [1]):  # the last one of a list, as Keras 2 writes it
                config["axis"] = -1
            layers.append(_parse_layer(name, config, position))
        else:
            raise ArchitectureError(
                f"Layer {position} is {_short(name)}, which Digit Lab does not have. Supported: {', '.join(LAYERS)}.",
                position,
            )
    return tuple(layers)


def _add_activation(layers: list[Layer], activation: Any, position: int) -> list[Layer]:
    """Adds an Activation layer: as a layer of ours, or as the activation of the layer before it."""
    if activation in (None, "linear"):
        return layers
    if activation in ("relu", "softmax"):
        return [*layers, ReLU() if activation == "relu" else Softmax()]
    last: Any = layers[-1] if layers else None
    if getattr(last, "activation", "none") is None and activation in ACTIVATIONS:
        return [*layers[:-1], replace(last, activation=activation)]
    raise ArchitectureError(
        f"Layer {position} (Activation) is {_short(activation)}; expected relu or softmax, or one of "
        f"{', '.join(filter(None, ACTIVATIONS))} right after a layer with weights.",
        position,
    )


def _parse_layer(name: str, config: Mapping[str, Any], position: int) -> Layer:
    """Parses one layer and checks its settings."""
    kind, config = _layer_class(name, config)
    known = {described.name for described in fields(kind)}
    where = f"Layer {position} ({name})"
    values: dict[str, Any] = {}
    for key, value in config.items():
        if key in known:
            values[key] = _CONVERTERS.get(key, lambda unchanged: unchanged)(value)
        elif not _is_neutral(key, value):
            raise ArchitectureError(
                f"{where} has {_short(key)} set to {_short(value)}, which Digit Lab does not have.", position
            )
    if values.get("strides") is not None and values["strides"] == values.get("pool_size"):
        values["strides"] = None  # our default
    for violation in name_errors(kind, values):
        raise ArchitectureError(f"{where}: {violation}.", position)
    layer = kind(**values)
    for violation in rule_violations(layer):
        raise ArchitectureError(f"{where}: {violation[:200]}.", position)
    return layer


def _layer_class(name: str, config: Mapping[str, Any]) -> tuple[type[Layer], Mapping[str, Any]]:
    """Returns the class of a layer and its settings under the names of Keras 3."""
    if name == "ReLU" and config.get("negative_slope"):
        return LeakyReLU, config
    if name == "ReLU":
        return ReLU, {key: value for key, value in config.items() if key != "negative_slope"}
    if name == "LeakyReLU" and "alpha" in config:  # Keras 2
        return LeakyReLU, {("negative_slope" if key == "alpha" else key): config[key] for key in config}
    return LAYERS[name], config


def _is_neutral(key: str, value: Any) -> bool:
    """True if a setting that Digit Lab does not have changes nothing."""
    if key in _FIXED:
        return str(_class_name(value)).replace("_", "").lower() == _FIXED[key].lower()
    if key == "dtype":
        return bool(
            value == "float32" or (_class_name(value) == "DTypePolicy" and _config(value).get("name") == "float32")
        )
    return key in _IGNORED or any(value == neutral for neutral in _NEUTRAL.get(key, ()))


def _class_name(value: Any) -> Any:
    return value.get("class_name") if isinstance(value, dict) else value


def _square_side(value: Any) -> Any:
    """Converts a square window or stride: `[3, 3]` to 3. Leaves other values unchanged; the rules reject them."""
    return value[0] if isinstance(value, list) and len(value) == 2 and value[0] == value[1] else value


def _activation(value: Any) -> Any:
    return None if value == "linear" else value


def _initializer(value: Any) -> Any:
    """Converts an initializer with default arguments to its name. Leaves others unchanged; the rules reject them."""
    if not isinstance(value, dict):
        return value
    arguments = {key: argument for key, argument in _config(value).items() if argument is not None}
    name = value.get("class_name")
    if name == "RandomNormal" and arguments in ({}, _RANDOM_NORMAL):
        return "random_normal"
    return _INITIALIZERS.get(name, value) if isinstance(name, str) and not arguments else value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "kernel_size": _square_side,
    "pool_size": _square_side,
    "strides": _square_side,
    "activation": _activation,
    "kernel_initializer": _initializer,
}
"""Converters, by setting, of a Keras value to ours."""


def _short(value: Any) -> str:
    """Formats a value of the file in at most 80 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"
