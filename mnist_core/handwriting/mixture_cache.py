"""Keeps the drawings of a mixture on disk, next to Keras's MNIST, so that only the first run has to make them.

The file's name holds VERSION and a hash of everything else that decides the drawings: the mixture, the seed and the
strokes they are made from. Moving or rewording code does not invalidate it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from mnist_core.data.mnist import mnist_cache_path
from mnist_core.drawing.strokes import PenDigit
from mnist_core.files.folders import delete_file, make_folder, move
from mnist_core.files.leftovers import delete_leftovers
from mnist_core.files.read import load_arrays
from mnist_core.files.write import write_arrays
from mnist_core.handwriting.mixture import (
    CHUNK,
    Images,
    Labels,
    Mixture,
    Progress,
    make_first_drawings,
    make_mixture,
    shuffled_kinds,
)

VERSION = 2
"""Bump it in the commit that changes what `make_mixture` returns, in even one pixel of one drawing.

tests/handwriting/test_mixture_cache.py compares a few drawings with a stored digest and fails if they changed while
this number did not. A change that keeps every pixel (a rename, a move, a speed-up) must not bump it: each bump makes
everybody draw for half a minute again.
"""

SEED = 0
"""Every run trains on the same drawings, whatever its own seed."""

MAX_BYTES = 2_000_000_000
"""Largest size of the arrays of a cache file."""
MAX_FILES = 4
"""Cache files kept; the ones used longest ago are deleted."""

_UNVERSIONED = "digitlab-drawings-" + "[0-9a-f]" * 16 + ".npz"
_CHECKED = 100  # drawings made again before an unversioned file is trusted: 0.2 s


def load_mixture(
    mixture: Mixture,
    digits: Sequence[PenDigit],
    processes: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[Images, Labels]:
    """Returns the drawings of `make_mixture` with SEED, from the cache if possible.

    Args:
        mixture: how many drawings of each kind.
        digits: the pen digits to draw.
        processes: how many processes may work at once if the drawings have to be made.
        progress: called while they are made.

    Returns:
        (N, 28, 28) uint8, ink bright, and (N,) uint8 labels, 0..9 or NOT_A_DIGIT.
    """
    path = mixture_cache_path(mixture, digits)
    cached = _read(path) or _adopt_unversioned(path, mixture, digits)
    if cached:
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now, so the last to be deleted
        return cached
    images, labels = make_mixture(mixture, digits, SEED, processes, progress)
    with contextlib.suppress(OSError):  # a full or read-only disk: the next run makes them again
        make_folder(path.parent)
        delete_leftovers(path.parent)
        write_arrays(path, compressed=True, images=images, labels=labels)
        _delete_oldest(path.parent)
    return images, labels


def mixture_cache_path(mixture: Mixture, digits: Sequence[PenDigit]) -> Path:
    """Returns the cache file for a mixture of drawings of these pen digits."""
    digest = hashlib.sha256(repr((astuple(mixture), SEED, CHUNK)).encode())
    for digit in digits:
        digest.update(bytes([digit.label]))
        for stroke in digit.strokes:
            digest.update(repr(stroke.shape).encode())
            digest.update(np.asarray(stroke, "<f4").tobytes())
    return mnist_cache_path().with_name(f"digitlab-drawings-v{VERSION}-{digest.hexdigest()[:16]}.npz")


def _read(path: Path) -> tuple[Images, Labels] | None:
    """Reads a cache file; None if it is missing or damaged."""
    try:
        arrays = load_arrays(path, MAX_BYTES)
        return arrays["images"], arrays["labels"]
    except (OSError, ValueError, KeyError):
        return None


def _adopt_unversioned(path: Path, mixture: Mixture, digits: Sequence[PenDigit]) -> tuple[Images, Labels] | None:
    """Takes over a file of an older program, whose name was a hash that included its source code.

    That hash cannot be computed without the old source, so the content decides: the file has as many drawings as the
    mixture, and the first of them are the ones that are made now.
    """
    count = len(shuffled_kinds(mixture, digits, SEED))
    candidates = [(file, cached) for file in path.parent.glob(_UNVERSIONED) if (cached := _read(file))]
    candidates = [(file, cached) for file, cached in candidates if len(cached[1]) == count]
    expected = make_first_drawings(mixture, digits, SEED, _CHECKED) if candidates else None
    for file, cached in candidates:
        if expected and all(np.array_equal(old[:_CHECKED], new) for old, new in zip(cached, expected, strict=True)):
            with contextlib.suppress(OSError):  # read-only, or another process has just renamed it
                move(file, path)
            return cached
    return None


def _delete_oldest(folder: Path) -> None:
    files = sorted(folder.glob("digitlab-drawings-*.npz"), key=lambda path: -path.stat().st_mtime)
    for path in files[MAX_FILES:]:
        delete_file(path)
