"""The model.bin of a run: written when a training ends, and made on demand for the shipped model and older runs.

Its header contains the checksum of the weights in model.keras that it was made from. A file that is damaged, or was
made from other weights or by another version, is replaced; that takes 50 ms for the shipped model.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

from mnist_core.browser.weights_file import browser_model, read_header
from mnist_core.errors import ModelError
from mnist_core.files.read import MODEL_BYTES, read_file
from mnist_core.files.write import write_bytes
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.models.weights import layer_weights, weights_checksum
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.cost import layer_costs, total_cost
from mnist_core.runs.model_card import load_architecture

BROWSER_MODEL = "model.bin"
"""In the folder of a run."""
MAX_PARAMETERS = 4_000_000
"""A visitor downloads two bytes for each."""
MAX_MULTIPLY_ADDS = 400_000_000
"""For one prediction in a browser. `engine.js` takes 26 ms for them on a desktop (297 million took 19 ms), 100
on a phone, and 240 where there is no WebAssembly."""
MAX_POOLED = 20_000_000
"""Values in all windows of the pooling layers. `engine.js` pools them in JavaScript: 5 ns each on a slow laptop."""
MAX_OUTPUTS = 16_000_000
"""Values that all layers output. `engine.js` keeps them: four bytes for each."""


def read_browser_model(folder: Path) -> bytes:
    """Returns the model.bin of a model in float16. Writes it if the run has none, or an outdated or damaged one.

    If the file cannot be written, each call makes it again. That of the shipped model is never written.

    Args:
        folder: of a run, or of the shipped model.

    Raises:
        ModelError: the network is too large for a browser, model.keras is missing or broken, or a weight is not finite.
        RunError: spec.json cannot be read.
    """
    architecture = load_architecture(folder)
    check_size(architecture)
    keras_model, path = folder / "model.keras", folder / BROWSER_MODEL
    if not keras_model.exists():
        raise ModelError(
            "This model has no model.keras, from which the copy for the browser is made, so it runs on the server only."
        )
    about = {"source": weights_checksum(keras_model)}
    with contextlib.suppress(OSError):
        content = read_file(path, MODEL_BYTES)
        if read_header(content).get("source") == about["source"]:
            return content
    content = browser_model(architecture, layer_weights(keras_model, architecture), about=about)
    if folder != DEFAULT_MODEL.parent:
        with contextlib.suppress(OSError):  # the disk is full, or the folder is read-only
            write_bytes(path, content)
    return content


def check_size(architecture: Architecture) -> None:
    """Raises ModelError if a network is too large for a browser."""
    rows = layer_costs(architecture.layers, architecture.input_size)
    cost, outputs = total_cost(rows), [math.prod(row.output_shape) for row in rows]
    windows = [getattr(layer, "pool_size", 0) ** 2 for layer in architecture.layers]
    pooled = sum(count * window for count, window in zip(outputs, windows, strict=True))
    for value, limit, unit in (
        (cost.parameters, MAX_PARAMETERS, "parameters"),
        (cost.multiply_adds, MAX_MULTIPLY_ADDS, "multiplications per image"),
        (pooled, MAX_POOLED, "values to pool per image"),
        (sum(outputs), MAX_OUTPUTS, "outputs of its layers"),
    ):
        if value > limit:
            raise ModelError(
                f"This network has {value:,} {unit}. Networks with more than {limit:,} are too large for a browser, so "
                "this one runs on the server only."
            )


def fits_browser(architecture: Architecture) -> bool:
    """Whether a network is small enough for a browser."""
    try:
        check_size(architecture)
    except ModelError:
        return False
    return True
