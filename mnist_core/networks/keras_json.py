"""Networks to and from Keras's own JSON, `model.to_json()`, without Keras.

text = keras_json.write(layers, 28)          # keras.models.model_from_json(text) builds it
found = keras_json.read(text)                # of a Sequential model, from wherever it comes
found.layers, found.input_size

What comes in is read as data: nothing in it is made, called or imported. A layer or a setting that Digit Lab does not
have is refused by name, unless it is set so that it does nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mnist_core.errors import ArchitectureError
from mnist_core.fields import name_errors, rule_violations
from mnist_core.networks.architecture import MAX_LAYERS, Architecture
from mnist_core.networks.layers import ACTIVATIONS, LAYERS, Flatten, Layer, LeakyReLU, ReLU, Rescaling, Softmax

MAX_CHARACTERS = 1_000_000  # characters; a hundred layers take a fifth of that

_INITIALIZERS = {
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "Zeros": "zeros",
}
_DRAWN = {"mean": 0.0, "stddev": 0.05}  # RandomNormal, as Keras has it by default

_PASSED_OVER = {"name", "batch_input_shape", "batch_shape", "seed", "renorm_momentum"}
"""Settings that say nothing of the network."""

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
"""Setting -> values of it that change nothing."""

_FIXED = {
    "bias_initializer": "Zeros",
    "depthwise_initializer": "GlorotUniform",
    "beta_initializer": "Zeros",
    "gamma_initializer": "Ones",
    "moving_mean_initializer": "Zeros",
    "moving_variance_initializer": "Ones",
}
"""Setting -> the one initialiser that Digit Lab has there."""


@dataclass(frozen=True)
class ParsedNetwork:
    """What a JSON text holds.

    Attributes:
        layers: the network, each layer with settings in their ranges; whether they fit one another is not known yet.
        input_size: 28 or 56.
    """

    layers: tuple[Layer, ...]
    input_size: int


def parse_keras_json(text: str) -> ParsedNetwork:
    """The network of a Keras Sequential model.

    Args:
        text: what `model.to_json()` gave, of Keras 3 or 2.

    Raises:
        ArchitectureError: it is no such text, or has a layer or a setting that Digit Lab does not have: says which.
    """
    if len(text) > MAX_CHARACTERS:
        raise ArchitectureError(
            f"The file has {len(text):,} characters; a network as JSON has at most {MAX_CHARACTERS:,}."
        )
    try:
        model = json.loads(text)
    except (ValueError, RecursionError):
        raise ArchitectureError("The file is no JSON. Write one in Keras with `model.to_json()`.") from None
    items = _items(model)
    size, flat = _input(_config(items[0])) if items else (28, False)
    if items and items[0].get("class_name") == "InputLayer":
        items = items[1:]
    if len(items) > MAX_LAYERS:
        raise ArchitectureError(f"The model has {len(items):,} layers; at most {MAX_LAYERS} are read.")
    found = _layers(items)
    if flat and not (found and isinstance(found[0], Flatten)):
        found = (Flatten(), *found)
    return ParsedNetwork(found, size)


def _items(model: Any) -> list[Mapping[str, Any]]:
    """The layers of a model as its JSON has them."""
    name = model.get("class_name") if isinstance(model, dict) else None
    if name in ("Functional", "Model"):
        raise ArchitectureError(
            "The file holds a functional model, which may branch. Only a Sequential one is read: build it as "
            "keras.Sequential, then write `model.to_json()`."
        )
    config = model.get("config") if isinstance(model, dict) else None
    items = config.get("layers") if isinstance(config, dict) else config  # Keras 1 and early 2: a plain list
    if name != "Sequential" or not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ArchitectureError(
            f"The file holds {_short(name)} and no Sequential model. Write one in Keras with `model.to_json()`."
        )
    return items


def _config(item: Mapping[str, Any]) -> dict[str, Any]:
    config = item.get("config", {})
    return config if isinstance(config, dict) else {}


def _input(config: Mapping[str, Any]) -> tuple[int, bool]:
    """Side of the image, and whether it is taken as a flat list."""
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if shape is None:
        return 28, False
    for size in (28, 56):
        if shape in ([None, size, size, 1], [None, size, size]):
            return size, False
        if shape == [None, size * size]:
            return size, True
    raise ArchitectureError(f"The model takes {_short(shape)}; expected images of 28×28×1 or 56×56×1.")


def _layers(items: Sequence[Mapping[str, Any]]) -> tuple[Layer, ...]:
    found: list[Layer] = []
    for position, item in enumerate(items, 1):
        name, config = item.get("class_name"), _config(item)
        if name == "Activation":
            found = _activated(found, config.get("activation"), position)
        elif isinstance(name, str) and name in LAYERS and item.get("registered_name") in (None, name):
            found.append(_layer(name, config, position))
        else:
            raise ArchitectureError(
                f"Layer {position} is {_short(name)}, which Digit Lab does not have. Known: {', '.join(LAYERS)}.",
                position,
            )
    return tuple(found)


def _activated(found: list[Layer], activation: Any, position: int) -> list[Layer]:
    """What Keras's layer Activation does to the layers before it."""
    if activation in (None, "linear"):
        return found
    if activation in ("relu", "softmax"):
        return [*found, ReLU() if activation == "relu" else Softmax()]
    last: Any = found[-1] if found else None
    if getattr(last, "activation", "none") is None and activation in ACTIVATIONS:
        return [*found[:-1], replace(last, activation=activation)]
    raise ArchitectureError(
        f"Layer {position} (Activation) is {_short(activation)}; expected relu or softmax, or one of "
        f"{', '.join(filter(None, ACTIVATIONS))} right after a layer of weights.",
        position,
    )


