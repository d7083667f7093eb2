"""Which images train, validate and test: the splits of the published recipes, and Lesson 08's uncentered images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.data.mnist import Mnist
from mnist_core.data.mnist_files import Array
from mnist_core.errors import DataError, SettingError


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test images (N, 28, 28) or (N, 56, 56) uint8, each with labels (N,) uint8."""

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array
    x_test: Array
    y_test: Array


def split_mnist(mnist: Mnist, name: str) -> Split:
    """Splits a data set as a published recipe does. Sizes other than full MNIST's are split by the same fractions.

    Args:
        mnist: the data set.
        name: one of SPLITS.

    Raises:
        SettingError: there is no split of this name.
        DataError: there are so few digits that a part would be empty.
    """
    if name not in SPLITS:
        raise SettingError(f"Unknown split {name!r}. Expected one of: {', '.join(SPLITS)}.")
    parts = SPLITS[name](mnist)
    if not (len(parts.y_train) and len(parts.y_validation) and len(parts.y_test)):
        raise DataError(
            f"{mnist.source} has too few digits for the split {name!r}: {len(mnist.y_train)} training and "
            f"{len(mnist.y_test)} test digits leave a part empty. Choose another split or a larger data set."
        )
    return parts


def _hold_out_last(mnist: Mnist, kept: int, of: int) -> Split:
    """The first `kept` of every `of` training images train, the last ones validate."""
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
    "last-sixth": lambda mnist: _hold_out_last(mnist, 5, 6),
    "test-as-validation": _test_as_validation,
    "half-test": _half_test,
    "last-fifth": lambda mnist: _hold_out_last(mnist, 4, 5),
}


def uncenter_images(images: Array, generator: np.random.RandomState) -> Array:
    """Places each digit at random in a black field of twice its size.

    Args:
        images: (N, 28, 28) uint8.
        generator: draws two numbers from 0..27 for each image in turn: its horizontal, then its vertical offset.

    Returns:
        (N, 56, 56) uint8.
    """
    left, top = generator.randint(0, 28, size=(len(images), 2)).T
    fields = np.zeros((len(images), 56, 56), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(fields, (28, 28), axis=(1, 2), writeable=True)
    windows[np.arange(len(images)), top, left] = images  # windows: (N, 29, 29, 28, 28)
    return fields


def uncenter_split(parts: Split, seed: int = 1) -> Split:
    """Returns the 56×56 variant of Lesson 08. One generator runs through training, validation and test images."""
    generator = np.random.RandomState(seed)
    x_train, x_validation, x_test = (
        uncenter_images(x, generator) for x in (parts.x_train, parts.x_validation, parts.x_test)
    )
    return Split(x_train, parts.y_train, x_validation, parts.y_validation, x_test, parts.y_test)


def uncenter_test_images(parts: Split, seed: int = 1) -> Array:
    """Returns only the test images of `uncenter_split`, (N, 56, 56) uint8. The other images would take 200 MB."""
    generator = np.random.RandomState(seed)
    generator.randint(0, 28, size=(len(parts.y_train) + len(parts.y_validation), 2))  # theirs, drawn before
    return uncenter_images(parts.x_test, generator)
