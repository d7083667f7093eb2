"""What a data set looks like as a whole: how many of each digit, their means, how bright the pixels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import Mnist, uncenter_images

INTENSITY_BINS = 32  # of pixel values, 8 each
ROW_LENGTH, SQUARE_LENGTH = 10, 4  # digits that the tutorials print: in a row, and two by two


@dataclass(frozen=True, eq=False)
class DatasetSummary:
    """A data set at a glance.

    Attributes:
        training, test: (10,) int64, images of each digit.
        means: (10, 28, 28) uint8, the mean training image of each digit; black where there is none.
        intensities: (BINS,) int64, training pixels by value: the first bin holds 0..7.
        black, white: shares of the training pixels that are exactly 0 and exactly 255, 0..1.
    """

    training: NDArray[np.int64]
    test: NDArray[np.int64]
    means: NDArray[np.uint8]
    intensities: NDArray[np.int64]
    black: float
    white: float


def summarize_dataset(mnist: Mnist) -> DatasetSummary:
    """The figures of a data set. Half a second for the full MNIST."""
    counts = np.zeros(256, np.int64)
    means = np.zeros((NUM_CLASSES, 28, 28), np.uint8)
    for digit in range(NUM_CLASSES):  # one at a time: bincount makes int64 of what it counts
        images = mnist.x_train[mnist.y_train == digit]
        if len(images):
            counts += np.bincount(images.ravel(), minlength=256)
            means[digit] = np.rint(images.mean(axis=0))
    return DatasetSummary(
        training=np.bincount(mnist.y_train, minlength=NUM_CLASSES),
        test=np.bincount(mnist.y_test, minlength=NUM_CLASSES),
        means=means,
        intensities=counts.reshape(INTENSITY_BINS, -1).sum(axis=1),
        black=float(counts[0] / counts.sum()),
        white=float(counts[255] / counts.sum()),
    )


def image_row(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, S, S) images side by side, (S, N * S)."""
    return np.hstack(list(images))


def image_square(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The first four of (N, S, S) images two by two, (2 S, 2 S), black where there are fewer."""
    four = np.zeros((SQUARE_LENGTH, *images.shape[1:]), np.uint8)
    four[: min(SQUARE_LENGTH, len(images))] = images[:SQUARE_LENGTH]
    return np.vstack([np.hstack(list(four[:2])), np.hstack(list(four[2:]))])


def centered_and_uncentered(images: NDArray[np.uint8], seed: int = 1) -> NDArray[np.uint8]:
    """Digits as they are above the same digits somewhere in a field of twice the size, as Lesson 08 places them.

    Args:
        images: (N, 28, 28) uint8.
        seed: of the places; 1 gives those that training images have.

    Returns:
        (112, 56 N) uint8: the upper half in the middle of its field, the lower half not.
    """
    centred = np.pad(images, ((0, 0), (14, 14), (14, 14)))
    return np.vstack([image_row(centred), image_row(uncenter_images(images, np.random.RandomState(seed)))])
