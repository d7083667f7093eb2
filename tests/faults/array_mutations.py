"""Damaged .npz files: arrays of other types, shapes and names, none, too many, too large ones, and a pickle."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np


def mutated_arrays(content: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields what was done, and a function that returns the content."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    first = next(iter(arrays))
    odd: dict[str, Any] = {
        "of no elements": np.empty((0, 28, 28), np.uint8),
        "of one number": np.uint8(3),
        "of text": np.array(["text"]),
        "of NaN": np.full(arrays[first].shape, np.nan),
        "of 10**30": np.full((3, 3), 1e30),
        "of complex numbers": np.ones(4, complex),
        "of six axes": np.ones((1, 2, 1, 2, 1, 2), np.uint8),
        "of other bytes": (arrays[first].view(np.uint8).ravel()[::-1]).copy(),
    }
    for name, array in itertools.product(arrays, odd):
        yield f"{name} {array}", partial(_packed, {**arrays, name: odd[array]})
    for name in arrays:
        yield f"without {name}", partial(_packed, {key: arrays[key] for key in arrays if key != name})
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    yield "a pickle", partial(_zipped, {f"{first}.npy": pickled.getvalue()})
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28)})
    yield "an array that says it is huge", partial(_zipped, {f"{first}.npy": huge.getvalue()})
    yield "300 MB of zeros", partial(_zeros, first)
    more = {f"more{number}": np.zeros(1) for number in range(5_000)}
    yield "5,000 more arrays", partial(_packed, {**arrays, **more})


def _zeros(name: str) -> bytes:
    return _packed({name: np.zeros((400_000, 28, 28), np.uint8)})


def _packed(arrays: dict[str, Any]) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def _zipped(files: dict[str, bytes]) -> bytes:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return zipped.getvalue()
