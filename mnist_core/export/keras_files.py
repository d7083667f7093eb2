"""A Keras script with the files that it reads: the offline sample in SAMPLE_FILE, drawings in DRAWINGS_FILE."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.mnist import load_mnist
from mnist_core.data.mnist_files import MNIST_KEYS
from mnist_core.errors import DataError
from mnist_core.export.keras_data import DRAWINGS_FILE, SAMPLE_FILE
from mnist_core.export.keras_script import SCRIPT_FILE, dataset_name, script_source
from mnist_core.handwriting import mixture_cache
from mnist_core.handwriting.mixture import MIXTURES, Mixture
from mnist_core.handwriting.pen_digits import load_pen_digits, pen_digits_available, split_writers
from mnist_core.processes import cpu_count
from mnist_core.runs.run import Run


def script_files(run: Run) -> dict[str, bytes]:
    """The script and the files that it reads: SCRIPT_FILE first, then SAMPLE_FILE and DRAWINGS_FILE if needed.

    Raises:
        RunError: the run is a fine-tuning of another model, or its files cannot be read.
        DataError: its drawings cannot be made again, because the pen digits are not available.
    """
    contents = {SCRIPT_FILE: script_source(run).encode()}
    if dataset_name(run) == "sample":
        contents[SAMPLE_FILE] = _npz(**{key: getattr(load_mnist("sample"), key) for key in MNIST_KEYS})
    if run.spec().settings.drawings != "none":
        images, labels = drawings_of_run(run)
        contents[DRAWINGS_FILE] = _npz(images=images, labels=labels)
    return contents


def stands_alone(run: Run) -> bool:
    """True if the script needs no other file. Raises RunError if the run cannot be read."""
    return dataset_name(run) != "sample" and run.spec().settings.drawings == "none"


def script_zip(run: Run) -> bytes:
    """`script_files` as a zip. Raises as `script_files`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in script_files(run).items():
            archive.writestr(name, file)
    return content.getvalue()


def drawings_of_run(run: Run) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Makes the drawings that a run was trained on once more.

    Returns:
        (N, 28, 28) uint8 images and (N,) uint8 labels.

    Raises:
        DataError: the run was trained on pen digits, and they are not available.
    """
    spec, pen = run.spec(), run.card().get("pen")
    mixture = MIXTURES[spec.settings.drawings] or Mixture(0, 0, 0)
    if spec.settings.architecture.summary()[-1].output_shape[0] <= NOT_A_DIGIT:
        mixture = replace(mixture, non_digits=0)
    writers = pen.get("trained_on_writers") if isinstance(pen, dict) else None
    if writers and not pen_digits_available():
        raise DataError(
            f"The run {run.id} was trained on pen digits, which are not on this computer. Set DIGITLAB_PEN to a file "
            "of them, or train a recipe that needs them here, which downloads them."
        )
    trained_without = writers is not None and not writers
    digits = split_writers(load_pen_digits())[0] if pen_digits_available() and not trained_without else ()
    return mixture_cache.load_mixture(mixture, digits, cpu_count())


def _npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()
