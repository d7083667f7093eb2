"""Which part of a digit an answer rests on: a patch at a time is rubbed out, and the probability falls or not.

After M. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.models.classifier import Classifier

PATCHES_PER_SIDE = 13  # along each side: of 28 pixels, patches of 4 at a stride of 2


def occlusion_map(classifier: Classifier, image: NDArray[np.uint8], digit: int) -> NDArray[np.float32]:
    """How far the probability of a digit falls where a patch is rubbed out.

    Args:
        classifier: the model.
        image: (28, 28) uint8, or (size, size) as the model takes it, ink bright.
        digit: 0..9, or an output past the tenth.

    Returns:
        (13, 13) float32, -1..1: positive where the digit needs what was rubbed out, negative where it stood in the
        way. Place (r, c) is of the patch that begins at pixel (2r, 2c) of 28 and is 4 pixels wide.

    Raises:
        ModelError: for another image, or where the model has no such output.
    """
    probabilities = classifier.probabilities(np.concatenate([image[None], occluded_images(image)]))
    if not 0 <= digit < probabilities.shape[1]:
        raise ModelError(f"The model has {probabilities.shape[1]} outputs; there is none of number {digit}.")
    drop = probabilities[0, digit] - probabilities[1:, digit]
    return np.asarray(drop.reshape(PATCHES_PER_SIDE, PATCHES_PER_SIDE), np.float32)


def occluded_images(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(169, size, size) uint8: the image with each of the patches black, row by row."""
    side, stride = len(image) // 7, len(image) // 14
    images = np.repeat(image[None], PATCHES_PER_SIDE**2, axis=0)
    for number, changed in enumerate(images):
        top, left = stride * (number // PATCHES_PER_SIDE), stride * (number % PATCHES_PER_SIDE)
        changed[top : top + side, left : left + side] = 0
    return images


def upsample_occlusion(places: NDArray[np.float32], size: int = 28) -> NDArray[np.float32]:
    """(size, size) float32: each pixel the mean of the patches that cover it, to lay over the image."""
    side, stride = size // 7, size // 14
    total, count = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for (row, column), value in np.ndenumerate(places):
        where = np.s_[stride * row : stride * row + side, stride * column : stride * column + side]
        total[where] += value
        count[where] += 1
    return total / count
