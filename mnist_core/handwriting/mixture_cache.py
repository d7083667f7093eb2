"""The drawings of a mixture as a data set: made once, the same for every run, and kept beside Keras's MNIST."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from mnist_core.data.mnist import mnist_cache_path
from mnist_core.drawing import ink, normalize, strokes
from mnist_core.drawing.strokes import PenDigit
from mnist_core.files import replacing
from mnist_core.handwriting import digit_forms, non_digits, pen_digits, templates
from mnist_core.handwriting import mixture as mixture_module
from mnist_core.handwriting.mixture import Images, Labels, Mixture, make_mixture

SEED = 0
MAX_FILES = 4  # files; those used longest ago go first

# What they look like: with any other line in these, other drawings are made.
_MAKERS = (normalize, mixture_module, digit_forms, ink, pen_digits, non_digits, strokes, templates)


def load_mixture(mixture: Mixture, digits: Sequence[PenDigit], processes: int = 1) -> tuple[Images, Labels]:
    """As drawings.make: (N, 28, 28) uint8 and (N,) uint8. Read from the cache, where they were made before.

    Args:
        mixture: how many of each kind.
        digits: strokes of people to draw from.
        processes: how many may work at it.
    """
    path = cache_path(mixture, digits)
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
        path.touch()
        return images, labels
    images, labels = make_mixture(mixture, digits, SEED, processes)
    with contextlib.suppress(OSError):  # a full or read-only disk: the next run makes them again
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            np.savez_compressed(temporary, images=images, labels=labels)
        _forget_old(path.parent)
    return images, labels


def cache_path(mixture: Mixture, digits: Sequence[PenDigit]) -> Path:
    """Where they are kept: a name for each mixture, set of strokes, and version of the code that draws."""
    digest = hashlib.sha256(repr(astuple(mixture)).encode())
    for module in _MAKERS:
        digest.update(Path(str(module.__file__)).read_bytes())
    for digit in digits:
        digest.update(bytes([digit.label]))
        for stroke in digit.strokes:
            digest.update(np.asarray(stroke, np.float64).tobytes())
    return mnist_cache_path().with_name(f"digitlab-drawings-{digest.hexdigest()[:16]}.npz")


def _forget_old(folder: Path) -> None:
    kept = sorted(folder.glob("digitlab-drawings-*.npz"), key=lambda path: -path.stat().st_mtime)
    for path in kept[MAX_FILES:]:
        path.unlink(missing_ok=True)
