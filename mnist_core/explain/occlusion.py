"""Occlusion: how much the probability of a digit drops when a patch of the image is erased.

After M. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_core.models.classifier import Classifier

PATCHES_PER_SIDE = 13
"""Patches of 4×4 pixels at a stride of 2, along 28 pixels."""


def occlusion_maps(classifier: Classifier, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measures how much the probability of each output drops for each erased patch.

    Args:
        classifier: the model.
        image: (28, 28) uint8, or (size, size) as the model takes it, ink bright.

    Returns:
        (C, 13, 13) float32, -1..1, a map for each of the model's C outputs: positive where the digit needs the erased
        ink, negative where that ink spoke against it. Entry (r, c) of a map is of the patch whose top left pixel is
        (2r, 2c) of 28×28.

    Raises:
        ModelError: the image has another shape or dtype.
    """
    probabilities = classifier.probabilities(np.concatenate([image[None], occluded_images(image)]))
    drops = (probabilities[0] - probabilities[1:]).T
    return np.asarray(drops.reshape(-1, PATCHES_PER_SIDE, PATCHES_PER_SIDE), np.float32)


def occluded_images(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns (169, size, size) uint8: copies of the image with one patch black in each, row by row."""
    side, stride = len(image) // 7, len(image) // 14
    images = np.repeat(image[None], PATCHES_PER_SIDE**2, axis=0)
    for number, copy in enumerate(images):
        top, left = stride * (number // PATCHES_PER_SIDE), stride * (number % PATCHES_PER_SIDE)
        copy[top : top + side, left : left + side] = 0
    return images


def upsample_occlusion(drops: NDArray[np.float32], size: int = 28) -> NDArray[np.float32]:
    """Spreads a (13, 13) map over the image: each pixel of (size, size) is the mean of the patches that cover it."""
    side, stride = size // 7, size // 14
    total, count = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for (row, column), drop in np.ndenumerate(drops):
        patch = np.s_[stride * row : stride * row + side, stride * column : stride * column + side]
        total[patch] += drop
        count[patch] += 1
    return total / count