def _layer(name: str, config: Mapping[str, Any], position: int) -> Layer:
    """One layer, its settings in their ranges."""
    kind, config = _kind(name, config)
    known = {described.name for described in fields(kind)}
    where = f"Layer {position} ({name})"
    values: dict[str, Any] = {}
    for key, value in config.items():
        if key in known:
            values[key] = _VALUES.get(key, _same)(value)
        elif not _does_nothing(key, value):
            raise ArchitectureError(
                f"{where} has {_short(key)} set to {_short(value)}, which Digit Lab does not have.", position
            )
    if values.get("strides") is not None and values["strides"] == values.get("pool_size"):
        values["strides"] = None  # Keras's default, which it writes out
    for complaint in name_errors(kind, values):
        raise ArchitectureError(f"{where}: {complaint}.", position)
    layer = kind(**values)
    for complaint in rule_violations(layer):
        raise ArchitectureError(f"{where}: {complaint[:200]}.", position)
    return layer


def _kind(name: str, config: Mapping[str, Any]) -> tuple[type[Layer], Mapping[str, Any]]:
    """The class of a layer, and its settings under their names of today."""
    if name == "ReLU" and config.get("negative_slope"):
        return LeakyReLU, config
    if name == "ReLU":
        return ReLU, {key: value for key, value in config.items() if key != "negative_slope"}
    if name == "LeakyReLU" and "alpha" in config:  # Keras 2
        return LeakyReLU, {("negative_slope" if key == "alpha" else key): config[key] for key in config}
    return LAYERS[name], config


def _does_nothing(key: str, value: Any) -> bool:
    """Whether a setting that Digit Lab does not have is as if it were not there."""
    if key in _FIXED:
        return str(_class(value)).replace("_", "").lower() == _FIXED[key].lower()
    if key == "dtype":
        return bool(value == "float32" or (_class(value) == "DTypePolicy" and _config(value).get("name") == "float32"))
    return key in _PASSED_OVER or any(value == neutral for neutral in _NEUTRAL.get(key, ()))


def _class(value: Any) -> Any:
    return value.get("class_name") if isinstance(value, dict) else value


def _same(value: Any) -> Any:
    return value


def _side(value: Any) -> Any:
    """Of a window or a stride: `[3, 3]` is 3. One that is not square stays as it is, and is refused for that."""
    return value[0] if isinstance(value, list) and len(value) == 2 and value[0] == value[1] else value


def _activation(value: Any) -> Any:
    return None if value == "linear" else value


def _initializer(value: Any) -> Any:
    """Its name; what is not as Keras has it by default stays as it is, and is refused for that."""
    if not isinstance(value, dict):
        return value
    own = {key: each for key, each in _config(value).items() if each is not None}
    name = value.get("class_name")
    if name == "RandomNormal" and own in ({}, _DRAWN):
        return "random_normal"
    return _INITIALIZERS.get(name, value) if isinstance(name, str) and not own else value


_VALUES: dict[str, Callable[[Any], Any]] = {
    "kernel_size": _side,
    "pool_size": _side,
    "strides": _side,
    "activation": _activation,
    "kernel_initializer": _initializer,
}
"""Setting -> what Digit Lab calls its value."""


def _short(value: Any) -> str:
    """A value out of a file, not at its full length."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def to_keras_json(layers: Sequence[Layer], input_size: int = 28) -> str:
    """The network as `keras.models.model_from_json` takes it.

    Args:
        layers: a network that can be trained.
        input_size: side of the square input image in pixels.

    Raises:
        ArchitectureError: where it cannot work.
    """
    network = Architecture(tuple(layers), input_size)
    shape = [None, *network.input_shape]
    image = _object("InputLayer", {"batch_shape": shape, "dtype": "float32", "name": "image"})
    names = _names(layers)
    stack = [
        _object(type(layer).__name__, {"name": name, **_written(layer)})
        for name, layer in zip(names, layers, strict=True)
    ]
    config = {"name": "digit_lab", "layers": [image, *stack], "build_input_shape": shape}
    return json.dumps({**_object("Sequential", config), "module": "keras"}, indent=1)


def _object(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}


def _written(layer: Layer) -> dict[str, Any]:
    values = asdict(layer)
    if isinstance(layer, Rescaling):
        values["offset"] = 0.0  # Keras does not read one without it
    if "activation" in values:
        values["activation"] = values["activation"] or "linear"
    return values


def _names(layers: Sequence[Layer]) -> list[str]:
    """A name for each layer as Keras gives them: `conv2d`, `conv2d_1`."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names
