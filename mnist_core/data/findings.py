"""What the charts of data show, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.summary import DatasetSummary

BALANCED_RATIO = 1.5
"""Of the most and the least frequent digit, up to which classes count as balanced."""


def class_balance(summary: DatasetSummary) -> str:
    """`The digits are nearly balanced: 1 is the most frequent (11% of the training images), 5 the rarest (9%).`"""
    counts = summary.training
    most, fewest = int(counts.argmax()), int(counts.argmin())
    if counts[most] == counts[fewest]:
        return f"The digits are balanced: {counts[most]:,} training images show each of them."
    balanced = counts[most] <= BALANCED_RATIO * counts[fewest]
    first, last = (f"{counts[digit] / counts.sum():.1%}" for digit in (most, fewest))
    return (
        f"The digits are {'nearly balanced' if balanced else 'not balanced'}: {most} is the most frequent "
        f"({first} of the training images), {fewest} the rarest ({last})."
    )


def pixel_values(summary: DatasetSummary) -> str:
    """`81% of the pixels are black paper and 0.7% are full ink; the other 18% are mostly the edges of strokes.`"""
    rest = 1 - summary.black - summary.white
    return (
        f"{summary.black:.0%} of the pixels are black paper and {summary.white:.1%} are full ink; "
        f"the other {rest:.0%} are mostly the edges of strokes."
    )


def mean_digits(summary: DatasetSummary) -> str:
    """`People agree most on the 1: its mean has the brightest pixel. They agree least on the 4.`"""
    digits = np.flatnonzero(summary.training)
    peaks = summary.means[digits].reshape(len(digits), -1).max(axis=1)
    most, least = int(digits[peaks.argmax()]), int(digits[peaks.argmin()])
    return f"People agree most on the {most}: its mean has the brightest pixel. They agree least on the {least}."


def augmentations(image: NDArray[np.uint8], changed: Mapping[str, NDArray[np.uint8]]) -> str:
    """`Rotation changes this digit most, wobble least.` Compares the mean change of a pixel at the stronger end.

    Args:
        image: (28, 28) uint8, the digit.
        changed: name of an augmentation -> (N, 28, 28) uint8, the digit from one end of its range to the other.
    """
    change = {
        name: float(np.abs(pictures[[0, -1]].astype(np.int16) - image).mean(axis=(1, 2)).max())
        for name, pictures in changed.items()
    }
    most, least = max(change, key=change.__getitem__), min(change, key=change.__getitem__)
    if change[most] == 0:
        return "No augmentation is on."
    return f"{most.capitalize()} changes this digit most, {least} least."


def augmented_digits(predictions: NDArray[np.uint8], label: int) -> str:
    """`Digit Lab's model reads 19 of these 20 as a 5.`"""
    right = int((predictions == label).sum())
    article = "an" if label == 8 else "a"
    return f"Digit Lab's model reads {right} of these {len(predictions)} as {article} {label}."


def ink(image: NDArray[np.uint8]) -> str:
    """`The digit is 20 pixels high and 14 wide; 166 of 784 pixels have ink.` `image`: (28, 28) uint8."""
    inked = image > 0
    if not inked.any():
        return "The image is empty."
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    size = f"{np.ptp(rows) + 1} pixels high and {np.ptp(columns) + 1} wide"
    return f"The digit is {size}; {inked.sum()} of {image.size} pixels have ink."


def misread_digits(labels: NDArray[np.uint8], predictions: NDArray[np.uint8] | None) -> str:
    """`3 of these 100 digits are misread.` Empty without predictions."""
    if predictions is None:
        return ""
    wrong = int((labels != predictions).sum())
    if not wrong:
        return f"All of these {len(labels)} digits are read correctly."
    return f"{wrong} of these {len(labels)} digits {'is' if wrong == 1 else 'are'} misread."


def digit_map(points: NDArray[np.float64], labels: NDArray[np.uint8]) -> str:
    """`4 and 9 are closest together, 0 and 1 farthest apart.` By the distance of their centers.

    Args:
        points: (N, 2) coordinates.
        labels: (N,) 0..9.
    """
    digits = np.unique(labels)
    if len(digits) < 3:
        return ""
    centers = np.array([points[labels == digit].mean(axis=0) for digit in digits])
    distances = np.linalg.norm(centers[:, None] - centers, axis=-1)
    upper = np.where(np.triu(np.ones_like(distances), 1) > 0, distances, np.nan)
    near, far = (np.unravel_index(find(upper), upper.shape) for find in (np.nanargmin, np.nanargmax))
    return (
        f"{digits[near[0]]} and {digits[near[1]]} are closest together, {digits[far[0]]} and {digits[far[1]]} "
        "farthest apart."
    )
