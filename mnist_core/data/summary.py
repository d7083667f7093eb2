"""Summarizes a data set: images of each digit, mean digits, and how bright the pixels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import Mnist
from mnist_core.data.splits import uncenter_images

INTENSITY_BINS = 32
"""Bins of the histogram of pixel values, 8 values each."""
ROW_LENGTH = 10
"""Digits in the row that the tutorials print."""
SQUARE_LENGTH = 4
"""Digits in the two-by-two square that the tutorials print."""


@dataclass(frozen=True, eq=False)
class DatasetSummary:
    """What is known of a data set as a whole.

    Attributes:
        training, test: (10,) int64, number of images of each digit.
        means: (10, 28, 28) uint8, the mean training image of each digit; black if there is none.
        intensities: (INTENSITY_BINS,) int64, number of training pixels by value: the first bin counts 0..7.
        black, white: shares of the training pixels that are exactly 0 and exactly 255, 0..1.
    """

    training: NDArray[np.int64]
    test: NDArray[np.int64]
    means: NDArray[np.uint8]
    intensities: NDArray[np.int64]
    black: float
    white: float


def summarize_dataset(mnist: Mnist) -> DatasetSummary:
    """Summarizes a data set. Takes half a second for the full MNIST."""
    counts = np.zeros(256, np.int64)
    means = np.zeros((NUM_CLASSES, 28, 28), np.uint8)
    for digit in range(NUM_CLASSES):  # one digit at a time, because bincount converts its input to int64
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
    """Puts (N, S, S) images next to one another, (S, N * S)."""
    return np.hstack(list(images))


def image_square(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Puts the first four of (N, S, S) images two by two, (2 S, 2 S). Missing ones are black."""
    four = np.zeros((SQUARE_LENGTH, *images.shape[1:]), np.uint8)
    four[: min(SQUARE_LENGTH, len(images))] = images[:SQUARE_LENGTH]
    return np.vstack([np.hstack(list(four[:2])), np.hstack(list(four[2:]))])


def centered_and_uncentered(images: NDArray[np.uint8], seed: int = 1) -> NDArray[np.uint8]:
    """Shows centered digits above the same digits at random positions in a larger field, as in Lesson 08.

    Args:
        images: (N, 28, 28) uint8.
        seed: decides the positions; 1 gives those of the training images.

    Returns:
        (112, 56 N) uint8: fields of 56×56, centered in the upper half, uncentered in the lower.
    """
    centered = np.pad(images, ((0, 0), (14, 14), (14, 14)))
    return np.vstack([image_row(centered), image_row(uncenter_images(images, np.random.RandomState(seed)))])
