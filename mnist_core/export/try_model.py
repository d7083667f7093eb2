"""Opens the models of an imported run: `python -m mnist_core.export.try_model RUN_DIR`. Exit status 0: they work.

LiteRT and HDF5 check little: a broken file can crash the process, and a few bytes can ask for any amount of memory.
That is why this has a process of its own, whose memory is limited to what a model of the run's network may need. What
has been opened here with this much memory needs no more anywhere else.

It prints the name of each file before it opens it, and on standard error what is wrong with it.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from mnist_core.constants import NUM_CLASSES
from mnist_core.errors import DigitLabError, ModelError
from mnist_core.limits import limited
from mnist_core.models.activations import ActivationModel, NoActivationsError
from mnist_core.models.classifier import BATCH, Classifier
from mnist_core.models.select_graph import default_graph, layers_graph
from mnist_core.models.weights import WEIGHTS_FILE
from mnist_core.networks.architecture import Architecture
from mnist_core.runs.run import Run

MAX_SECONDS = 120
"""After this time the process is killed."""
MEMORY_BYTES = 80_000_000
"""Memory that opening the smallest model may take, libraries not included."""
COPIES = 8
"""How many times the size of its weights a model may need, above that."""
BATCH_COPIES = 4
"""How many times the outputs of all layers it may need, above that."""
MAX_BATCH_BYTES = 200_000_000
"""Of the outputs of all layers, for one batch; those of our largest recipe take a quarter of it."""
OTHER_BYTES = 500_000
"""Of a model file, what is not weights: 100 layers take 200,000."""
MAX_OBJECTS = 2_000
"""Groups and arrays in a file of weights: 100 layers have 800."""

OPERATORS = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DELEGATE", "DEPTHWISE_CONV_2D", "DIV", "ELU", "EXPAND_DIMS"}
    | {"FULLY_CONNECTED", "GELU", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MUL", "PACK"}
    | {"REDUCE_MAX", "RELU", "RELU6", "RESHAPE", "RSQRT", "SHAPE", "SOFTMAX", "SQUEEZE", "STRIDED_SLICE", "SUB"}
    | {"SUM", "TANH"}
)
"""LiteRT's operators whose work depends on the shape of the images alone. No loops, no code that is not LiteRT's."""


def main(arguments: list[str]) -> int:
    """Opens the models in a run's folder. Returns the exit status: 0 if they work, else 1."""
    folder = Path(arguments[0])
    try:
        architecture = Run(folder).spec().settings.architecture
        import h5py  # noqa: F401 - before the limit, like all libraries

        limit_memory(needed_bytes(architecture))
        for name, check in CHECKS.items():
            if (folder / name).exists():
                print(name, flush=True)
                check(folder / name, architecture)
    except (DigitLabError, OSError, ValueError, RuntimeError, KeyError, TypeError, MemoryError) as error:
        why = str(error).replace(f"{folder}{os.sep}", "")
        print(" ".join(why.split()) or type(error).__name__, file=sys.stderr)
        return 1
    return 0


def needed_bytes(architecture: Architecture) -> int:
    """Memory that opening the models of a network takes at most."""
    batch = 4 * BATCH * sum(math.prod(row.output_shape) for row in architecture.summary())
    return MEMORY_BYTES + COPIES * 4 * architecture.parameters + BATCH_COPIES * min(batch, MAX_BATCH_BYTES)


def limit_memory(more: int) -> None:
    """From now on, this process can reserve this many bytes more.

    Unlike `limited`, which measures ten times a second, the kernel refuses at once. Does nothing on Windows.
    """
    with contextlib.suppress(ImportError):
        import resource

        most = psutil.Process().memory_info().vms + more
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def check_weights(path: Path, architecture: Architecture) -> None:
    """Checks what a model.keras declares, without reading an array.

    Every array is stored whole in the file, so nothing can be larger than the file: HDF5 could fill an array from a
    single value, unpack it, or read it from another file.

    Raises:
        ModelError: says what is wrong.
    """
    import h5py

    with zipfile.ZipFile(path) as archive:
        size, most = archive.getinfo(WEIGHTS_FILE).file_size, 4 * architecture.parameters + OTHER_BYTES
        if size > most:
            raise ModelError(
                f"its weights take {size:,} bytes; for the network in spec.json at most {most:,} are expected"
            )
        content = archive.read(WEIGHTS_FILE)
    with h5py.File(io.BytesIO(content), "r") as file:
        total = sum(_array_bytes(each) for each in _objects(h5py, file))
    if total > size:
        raise ModelError(f"its arrays take {total:,} bytes in a file of {size:,}")


