"""Robustness: the accuracy of a model on digits that are distorted more and more, or placed anywhere in a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.labels import correct_mask
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.models.classifier import Classifier

Images = NDArray[np.uint8]
"""(N, 28, 28) uint8, ink bright: what every function here takes and returns."""
Labels = NDArray[np.uint8]

SUBSET = 1000
"""Images that robustness is measured on."""
SEED = 0
"""Seeds the subset, the noise and the positions of occlusions."""
STROKE_UPSCALING = 4
"""Images are enlarged this many times to dilate or erode strokes by fractions of a pixel."""
OCCLUSION_CENTERS = (6, 22)
"""Range of the centers of occluding squares, in pixels: digits fill 4 to 24."""
SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Directions of a shift as (right, down): right, down, left, up."""


@dataclass(frozen=True)
class Distortion:
    """One way to distort digits.

    Attributes:
        title: name for people.
        unit: of the levels.
        levels: ascending; `neutral` is one of them.
        neutral: the level that changes nothing.
        change: (N, 28, 28) uint8 images and a level -> (N, 28, 28) uint8.
        note: what to know when reading the result.
    """

    title: str
    unit: str
    levels: tuple[float, ...]
    neutral: float
    change: Callable[[Images, float], Images]
    note: str = ""

    def apply(self, images: Images, level: float) -> Images:
        """Distorts (N, 28, 28) uint8 images; at `neutral` they stay bit for bit the same."""
        return images if level == self.neutral else self.change(images, level)


def rotate(images: Images, degrees: float) -> Images:
    """Rotates clockwise about the center."""
    return _warp(images, cv2.getRotationMatrix2D((13.5, 13.5), -degrees, 1.0))


def scale(images: Images, factor: float) -> Images:
    """Scales about the center; what no longer fits is cut off."""
    return _warp(images, cv2.getRotationMatrix2D((13.5, 13.5), 0, factor))


def _warp(images: Images, matrix: NDArray[np.float64]) -> Images:
    return np.stack([cv2.warpAffine(image, matrix, (28, 28), flags=cv2.INTER_LINEAR) for image in images])


def shift(images: Images, pixels: float) -> Images:
    """Shifts every image right, down, left or up in turn; what leaves the image is lost."""
    distance, moved = round(pixels), np.empty_like(images)
    margin = ((0, 0), (distance, distance), (distance, distance))
    for turn, (right, down) in enumerate(SIDES):
        top, left = distance * (1 - down), distance * (1 - right)
        moved[turn::4] = np.pad(images[turn::4], margin)[:, top : top + 28, left : left + 28]
    return moved


def stroke(images: Images, pixels: float) -> Images:
    """Makes strokes wider, or thinner if `pixels` is negative: dilates or erodes them in enlarged images."""
    side = round(abs(pixels) * STROKE_UPSCALING) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if pixels > 0 else cv2.erode
    factor = STROKE_UPSCALING
    large = (cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR) for image in images)
    return np.stack([cv2.resize(change(image, kernel), (28, 28), interpolation=cv2.INTER_AREA) for image in large])


def noise(images: Images, deviation: float) -> Images:
    """Adds the same Gaussian noise at every level, only stronger. `deviation`: in gray levels of 255."""
    grain = np.random.default_rng(SEED).standard_normal(images.shape, np.float32)
    return _to_uint8(images + deviation * grain)


