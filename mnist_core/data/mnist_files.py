"""Reads MNIST from an .npz file or a folder of idx files. Everything is checked and nothing is ever unpickled."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import DataError
from mnist_core.files.read import is_file, is_folder, open_file

MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")
"""The arrays of Keras's mnist.npz."""
MAX_IMAGES = 1_000_000
"""A header that announces more images is refused before any memory is allocated for them."""
MAX_NPY_HEADER = 10_000
"""Bytes of the header of an array. That of MNIST has 118."""

_IDX_NAMES = {
    "x_train": ("train-images", "idx3-ubyte"),
    "y_train": ("train-labels", "idx1-ubyte"),
    "x_test": ("t10k-images", "idx3-ubyte"),
    "y_test": ("t10k-labels", "idx1-ubyte"),
}

Array = NDArray[np.uint8]
Shape = tuple[int, ...]


def read_sizes(path: Path) -> tuple[int, int]:
    """Returns the numbers of training and test images, from the headers alone.

    Args:
        path: an .npz file with Keras's four keys, or a folder of the four idx files.

    Raises:
        DataError: the file or folder is missing or broken, or its four arrays do not fit together.
    """
    return _read_size(path, "x_train", "y_train"), _read_size(path, "x_test", "y_test")


def read_arrays(path: Path) -> dict[str, Array]:
    """Returns the four arrays by their MNIST_KEYS: images (N, 28, 28) uint8 and labels (N,) uint8, 0..9.

    Raises:
        DataError: as for `read_sizes`, or a label is above 9.
    """
    read_sizes(path)  # all headers before any array, so that a false one costs nothing
    arrays = {key: _read_array(path, key) for key in MNIST_KEYS}
    for key in ("y_train", "y_test"):
        if (largest := arrays[key].max()) > 9:
            raise format_error(_describe(path, key), f"the label {largest}", "labels 0..9")
    return arrays


def format_error(where: object, found: str, expected: str) -> DataError:
    """Returns the error for a file that is not MNIST."""
    fix = "Give Keras's mnist.npz, or a folder with MNIST's four idx files, gzipped or not."
    return DataError(f"{where} cannot be used as MNIST. Found {found}; expected {expected}. {fix}")


def _read_size(path: Path, images: str, labels: str) -> int:
    shape, label_shape = _read_shape(path, images), _read_shape(path, labels)
    if shape[1:] != (28, 28) or not 1 <= shape[0] <= MAX_IMAGES:
        expected = f"(N, 28, 28) with N from 1 to {MAX_IMAGES:,}"
        raise format_error(_describe(path, images), f"the shape {shape}", expected)
    if label_shape != shape[:1]:
        expected = f"({shape[0]},): one label for each image"
        raise format_error(_describe(path, labels), f"the shape {label_shape}", expected)
    return shape[0]


def _read_shape(path: Path, key: str) -> Shape:
    with _open_array(path, key) as stream:
        return _read_idx_shape(stream) if is_folder(path) else _read_npy_shape(stream)


def _read_array(path: Path, key: str) -> Array:
    with _open_array(path, key) as stream:
        array = _read_idx_array(stream) if is_folder(path) else np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # zipfile and gzip check their checksum only when they reach the very end
            raise ValueError("more bytes than the header announces")
    return np.asarray(array, np.uint8)


@contextmanager
def _open_array(path: Path, key: str) -> Iterator[IO[bytes]]:
    """Opens the bytes of one array. Whatever goes wrong while they are read becomes a DataError."""
    try:
        if is_folder(path):
            with _open_idx(_find_idx_file(path, key)) as stream:
                yield stream
        else:
            with (
                open_file(path) as packed,
                zipfile.ZipFile(packed) as archive,
                archive.open(_npz_member(archive, key, path)) as member,
            ):
                yield member
    except DataError:
        raise
    except FileNotFoundError as error:
        raise format_error(path, "no such file or folder", "a path that exists") from error
    except Exception as error:  # zipfile, zlib, lzma, gzip, struct and NumPy's header parser each raise their own kinds
        found = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        expected = "a whole array of uint8 in an .npz or an idx file"
        raise format_error(_describe(path, key), found, expected) from error


def _describe(path: Path, key: str) -> str:
    return str(_find_idx_file(path, key)) if is_folder(path) else f"{path} ({key})"


def _npz_member(archive: zipfile.ZipFile, key: str, path: Path) -> str:
    names = archive.namelist()
    if f"{key}.npy" not in names:
        found = ", ".join(name.removesuffix(".npy") for name in names[:8])
        raise format_error(path, f"the arrays {found or '(none)'}", ", ".join(MNIST_KEYS))
    return f"{key}.npy"


def _read_npy_shape(stream: IO[bytes]) -> Shape:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):  # 3 is for structured arrays only
        raise ValueError(f"version {version} of the .npy format")
    length = int.from_bytes(stream.read(2 if version == (1, 0) else 4), "little")
    if length > MAX_NPY_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    header = stream.read(length)
    of_version_1 = io.BytesIO(struct.pack("<H", length) + header)
    shape, _, dtype = np.lib.format.read_array_header_1_0(of_version_1)
    if dtype != np.uint8:
        raise ValueError("a pickle, which is never read" if dtype.hasobject else f"numbers of type {dtype}")
    return tuple(shape)


def _find_idx_file(folder: Path, key: str) -> Path:
    stem, kind = _IDX_NAMES[key]
    for name in (f"{stem}{mark}{kind}{end}" for mark in "-." for end in ("", ".gz")):
        if is_file(folder / name):
            return folder / name
    raise format_error(folder, f"no {stem}-{kind} in it", f"{stem}-{kind} or {stem}.{kind}, with or without .gz")


def _open_idx(file: Path) -> IO[bytes]:
    with open_file(file) as stream:
        gzipped = stream.read(2) == b"\x1f\x8b"  # not by the name: browsers unpack a download and keep its .gz
    return cast(IO[bytes], gzip.open(file)) if gzipped else open_file(file)


def _read_idx_shape(stream: IO[bytes]) -> Shape:
    """Reads an idx header: two zeros, 8 for uint8, the number of axes, then each length as big-endian uint32."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08":
        raise ValueError(f"{magic.hex(' ') or 'nothing'} at the start, not 00 00 08")
    return struct.unpack(f">{magic[3]}I", stream.read(4 * magic[3]))


def _read_idx_array(stream: IO[bytes]) -> Array:
    shape = _read_idx_shape(stream)
    content = stream.read(math.prod(shape))
    if len(content) < math.prod(shape):
        raise ValueError(f"only {len(content):,} of {math.prod(shape):,} bytes: it is cut short")
    return np.frombuffer(content, np.uint8).reshape(shape)