def _objects(h5py: Any, group: Any) -> Iterator[Any]:
    """Every group and array, each once. Raises ModelError for links to other files, and for too many objects."""
    seen, waiting = set(), [group]
    while waiting:
        each = waiting.pop()
        place = h5py.h5o.get_info(each.id).addr
        if place in seen:
            raise ModelError("one of its arrays or groups has two names")
        seen.add(place)
        if len(seen) + len(waiting) > MAX_OBJECTS or len(each.attrs) > MAX_OBJECTS:
            raise ModelError(f"it has more than {MAX_OBJECTS:,} arrays, groups or attributes")
        if any(each.attrs.get_id(name).shape not in ((), None) for name in each.attrs):
            raise ModelError("an attribute of it is an array")
        yield each
        if isinstance(each, h5py.Group):
            if len(each) > MAX_OBJECTS:
                raise ModelError(f"a group of it has {len(each):,} members")
            for name in each:
                if not isinstance(each.get(name, getlink=True), h5py.HardLink):
                    raise ModelError(f"{name[:80]!r} in it is a link")
                waiting.append(each[name])


def _array_bytes(each: Any) -> int:
    """Bytes of an array, 0 for a group. Raises ModelError if it is not numbers, stored whole and as they are."""
    if not hasattr(each, "dtype"):
        return 0
    if each.dtype.kind not in "biuf" or each.external or each.is_virtual or each.chunks is not None:
        raise ModelError(f"{each.name[:80]!r} in it is not an array of numbers, or is packed or stored elsewhere")
    if each.id.get_storage_size() != each.nbytes:
        raise ModelError(f"{each.name[:80]!r} in it has the shape {each.shape}, but not all of it is in the file")
    return int(each.nbytes)


def check_classifier(path: Path, architecture: Architecture) -> None:
    """Classifies black, white and gray images, as many at once as the app does.

    Raises:
        ModelError: says what is wrong.
    """
    size, most = path.stat().st_size, 2 * 4 * architecture.parameters + OTHER_BYTES
    if size > most:
        raise ModelError(f"it takes {size:,} bytes, and that of its network at most {most:,}")
    content = path.read_bytes()
    for graph in (default_graph(content), layers_graph(content)):
        if graph is not None and (unknown := _operators(graph) - OPERATORS):
            raise ModelError(f"it contains {', '.join(sorted(unknown))[:80]}, which no network of Digit Lab needs")
    model = Classifier(path)
    images = np.zeros((BATCH, model.input_size, model.input_size), np.uint8)
    images[1::3], images[2::3] = 255, 100
    probabilities = model.probabilities(images)
    with contextlib.suppress(NoActivationsError):
        layers = ActivationModel(path)
        layers.outputs(images)
        layers.penultimate(images)
    usable = probabilities.shape[1] >= NUM_CLASSES and np.isfinite(probabilities).all()
    if not usable or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ModelError("it does not classify images of digits")


def _operators(graph: bytes) -> set[str]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=graph, num_threads=1)
    return {str(each["op_name"]) for each in interpreter._get_ops_details()}  # noqa: SLF001 - there is no other way


CHECKS: dict[str, Callable[[Path, Architecture], None]] = {
    "model.keras": check_weights,
    "model.tflite": check_classifier,
}
"""File of a run -> what opens it."""

if __name__ == "__main__":
    with limited(seconds=MAX_SECONDS):  # even if its parent is gone
        sys.exit(main(sys.argv[1:]))