def blur(images: Images, deviation: float) -> Images:
    """Gaussian blur. `deviation`: standard deviation in pixels."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), deviation, borderType=cv2.BORDER_CONSTANT) for image in images])


def occlude(images: Images, side: float) -> Images:
    """Covers each digit with a black square at a random place. Squares of all sizes have the same center."""
    covered = images.copy()
    centers = np.random.default_rng(SEED).integers(*OCCLUSION_CENTERS, (len(images), 2), endpoint=True)
    for image, (y, x) in zip(covered, centers - round(side) // 2, strict=True):
        image[max(y, 0) : y + round(side), max(x, 0) : x + round(side)] = 0
    return covered


def contrast(images: Images, factor: float) -> Images:
    """Multiplies the brightness, up to full white."""
    return _to_uint8(images * np.float32(factor))


def invert(images: Images, share: float) -> Images:
    """Blends with the inverted image: 0 is bright ink on black, 0.5 uniform gray, 1 black ink on white."""
    return _to_uint8(images * np.float32(1 - share) + (255 - images) * np.float32(share))


def _to_uint8(values: NDArray[np.float32]) -> Images:
    return np.rint(values).clip(0, 255).astype(np.uint8)


DISTORTIONS: dict[str, Distortion] = {
    "rotation": Distortion(
        "Rotation",
        "degrees clockwise",
        (-60, -45, -30, -15, 0, 15, 30, 45, 60),
        0,
        rotate,
        "Rotated far enough, a 6 is a 9: no model can get both right.",
    ),
    "shift": Distortion(
        "Shift",
        "pixels",
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        0,
        shift,
        "To the right, down, left and up in turn. From about 4 pixels on, digits are cut off.",
    ),
    "scale": Distortion(
        "Scale",
        "times as large",
        (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6),
        1,
        scale,
        "Above 1.4 the ends of strokes leave the image.",
    ),
    "stroke width": Distortion(
        "Stroke width",
        "pixels wider",
        (-2, -1.5, -1, -0.5, 0, 0.5, 1, 2, 3, 4),
        0,
        stroke,
        "MNIST's strokes are about 2.5 pixels wide.",
    ),
    "noise": Distortion(
        "Noise", "gray levels of 255, standard deviation", (0, 20, 40, 60, 80, 100, 130, 160), 0, noise
    ),
    "blur": Distortion("Blur", "pixels, standard deviation", (0, 0.5, 1, 1.5, 2, 2.5, 3, 4), 0, blur),
    "occlusion": Distortion(
        "Occlusion",
        "pixels, side of the covered square",
        (0, 2, 4, 6, 8, 10, 12, 14),
        0,
        occlude,
        "A black square at a random place of each digit, as if erased.",
    ),
    "contrast": Distortion("Contrast", "times as bright", (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 4), 1, contrast),
    "inversion": Distortion(
        "Inversion",
        "of full inversion, 1 = black ink on white",
        (0, 0.2, 0.4, 0.5, 0.6, 0.8, 1),
        0,
        invert,
        "At 0.5 the image is uniform gray. A model that can reject drawings may reject any gray background.",
    ),
}
"""Name -> distortion, in the order of the menu."""


def balanced_subset(labels: Labels, count: int = SUBSET) -> NDArray[np.int64]:
    """Picks the same number of images of each digit, always the same ones.

    Args:
        labels: (N,) uint8, 0..9.
        count: images in total, a multiple of ten. Of a digit with fewer images all are picked.

    Returns:
        Indices of images, int64, ascending.
    """
    generator, each = np.random.RandomState(SEED), count // NUM_CLASSES  # RandomState: its numbers never change
    by_digit = [np.flatnonzero(labels == digit) for digit in range(NUM_CLASSES)]
    return np.sort(np.concatenate([generator.permutation(indices)[:each] for indices in by_digit]))


def accuracy_at(classifier: Classifier, images: Images, labels: Labels, distortion: Distortion, level: float) -> float:
    """Computes the accuracy at one level, 0..1. A model for 56×56 fields gets each digit in the middle of its field.

    Args:
        classifier: the model.
        images: (N, 28, 28) uint8, ink bright, N of 1 or more.
        labels: (N,) uint8.
        distortion: one of DISTORTIONS.
        level: usually one of its levels.
    """
    distorted = distortion.apply(images, level)
    return float(correct_mask(classifier.probabilities(distorted), labels).mean())


def _normalize(fields: Images) -> Images:
    return np.stack([normalize_drawing(field).image for field in fields])


def _resize(fields: Images) -> Images:
    return np.stack([cv2.resize(field, (28, 28), interpolation=cv2.INTER_AREA) for field in fields])


PREPARATIONS: dict[str, tuple[str, Callable[[Images], Images]]] = {
    "unchanged": ("the whole 56×56 field", lambda fields: fields),
    "normalized": ("normalized like a drawing: cropped and centered", _normalize),
    "plain resize": ("plain resize to 28×28", _resize),
}
"""How a digit in a 56×56 field becomes the input of a model: name -> title and function of (N, 56, 56) uint8."""


def preparations_for(input_size: int) -> list[str]:
    """Lists the PREPARATIONS for a model: one that takes 56×56 fields gets them unchanged."""
    return ["unchanged"] if input_size == 56 else ["normalized", "plain resize"]
